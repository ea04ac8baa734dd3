"""The page of commands says what the commands are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from aml_jupyter.cli.manual import manual
from aml_jupyter.cli.parser import Parser
from aml_jupyter.cli.tree import build_parser

PAGE = Path(__file__).parents[2] / "docs/commands.md"


def _leaves(parser: Parser) -> list[Parser]:
    children = parser.children().values()
    return [leaf for child in dict.fromkeys(children) for leaf in _leaves(child)] if children else [parser]


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == manual(), "run: python -m aml_jupyter.cli.manual docs/commands.md"


def test_every_verb_and_option_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    sections = dict(re.findall(r"^##+ (aml .*)\n((?:(?!^## |^### ).*\n)*)", text, re.MULTILINE))
    leaves = _leaves(build_parser())
    assert len(leaves) > 30
    for leaf in leaves:
        said = sections[leaf.prog]
        for option in leaf.options():
            if option not in ("-h", "--help", "--json", "--workspace"):
                assert f"`{option}`" in said, (leaf.prog, option)


def test_the_page_is_written_from_the_shell(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "aml_jupyter.cli.manual", str(tmp_path / "page.md")], check=False)
    assert done.returncode == 0
    assert (tmp_path / "page.md").read_text("utf-8") == PAGE.read_text("utf-8")
    assert (
        subprocess.run([sys.executable, "-m", "aml_jupyter.cli.manual"], capture_output=True, check=False).returncode
        == 2
    )
