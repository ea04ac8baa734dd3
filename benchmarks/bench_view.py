"""Time the run view in Chromium: two thousand children, one update of them, a metric of a million points; and weigh it."""

from __future__ import annotations

import base64
import functools
import http.server
import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from table import Row

import aml_jupyter.jupyter.server.kernel as kernel
from aml_jupyter.jupyter import widget
from aml_jupyter.workspace import WorkspaceFolder, add_properties, ingest_events, insert_run

__all__ = ["rows"]

CHILDREN = 2_000
POINTS = 1_000_000
PEER = "1,000 rows as ipywidgets 16 MB, 7 s *"

PAGE = """
window.load = async (answers) => {
  const listeners = new Set();
  const tell = (content, buffers) => listeners.forEach((listener) => listener(content, buffers));
  const bytes = (text) => [new DataView(Uint8Array.from(atob(text), (each) => each.charCodeAt(0)).buffer)];
  const buffers = Object.fromEntries(Object.entries(answers).map(([key, { binary }]) => [key, binary ? bytes(binary) : []]));
  window.tell = tell;
  window.answers = answers;
  const model = {
    get: (name) => ({ workspace: 'w', run_id: 'parent', key: 'k' })[name],
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
    send: ({ id, path, query }) => {
      const key = path + (query.run ? '?' + query.run : '');
      const body = structuredClone(window.answers[key]);
      queueMicrotask(() => tell({ type: 'answer', id, status: 200, body }, buffers[key]));
    },
  };
  const { default: view } = await import('./run_view.js');
  const el = document.createElement('div');
  el.style.width = '1000px';
  document.body.append(el);
  await view.render({ model, el });
};
window.until = async (holds) => {
  while (!holds()) await new Promise((next) => requestAnimationFrame(next));
};
window.busy = async (start, holds) => {
  const began = performance.now();
  start();
  await window.until(holds);
  return performance.now() - began;
};
"""


def _sweep(folder: WorkspaceFolder) -> None:
    sweep = {"kind": "script", "config": {"primary_metric_config": {"name": "loss", "goal": "minimize"}}}
    with folder.store.transaction(durable=False) as tx:
        insert_run(
            tx, {"id": "parent", "experiment": "e", "kind": "script", "sweep": sweep}, "Running", in_process=True
        )
        for number in range(CHILDREN):
            run = {"id": f"parent_{number}", "experiment": "e", "kind": "script", "parent": "parent"}
            insert_run(tx, run, "Running", in_process=True)
            given = {"--lr": number / CHILDREN, "--layers": number % 7, "--width": 2 ** (number % 9)}
            add_properties(tx, run["id"], {"hyperparameters": json.dumps(given)}, announce=False)
    for number in range(CHILDREN):
        _log(folder, f"parent_{number}", "loss", 1)


def _log(folder: WorkspaceFolder, run: str, name: str, count: int) -> None:
    data = b"".join(
        b'{"t":%d.5,"e":"metric","n":"%s","v":%r}\n' % (n, name.encode(), n * 0.37 % 11) for n in range(count)
    )
    offset = 0
    while offset < len(data):
        offset = ingest_events(folder.store, run, 1, name, offset, data[offset : offset + 4 * 2**20])


def _answer(folder: WorkspaceFolder, path: str, **query: str) -> Any:
    status, body = kernel.answer_question(folder, {"method": "GET", "path": path, "query": query})
    assert status == 200, body
    return body


def rows(folder: WorkspaceFolder, tmp: Path) -> list[Row]:
    """Return the rows of the run view."""
    size = len(widget.MODULE.read_bytes())
    weight = Row(
        "run view, one module", f"{size / 1000:.0f} kB", "<= 120 kB", "azureml-widgets 7,900 kB *", size <= 120_000
    )
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return [weight, Row("run view in Chromium", "no chromium", "-", "-", True)]
    _sweep(folder)
    _log(folder, "parent", "curve", POINTS)
    begun = time.perf_counter()
    chart = _answer(folder, "runs/parent/metrics/curve", points="1500", binary="true")
    read = (time.perf_counter() - begun) * 1000
    one = _answer(folder, "runs/parent/children", run="parent_7")
    answers = {
        "runs/parent": _answer(folder, "runs/parent", brief="true"),
        "runs/parent/metrics": _answer(folder, "runs/parent/metrics"),
        "runs/parent/metrics/curve": {**chart, "binary": base64.b64encode(chart["binary"]).decode()},
        "runs/parent/files": _answer(folder, "runs/parent/files"),
        "runs/parent/logs": _answer(folder, "runs/parent/logs"),
        "runs/parent/children": _answer(folder, "runs/parent/children"),
        "runs/parent/children?parent_7": {**one, "children": {**one["children"], "status": ["Completed"]}},
    }
    paint, update, draw = _in_browser(chromium, tmp, answers)
    weigh = len(json.dumps(one, separators=(",", ":")))
    return [
        weight,
        Row(f"table of {CHILDREN:,} children, first paint", f"{paint:.0f} ms", "<= 200 ms", PEER, paint <= 200),
        Row(
            "one update of it", f"{weigh} B, {update:.1f} ms", "< 1 kB, <= 16 ms", PEER, weigh < 1_000 and update <= 16
        ),
        Row("metric of 1,000,000 points, drawn", f"{read + draw:.0f} ms", "<= 300 ms", "-", read + draw <= 300),
    ]


def _in_browser(chromium: str, tmp: Path, answers: dict[str, Any]) -> tuple[float, float, float]:
    """Return the milliseconds of the first paint of the children, of one update, and of the chart."""
    from playwright.sync_api import sync_playwright

    site = tmp / "site"
    site.mkdir()
    shutil.copy(widget.MODULE, site)
    (site / "index.html").write_text(f"<!doctype html><body><script>{PAGE}</script>")
    handler = functools.partial(_Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, headless=True, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/index.html")
            page.evaluate("answers => window.load(answers)", answers)
            page.evaluate("window.until(() => document.querySelector('canvas'))")
            tab = "document.querySelector('[data-tab={}]').click()"
            drawn = "() => document.querySelector('.aml-charts:not(.aml-charts-small) canvas')"
            draw = page.evaluate(f"window.busy(() => {tab.format('metrics')}, {drawn})")
            paint = page.evaluate(
                f"window.busy(() => {tab.format('children')}, () => document.querySelectorAll('.aml-row').length > 10)"
            )
            work = page.context.new_cdp_session(page)
            work.send("Performance.enable")
            before = _script_of(work)
            event = {"seq": 1, "time": 0, "kind": "run.state", "subject": "parent_7", "data": {"status": "Completed"}}
            page.evaluate(
                "event => window.busy(() => window.tell({type: 'events', events: [event]}), "
                "() => document.querySelector('.aml-row .aml-good'))",
                event,
            )
            update = _script_of(work) - before
            browser.close()
            return float(paint), float(update), float(draw)
    finally:
        server.shutdown()


def _script_of(work: Any) -> float:
    """Return the milliseconds that the page has spent in scripts, styles and layout so far."""
    found = {metric["name"]: metric["value"] for metric in work.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(found["ScriptDuration"] + found["LayoutDuration"] + found["RecalcStyleDuration"])


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""
