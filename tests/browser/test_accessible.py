"""What axe finds in the panel and the run view, light and dark; and that both can be used by keyboard alone, without motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser_pages import Watch, open_panel, shoot
from jupyter_process import JupyterProcess
from support import until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import GridParameterSampling, HyperDriveConfig, choice
from aml_jupyter.sdk import Experiment, Workspace
from aml_jupyter.service import create_target, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

AXE = files("axe_playwright_python").joinpath("axe.min.js")
FIND = """async ([selector, rules]) => {
    document.body.style.overflow = 'visible';  // it has no height in JupyterLab: axe takes for hidden what it clips
    const found = await axe.run(selector, {resultTypes: ['violations'], ...(rules ? {runOnly: rules} : {})});
    return found.violations.flatMap(rule => rule.nodes.map(
        node => `${rule.id}: ${node.target} ${node.html} ${node.failureSummary}`));
}"""
PLANT = """() => {
    const wrong = document.createElement('button');
    const faint = document.createElement('span');
    faint.textContent = 'faint';
    faint.style.cssText = 'color: #888; background: #999';
    document.querySelector('.jp-Dialog .aml-form').append(wrong, faint);
}"""
REACHED = """() => {
    const at = document.activeElement;
    const shown = getComputedStyle(at);
    const isSeen = at.matches(':focus-visible') && (shown.outlineStyle !== 'none' || shown.boxShadow !== 'none');
    return [at.closest('.aml-manager, .aml-run') !== null, at.outerHTML.slice(0, 160), isSeen || at.tagName === 'g'];
}"""
SCRIPT = """
import base64, math, sys, time
from azureml.core import Run
run = Run.get_context()
for step in range(50):
    run.log("loss", 1 / (step + 1) + float(sys.argv[-1]))
run.log("score", 0.5)
run.log_table("people", {"name": ["a", "b"], "age": [1, 2]})
run.log_confusion_matrix("matrix", {"schema_type": "confusion_matrix", "schema_version": "1.0.0",
    "data": {"class_labels": ["cat", "dog"], "matrix": [[8, 2], [1, 9]]}})
open("outputs/model.txt", "w").write("weights")
for code in (30, 31, 32, 33, 34, 35, 36, 37):
    print(f"\x1b[{code}mcolour {code}\x1b[0m")
if sys.argv[-1] == "7":
    sys.exit("it fails")
while sys.argv[-1] == "8":
    time.sleep(0.1)
