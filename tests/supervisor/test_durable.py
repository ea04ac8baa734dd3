"""A JSON file is there as a whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aml_jupyter.supervisor.durable import link_json, write_json


def test_a_written_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"n": 1})
    write_json(path, {"n": 2, "text": "ü"}, sync=False)
    assert json.loads(path.read_text()) == {"n": 2, "text": "ü"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_of_two_links_the_first_one_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert link_json(path, {"n": 1})
    assert not link_json(path, {"n": 2})
    assert json.loads(path.read_text()) == {"n": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(TypeError):
        write_json(path, {"n": object()})
    with pytest.raises(TypeError):
        link_json(path, {"n": object()})
    with pytest.raises(FileNotFoundError):
        write_json(tmp_path / "missing" / "a.json", {})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    script = f"""
import errno, os, sys
from aml_jupyter.supervisor.durable import link_json, write_json
write_json("{tmp_path}/a.json", {{"n": 1}})
open("{tmp_path}/filler", "wb").close()
try:
    with open("{tmp_path}/filler", "wb", 0) as filler:
        while True:
            filler.write(b"x" * 4096)
except OSError as error:
    assert error.errno == errno.ENOSPC
for write in (write_json, link_json):
    try:
        write("{tmp_path}/" + ("a.json" if write is write_json else "b.json"), {{"text": "x" * 8192}})
    except OSError as error:
        print(errno.errorcode[error.errno])
print(sorted(os.listdir("{tmp_path}")), open("{tmp_path}/a.json").read())
"""
    mount = f"mount -t tmpfs -o size=64k tmpfs {tmp_path} && exec {sys.executable} -"
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount], input=script, capture_output=True, text=True, check=False
    )
    if "mount" in run.stderr or "unshare" in run.stderr:
        pytest.skip(f"no small disk can be mounted here: {run.stderr.strip()}")
    assert run.stdout.splitlines() == ["ENOSPC", "ENOSPC", """['a.json', 'filler'] {"n":1}"""], run.stderr
