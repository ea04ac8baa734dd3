"""What Jupyter finds of an installed package: both extensions, and the words in other languages."""

from __future__ import annotations

import subprocess
import sys

from jupyterlab_server.translation_utils import get_installed_packages_locale


def _listed(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", *command, "list"], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout + done.stderr


def test_both_extensions_are_enabled() -> None:
    assert any(
        "aml-jupyter" in line and "enabled" in line and "OK" in line for line in _listed("labextension").splitlines()
    )
    server = _listed("server", "extension")
    assert any("aml_jupyter" in line and "enabled" in line for line in server.splitlines())


def test_the_front_end_speaks_japanese() -> None:
    found, problem = get_installed_packages_locale("ja_JP")
    assert (problem, found["aml_jupyter"]["runs"]) == ("", ["実行"])
    assert found["aml_jupyter"][""]["language"] == "ja-JP"  # with another sign between them, JupyterLab shows English
