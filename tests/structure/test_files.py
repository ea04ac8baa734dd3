"""Files are short, hold no secret, no path of a build machine and no package index host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_no_file_is_over_400_lines_without_a_reason() -> None:
    long = []
    for path in _tracked():
        if path.suffix not in (".py", ".ts", ".tsx") or "tests" in path.parts:
            continue
        lines = _text(path).splitlines()
        if len(lines) > 400 and not any("Longer than 400 lines" in line for line in lines[:30]):
            long.append(f"{path.relative_to(ROOT)}: {len(lines)}")
    assert not long, "\n".join(long)


def test_modules_are_small() -> None:
    sizes = sorted(len(_text(path).splitlines()) for path in (ROOT / "aml_jupyter").rglob("*.py"))
    assert sizes[len(sizes) // 2] < 150


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("package index host", r"(?:files\.python[h]osted|pypi\.(?:org|python)|registry\.npm[j]s)\."),
        ("path of a build machine", r"(?<![\w.])/(?:work/main|root/\.|home/[a-z]+/work)"),
        ("private key", r"BEGIN (?:RSA |OPENSSH |EC )?PRIVATE[ ]KEY"),
    ],
)
def test_no_tracked_file_contains(what: str, pattern: str) -> None:
    found = []
    for path in _tracked():
        if path == Path(__file__):
            continue
        for number, line in enumerate(_text(path).splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {what}")
    assert not found, "\n".join(found)
