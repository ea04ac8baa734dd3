"""Requirement lines become independent of the files that they name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from wheels import make_wheel

from aml_jupyter.config import Environment
from aml_jupyter.environments.requirement_lines import read_requirements
from aml_jupyter.errors import ConfigurationError


def test_files_are_read_in_relative_to_themselves(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "requirements.txt").write_text(
        "pandas==2.2.3 \\\n    --hash=sha256:aa  # why\n-r deep/more.txt\n-c limits.txt\n# nothing\n--extra-index-url https://x/simple\n"
    )
    (tmp_path / "deep/more.txt").write_text("scipy[dev] ; python_version < '4'\n")
    (tmp_path / "limits.txt").write_text("numpy<3\n")
    found = read_requirements(["-r requirements.txt", "six"], [tmp_path / "nowhere", tmp_path])
    assert [line.split() for line in found.lines] == [
        ["pandas==2.2.3", "--hash=sha256:aa"],
        ["scipy[dev]", ";", "python_version", "<", "'4'"],
        ["six"],
    ]
    assert found.constraints == ["numpy<3"]
    assert found.options == [["--extra-index-url", "https://x/simple"]]


def test_a_file_of_an_environment_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    (tmp_path / "reqs").mkdir()
    (tmp_path / "reqs/base.txt").write_text("idna\nurllib3=>2\n")
    file = tmp_path / "reqs/requirements.txt"
    file.write_text("# all\nsix==1.16.0 \\\n    --hash=sha256:aa\n-r base.txt\n\ntoml  # why\n")
    dependencies = Environment.from_pip_requirements("mine", file).python.conda_dependencies
    assert list(dependencies.pip_packages) == ["six==1.16.0 --hash=sha256:aa", "toml"]
    lines = [*dependencies.pip_options, *dependencies.pip_packages]
    with pytest.raises(ConfigurationError, match=r"reqs/base\.txt, line 2: 'urllib3=>2'"):
        read_requirements(lines, [tmp_path], dependencies.place_of)
    (tmp_path / "reqs/base.txt").write_text("idna\n")
    found = read_requirements(lines, [tmp_path], dependencies.place_of)
    assert found.lines == ["idna", "six==1.16.0 --hash=sha256:aa", "toml"]
    assert found.origins == {
        "idna": f"{tmp_path}/reqs/base.txt, line 1",
        "six": f"{file}, line 2",
        "toml": f"{file}, line 6",
    }


def test_a_local_wheel_is_named_by_its_content(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "tiny", "1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for line in ("./tiny-1.0-py3-none-any.whl", str(wheel), wheel.as_uri(), wheel.name):
        found = read_requirements([line], [tmp_path])
        assert found.lines == [f"file:{digest}/{wheel.name}"], line
        assert found.files == {f"{digest}/{wheel.name}": str(wheel)}
    assert read_requirements([f"tiny[x] @ {wheel.as_uri()}"], []).lines == [f"tiny[x] @ file:{digest}/{wheel.name}"]
    assert read_requirements(["git+https://host/repo.git@main#egg=x"], []).lines == [
        "git+https://host/repo.git@main#egg=x"
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-e .", "build a wheel"),
        (".", "it is a folder"),
        ("./no.whl", "there is no"),
        ("-r missing.txt", "there is no"),
        ("--extra-index https://x", "--extra-index-url"),
        ("--index-url", "needs a value"),
        ("-r loop.txt", "includes itself"),
        ("-r latin.txt", "not UTF-8"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "loop.txt").write_text("-r loop.txt\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(ConfigurationError, match=said):
        read_requirements([line], [tmp_path])


def test_an_option_that_changes_nothing_is_said(tmp_path: Path) -> None:
    found = read_requirements(["--prefer-binary", "six"], [tmp_path])
    assert found.lines == ["six"] and "--prefer-binary has no effect" in found.notes[0]