"""


@pytest.fixture
def lab(folder: WorkspaceFolder, project: Path, tmp_path: Path) -> Iterator[JupyterProcess]:
    """A JupyterLab whose page can be asked for another theme."""
    home = tmp_path / "jupyter"
    (home / "config").mkdir(parents=True)
    (home / "config" / "jupyter_lab_config.json").write_text('{"LabApp": {"expose_app_in_browser": true}}')
    settings = home / "lab-settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    process = JupyterProcess(project, home, "lab")
    yield process
    process.close()


def _submit(lab: JupyterProcess, name: str, argument: str) -> str:
    body = {
        "source_directory": "",
        "script": "train.py",
        "arguments": [argument],
        "display_name": name,
        "experiment": "digits",
    }
    return str(lab.fetch("workspaces/default/runs", "POST", body)["run"]["id"])


def _use_theme(page: Any, name: str) -> None:
    page.evaluate("theme => { jupyterapp.commands.execute('apputils:change-theme', {theme}); }", f"JupyterLab {name}")
    page.locator(f'body[data-jp-theme-name="JupyterLab {name}"]').wait_for(state="attached")
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def _checker(page: Any, found: list[str]) -> Callable[[str, str], None]:
    """Return what lets axe look at a part of the page, light and dark, and adds what it finds to `found`."""

    def check(selector: str, name: str) -> None:
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(AXE.read_text("utf-8"))
        for theme, rules in (("Light", None), ("Dark", ["color-contrast"])):
            _use_theme(page, theme)
            shoot(page, f"{name}-{theme.lower()}")
            found.extend(f"{name}, {theme}: {each}" for each in page.evaluate(FIND, [selector, rules]))

    return check


def test_axe_finds_nothing_light_or_dark(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path
) -> None:
    found: list[str] = []
    check = _checker(page, found)
    (project / "train.py").write_text(SCRIPT)
    ids = [_submit(lab, "good", "0.1"), _submit(lab, "bad", "7"), _submit(lab, "open", "8")]
    create_target(folder, "box-1", "computeinstance", {"max_parallel": 2})
    space = GridParameterSampling({"--x": choice(3, 1, 2), "--y": choice(0.5, 1)})
    script = ScriptRunConfig(str(project), "train.py")
    sweep = Experiment(Workspace(folder), "tuning").submit(
        HyperDriveConfig(space, "loss", "minimize", 6, run_config=script)
    )
    for run in (*ids[:2], sweep.id):
        wait_for_run(folder, run, 120)
    side = open_panel(page, lab)
    side.locator(".aml-row", has_text="tuning").wait_for()
    check("#aml-panel", "a11y-side")

    side.get_by_role("button", name="show in a tab of its own").click()
    wide = page.locator("#aml-manager")
    wide.get_by_label("by experiment").check()
    wide.locator(".aml-group", has_text="digits").wait_for()
    check("#aml-manager", "a11y-groups")
    wide.get_by_role("tab", name="compute", exact=True).click()
    wide.get_by_role("button", name="New").click()
    wide.locator("form").get_by_label("name", exact=True).fill("1x")
    wide.get_by_text("3 to 24 characters").wait_for()
    check("#aml-manager", "a11y-form")
    wide.get_by_role("button", name="not now").click()
    card = wide.locator('[data-target="box-1"]')
    card.get_by_role("button", name="more").click()
    card.get_by_text(" of 2 free").wait_for()
    wide.get_by_text("what each kind can do").click()
    wide.get_by_role("cell", name="Compute instance").first.wait_for()
    card.get_by_role("button", name="delete").click()
    check("#aml-manager", "a11y-compute")
    for tab in ("environments", "models"):
        wide.get_by_role("tab", name=tab).click()
        wide.get_by_role("grid", name=tab).wait_for()
        check("#aml-manager", f"a11y-{tab}")
    wide.get_by_role("tab", name="runs", exact=True).click()
    for name in ("good", "bad"):
        wide.locator(".aml-row", has_text=name).get_by_role("checkbox").check()
    wide.get_by_role("button", name="compare 2 runs").click()
    page.locator(".aml-comparison canvas").first.wait_for()
    check(".aml-comparison", "a11y-compare")

    named = dict(zip(ids, ("good", "bad", "open"), strict=True)) | {sweep.id: "tuning"}
    for run, tabs in (
        (ids[0], ("overview", "metrics", "logs", "outputs", "details")),
        (ids[1], ("overview",)),
        (ids[2], ("logs",)),
        (sweep.id, ("sweep", "child runs")),
    ):
        page.locator("#aml-panel .aml-row", has_text=named[run]).first.click()
        view = f'.aml-whole[data-run="{run}"]'
        for tab in tabs:
            page.locator(view).get_by_role("tab", name=tab, exact=True).click()
            if tab == "metrics":
                page.locator(view).get_by_role("grid", name="people").wait_for()
            elif tab == "logs":
                page.locator(view).locator(".aml-log").get_by_text("colour 36").wait_for()
            elif tab == "outputs":
                page.locator(view).get_by_role("button", name="show model.txt").click()
            elif tab == "sweep":
                page.locator(view).locator(".aml-parallel polyline").first.wait_for()
            check(view, f"a11y-{tab.replace(' ', '-')}")
    page.locator(view).get_by_role("tab", name="sweep", exact=True).click()
    page.locator(view).get_by_role("button", name="extend").click()
    page.locator(view).get_by_label("children in all").wait_for()
    check(view, "a11y-extend")
    page.evaluate("() => { jupyterapp.commands.execute('docmanager:open', {path: 'train.py'}); }")
    page.locator(".jp-FileEditor").wait_for()
    page.evaluate("() => { jupyterapp.commands.execute('aml:submit'); }")
    page.locator(".jp-Dialog").get_by_label("arguments").wait_for()
    check(".jp-Dialog .aml-form", "a11y-submit")
    lab.fetch(f"workspaces/default/runs/{ids[2]}/cancel", "POST")
    wait_for_run(folder, ids[2], 60)
    assert found == []
    page.evaluate(PLANT)
    seen = " ".join(page.evaluate(FIND, [".jp-Dialog .aml-form", None]))
    assert "button-name" in seen and "color-contrast" in seen, "axe does not see what is wrong"


def test_everything_can_be_done_by_keyboard_and_nothing_moves(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path
) -> None:
    watch = Watch(page, lab)
    page.emulate_media(reduced_motion="reduce")
    (project / "train.py").write_text(SCRIPT)
    run = _submit(lab, "open", "8")
    create_target(folder, "box-1", "computeinstance", {})
    side = open_panel(page, lab)
    side.locator(".aml-row", has_text="open").wait_for()

    def walk(start: str, most: int = 60) -> list[str]:
        """Press Tab through the panel or view, and return what was reached."""
        page.locator(start).focus()
        reached = []
        for _ in range(most):
            is_ours, what, is_seen = page.evaluate(REACHED)
            if not is_ours:
                reached.append(f"and then {what}")
                break
            assert is_seen, f"the focus is not to be seen on {what}"
            reached.append(what)
            page.keyboard.press("Tab")
        return reached

    reached = "\n".join(walk("#aml-panel .aml-select >> nth=0"))
    for what in ("show in a tab", 'aria-label="experiment"', "search runs", 'role="grid"', 'data-tab="runs"'):
        assert what in reached, f"{what} cannot be reached with Tab"
    assert reached.count('class="aml-tab"') == 1, "of a row of tabs one takes the focus; arrow keys go on"

    page.locator('#aml-panel [data-tab="runs"]').focus()
    page.keyboard.press("ArrowRight")
    card = side.locator('[data-target="box-1"]')
    card.wait_for()
    assert page.evaluate("document.activeElement.dataset.tab") == "compute"
    reached = "\n".join(walk('#aml-panel [data-tab="compute"]'))
    for what in ('data-tab="instances"', "New", "stop", "restart", "delete", "more", "what each kind"):
        assert what in reached, f"{what} cannot be reached with Tab"
    card.get_by_role("button", name="delete").focus()
    page.keyboard.press("Enter")
    card.get_by_role("button", name="delete?").wait_for()
    page.keyboard.press("Escape")
    card.get_by_role("button", name="delete", exact=True).wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    side.get_by_role("button", name="Create").wait_for()

    page.locator('#aml-panel [data-tab="compute"]').focus()
    page.keyboard.press("Home")
    grid = side.get_by_role("grid", name="runs")
    grid.locator(".aml-row", has_text="open").wait_for()
    grid.focus()
    page.keyboard.press("Enter")
    view = page.locator(f'.aml-whole[data-run="{run}"]')
    until(lambda: view.get_attribute("data-state") == "Running", 60, "the run has begun")
    view.get_by_role("tab", name="overview").focus()
    for name in ("metrics", "logs", "outputs", "details"):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.dataset.tab") == name
        assert view.get_by_role("tab", name=name).get_attribute("aria-selected") == "true"
    assert (
        page.evaluate(
            "document.getAnimations().filter(each => each.effect.target.closest('.aml-run, .aml-manager')).length"
        )
        == 0
    )
    view.get_by_role("button", name="cancel", exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.locator(f'.aml-whole[data-run="{run}"][data-state=Canceled]').wait_for()
    assert (watch.errors, watch.foreign) == ([], [])
