"""What of the submitter's environment travels with a run, and what never does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aml_jupyter.environments import submitter
from aml_jupyter.environments.submitter import travelling_variables


def test_it_names_this_python_and_this_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = submitter()
    assert here["python"] == os.path.abspath(sys.executable)
    assert here["version"] == ".".join(map(str, sys.version_info[:3]))
    assert here["cwd"] == str(tmp_path)
    assert here["variables"]["PATH"] == os.environ["PATH"]
    assert {"host", "user"} <= set(here)


def test_only_what_finds_programs_certificates_and_language_travels() -> None:
    certificates = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    python = (
        "VIRTUAL_ENV",
        "CONDARC",
        "CONDA_PREFIX",
        "CONDA_DEFAULT_ENV",
        "PIP_CERT",
        "PIP_NO_CACHE_DIR",
        "UV_CACHE_DIR",
    )
    person = ("HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE")
    network = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "DOCKER_CONFIG", "DOCKER_BUILDKIT")
    travels = dict.fromkeys(("PATH", "LD_LIBRARY_PATH", *certificates, *python, *person, *network), "x")
    stays = dict.fromkeys(
        ("EDITOR", "PWD", "PYTHONPATH", "DISPLAY", "SSH_AUTH_SOCK", "MY_SETTING", "XLANG", "path"), "x"
    )
    assert travelling_variables({**travels, **stays}) == travels


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONDA_TOKEN", "abc"),
        ("UV_PUBLISH_PASSWORD", "abc"),
        ("PIP_CLIENT_SECRET", "abc"),
        ("UV_API_KEY", "abc"),
        ("pip_token", "abc"),
        ("PIP_INDEX_URL", "https://user:pw@packages.example/simple"),
        ("UV_INDEX_URL", "https://sesame@packages.example/simple"),
        ("PIP_EXTRA_INDEX_URL", "https://open.example/simple https://user:pw@packages.example/simple"),
        ("AWS_SECRET_ACCESS_KEY", "abc"),
        ("HTTPS_PROXY", "http://me:pw@proxy.example:3128"),
    ],
)
def test_a_secret_never_travels(name: str, value: str) -> None:
    assert travelling_variables({name: value}) == {}


def test_an_address_without_credentials_travels() -> None:
    variables = {"PIP_INDEX_URL": "https://packages.example/simple?mail=a@b", "UV_FIND_LINKS": "/wheels"}
    assert travelling_variables(variables) == variables


def test_a_deleted_folder_is_named_as_the_cause(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os; os.rmdir(os.getcwd())\n"
        "from aml_jupyter.environments import submitter\n"
        "from aml_jupyter.errors import UserErrorException\n"
        "try: submitter()\n"
        "except UserErrorException as error: print(error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "The current folder does not exist any more. Change to one that does."
