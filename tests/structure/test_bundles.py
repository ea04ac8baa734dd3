"""The bundles of the front end are those of its sources, small, with their licences; its lock file names no host."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from aml_jupyter.jupyter.server.typescript import declarations

ROOT = Path(__file__).resolve().parents[2]
FRONT = ROOT / "labextension"
STATIC = ROOT / "aml_jupyter" / "jupyter" / "static"
BUILT = ROOT / "aml_jupyter" / "labextension"
SOURCES = re.compile(r"^(src|schema)/|^(package|package-lock|tsconfig)\.json$|^build\.mjs$")
LARGEST = 120_000


def test_bundles_were_made_from_these_sources() -> None:
    skipped = {"node_modules", "lib"}
    files = [path for path in FRONT.rglob("*") if path.is_file() and path.relative_to(FRONT).parts[0] not in skipped]
    names = sorted(str(path.relative_to(FRONT)) for path in files)
    found = hashlib.sha256()
    for name in names:
        if SOURCES.match(name):
            found.update(f"{name}\n".encode() + (FRONT / name).read_bytes() + b"\n")
    told = (STATIC / "sources.sha256").read_text().strip()
    assert found.hexdigest() == told, "the front end's sources have changed: make labextension"


def test_the_run_view_is_small_and_one_module() -> None:
    text = (STATIC / "run_view.js").read_text()
    assert len(text.encode()) <= LARGEST
    assert not re.search(r"(?:^|[;}])import[\s{*\"']", text), "the module imports another one"


def test_bundles_hold_no_address_of_another_host_and_no_html_from_strings() -> None:
    for path in [*BUILT.rglob("*.js"), *STATIC.glob("*.js")]:
        text = path.read_text()
        hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org"}
        assert not hosts, f"{path.name}: {hosts}"
        assert not re.search(r"\.(?:innerHTML|outerHTML)\s*=|insertAdjacentHTML|document\.write\b", text), path.name


def test_licences_of_bundled_libraries_lie_beside_the_bundles() -> None:
    assert "Permission is hereby granted" in (STATIC / "LICENSE.uplot.txt").read_text()
    assert "uplot" in (BUILT / "static" / "third-party-licenses.json").read_text().lower()


def test_the_lock_names_no_host_and_every_platform() -> None:
    lock = json.loads((FRONT / "package-lock.json").read_text())
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry and not entry.get("link")]
    platforms = {name.rpartition("binding-")[2] for name in lock["packages"] if "@rspack/binding-" in name}
    assert {"darwin-arm64", "linux-x64-gnu", "linux-arm64-gnu", "win32-x64-msvc"} <= platforms


def _words() -> set[str]:
    """Return every text that the front end lets be translated."""
    found = set()
    for path in (FRONT / "src").rglob("*.ts"):
        found |= {text.replace("\\\\", "\\") for text in re.findall(r"\bt\(\s*'((?:[^'\\]|\\.)*)'", path.read_text())}
    return found


@pytest.mark.parametrize(
    "catalogue", sorted((ROOT / "aml_jupyter" / "locale").rglob("*.json")), ids=lambda path: path.parts[-3]
)
def test_a_catalogue_has_every_text_with_its_places_and_no_other(catalogue: Path) -> None:
    texts = json.loads(catalogue.read_text())
    texts.pop("")
    assert set(texts) == _words()
    for text, (translated,) in texts.items():
        assert sorted(re.findall(r"{\d}", text)) == sorted(set(re.findall(r"{\d}", translated))), text


def test_types_of_the_api_are_those_of_the_server() -> None:
    written = (FRONT / "src" / "view" / "api.ts").read_text()
    assert written == declarations(), (
        "python -m aml_jupyter.jupyter.server.typescript labextension/src/view/api.ts, then make labextension"
    )
