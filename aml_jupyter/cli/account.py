"""Own `aml login` and `aml account`: lines of SDK v1's users that have nothing to do here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aml_jupyter.cli.common import emit_json, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_noun, add_verb

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]

SAID = "no account is needed: everything is on machines of your own, and nothing was changed"


def add_verbs(nouns: Nouns) -> None:
    """Add `aml login`, `aml logout` and `aml account`."""
    for name in ("login", "logout"):
        _accept_anything(add_verb(nouns, name, _say, "Say that no account is needed.", f"aml {name}"))
    verbs = add_noun(nouns, "account", "say that no account is needed")
    for name in ("list", "set", "show", "clear"):
        _accept_anything(add_verb(verbs, name, _say, "Say that no account is needed.", f"aml account {name}"))


def _accept_anything(parser: Parser) -> None:
    parser.add_argument("-o", "--output", metavar="FORMAT", help="accepted, and not needed")
    parser.add_argument("-s", "--subscription", metavar="ID", help="accepted, and not needed")
    parser.add_argument("-t", "--tenant", metavar="ID", help="accepted, and not needed")


def _say(arguments: Arguments, door: Door) -> int:
    if wants_json(arguments):
        return emit_json(door, [] if arguments.parser.prog.endswith("list") else {"message": SAID})
    door.write(SAID + "\n")
    return 0
