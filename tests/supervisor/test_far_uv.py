"""What pip's lists and settings say is said to uv: addresses in variables, never on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aml_jupyter.supervisor.far_uv import install_options, uv_variables

ADDRESS = "https://user:secret@index.invalid/simple"


def asked(*options: list[str]) -> dict[str, Any]:
    return {"options": list(options), "python": {"path": "/nowhere/bin/python"}}


def settings(path: Path, text: str) -> dict[str, str]:
    path.write_text(text)
    return {"PIP_CONFIG_FILE": str(path), "HOME": str(path.parent), "XDG_CONFIG_DIRS": str(path.parent)}


def test_settings_of_the_machine_and_options_of_the_list_add_up(tmp_path: Path) -> None:
    text = "[global]\nindex-url = https://one.invalid\nextra-index-url = https://two.invalid\n"
    text += "find-links = /w1 /w2\ncert = /c.pem\n"
    told = uv_variables(
        asked(["--index-url", ADDRESS], ["--extra-index-url", "https://three.invalid"], ["--pre"]),
        settings(tmp_path / "pip.conf", text),
    )
    assert told["UV_DEFAULT_INDEX"] == ADDRESS  # the list's wins, as with pip
    assert told["UV_EXTRA_INDEX_URL"].split() == ["https://two.invalid", "https://three.invalid"]
    assert told["UV_FIND_LINKS"].split(",") == ["/w1", "/w2"]
    assert (told["SSL_CERT_FILE"], told["UV_PRERELEASE"]) == ("/c.pem", "allow")
    assert "UV_NO_INDEX" not in told and told["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_a_variable_of_pip_counts_and_a_false_flag_is_none(tmp_path: Path) -> None:
    variables = settings(tmp_path / "pip.conf", "[install]\nno-index = false\ntrusted-host = a.invalid\n")
    told = uv_variables(asked(), {**variables, "PIP_CONSTRAINT": "/limits.txt"})
    assert told["UV_CONSTRAINT"] == "/limits.txt" and told["UV_INSECURE_HOST"] == "a.invalid"
    assert "UV_NO_INDEX" not in told
    assert uv_variables(asked(["--no-index"]), variables)["UV_NO_INDEX"] == "1"


def test_no_address_is_on_the_command_line() -> None:
    options = [["--index-url", ADDRESS], ["--no-deps"], ["--no-binary", "one"], ["--require-hashes"], ["--pre"]]
    assert install_options(asked(*options)) == ["--no-deps", "--no-binary", "one", "--require-hashes"]
