"""Own `aml compute attach`, `test` and what `update` and `show` say of machines that are reached over SSH."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.cli.common import emit_json, open_workspace, pairs, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_verb
from aml_jupyter.errors import ComputeTargetException, UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.service.remote import Attached
    from aml_jupyter.transports.ssh_login import Credentials
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["add_attach", "add_clean", "add_way", "change_way", "show_ssh", "way_of"]

_WAY: Final = {
    "address": "HOST[:PORT], USER@HOST, or a name of ~/.ssh/config",
    "username": "user there; else what the address or ~/.ssh/config says",
    "ssh-key": "file of the private key to log in with; else the agent and the usual files",
    "fingerprint": "of the machine's host key (SHA256:...); else known_hosts, or a question",
    "python": "Python there that runs what names no other one; looked for when left out",
    "base-folder": "folder there for everything of ours; ~/.aml-jupyter when left out",
    "engine": "socket there of its Docker engine; looked for when left out",
    "largest-output": "outputs that are larger (500MB) stay there until aml run download fetches them; all come when left out",
}


def add_attach(verbs: Nouns) -> None:
    """Add `aml compute attach` and `aml compute test`."""
    attach = add_verb(
        verbs,
        "attach",
        _attach,
        "Attach a machine that is there already, after a look at it.",
        "aml compute attach box --type remote --address box.example.org --username ml --ssh-key ~/.ssh/id_ed25519",
    )
    add = attach.add_argument
    add("word", nargs="?", metavar="NAME", help="name of the compute target")
    add("-n", "--name", metavar="NAME", help="name of the target, as an option")
    add("--type", metavar="TYPE", help="remote or remotedocker; see aml compute kinds")
    add_way(attach)
    add("--private-key-file", metavar="FILE", help="SDK v1's name of --ssh-key")
    add("--ssh-port", metavar="PORT", help="SDK v1's; HOST:PORT says the same")
    add(
        "--password",
        metavar="VALUE",
        help="as in 2017; others may read a command line, so prefer --ssh-key or --password-stdin",
    )
    add("--tag", action="append", metavar="KEY=VALUE", help="tag of the target; may be repeated")
    add("--description", default="", metavar="TEXT", help="what it is for")
    add("--max-parallel", metavar="N", help="how many runs at once; one a core when left out")
    add("--gpus", metavar="N", help="how many GPUs its runs may have, or which (0,2); all when left out")
    add("--runs-per-gpu", metavar="N", help="how many runs may share a GPU (1)")
    test = add_verb(verbs, "test", _test, "Look at an attached machine again.", "aml compute test box")
    test.add_argument("word", nargs="?", metavar="NAME", help="name of the compute target")
    test.add_argument("-n", "--name", metavar="NAME", help="name of the target, as an option")


def add_clean(verbs: Nouns) -> None:
    """Add `aml compute clean`."""
    clean = add_verb(
        verbs,
        "clean",
        _clean,
        "Remove from an attached machine what nothing has used for a while: sent content, built environments.",
        "aml compute clean box --dry-run",
    )
    clean.add_argument("word", nargs="?", metavar="NAME", help="name of the compute target")
    clean.add_argument("-n", "--name", metavar="NAME", help="name of the target, as an option")
    clean.add_argument("--unused-days", type=float, default=30.0, metavar="N", help="days without use (30)")
    clean.add_argument("--dry-run", action="store_true", help="remove nothing, and say what would be")


def _clean(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service.remote import clean_target
    from aml_jupyter.views.formats import size_text

    name = arguments.name or arguments.word
    if name is None:
        arguments.parser.error("the target's name is missing")
    if not 0 <= arguments.unused_days < 1e6:
        raise UserErrorException(
            f"--unused-days is {arguments.unused_days}; a number of at least 0 was expected.", "days"
        )
    found = clean_target(open_workspace(arguments), str(name), arguments.unused_days, arguments.dry_run)
    if wants_json(arguments):
        return emit_json(door, found)
    verb = "would be removed" if arguments.dry_run else "removed"
    kept = found.pop("outputs", (0, 0))
    for what, (count, size) in found.items():
        door.write(f"{what:<12} {count} {verb}, {size_text(size)}\n")
    if kept[0]:
        door.write(
            f"{'outputs':<12} {kept[0]} kept, {size_text(kept[1])}: aml run download RUN fetches those of a run\n"
        )
    return 0


def add_way(parser: Parser) -> None:
    """Add the options that say how a machine is reached."""
    for name, what in _WAY.items():
        parser.add_argument(f"--{name}", metavar=name.upper().replace("-", "_"), help=what)
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password (or the key's passphrase) from standard input"
    )


def way_of(arguments: Arguments) -> dict[str, Any]:
    """Return the settings of the way that a line gives."""
    names = [name.replace("-", "_") for name in _WAY]
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def change_way(folder: WorkspaceFolder, name: str, arguments: Arguments, settings: dict[str, Any], door: Door) -> None:
    """Change the way to a machine, and look at it."""
    from aml_jupyter.service.remote import change_target

    found = change_target(folder, name, settings, _credentials(arguments, door), door.ask)
    _tell(arguments, door, found)


def _credentials(arguments: Arguments, door: Door) -> Credentials | None:
    from aml_jupyter.transports.ssh_login import Credentials

    given = getattr(arguments, "password", None)
    if given is not None:
        _forget(given)
        door.forget(given)
        door.remark(
            "aml: a password on a command line can be read by other users of this machine while the command runs, and stays in "
            "the shell's history. Keys are safer (--ssh-key FILE); --password-stdin reads it unseen."
        )
        return Credentials(password=given, passphrase=given if getattr(arguments, "ssh_key", None) else None)
    if not arguments.password_stdin:
        return None
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise UserErrorException("--password-stdin: nothing came from standard input.", "password")
    return Credentials(password=text, passphrase=text)


def _forget(secret: str, words: Sequence[str] | None = None) -> None:
    """Overwrite a secret in the command line that the system shows of this process, where that can be done."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        line, hidden = ctypes.string_at(start, end - start), secret.encode()
        place = line.find(b"\0" + hidden + b"\0")
        place = line.find(b"=" + hidden + b"\0") if place < 0 else place
        if hidden and place >= 0:
            ctypes.memmove(start + place + 1, b"*" * len(hidden), len(hidden))


def _attach(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.sdk.scaffold import write_target_files
    from aml_jupyter.sdk.workspace import Workspace
    from aml_jupyter.service.remote import attach_target
    from aml_jupyter.targets import kind_of

    name, type_name = arguments.name or arguments.word, arguments.type
    if arguments.name is not None and arguments.word is not None:
        if type_name is not None:
            raise UserErrorException(f"two names are given: {arguments.word} and {arguments.name}", "name")
        type_name = arguments.word
    if type_name is None and arguments.address is None:
        raise ComputeTargetException(
            "--type is missing: --type remote is a machine that is reached over SSH; aml compute kinds lists the others.",
            "type",
        )
    kind = kind_of(type_name or "remote")
    if not kind.attachable or not kind.built:
        why = " in this version" if kind.attachable else f": {kind.note}" if kind.note else ""
        raise ComputeTargetException(
            f"targets of type {kind.type!r} cannot be attached{why}; aml compute kinds lists what can", "type"
        )
    if name is None:
        arguments.parser.error("the target's name is missing")
    settings = way_of(arguments)
    if arguments.private_key_file:
        settings["ssh_key"] = arguments.private_key_file
    if arguments.ssh_port and settings.get("address"):
        settings["address"] = _with_port(str(settings["address"]), arguments.ssh_port)
    for each in ("max_parallel", "gpus", "runs_per_gpu"):
        if getattr(arguments, each) is not None:
            settings[each] = getattr(arguments, each)
    folder = open_workspace(arguments)
    found = attach_target(
        folder,
        str(name),
        kind.type,
        settings,
        _credentials(arguments, door),
        door.ask,
        pairs(arguments.tag, "--tag"),
        arguments.description,
    )
    _tell(arguments, door, found)
    for each in write_target_files(Workspace(folder), ".", found.target):
        door.remark(f"wrote {each}")
    return 0


def show_ssh(folder: WorkspaceFolder, name: str, door: Door) -> int:
    """Write the lines of ssh and scp that reach a machine as we do."""
    import shlex

    from aml_jupyter.targets.far_host import address_of
    from aml_jupyter.workspace import get_target

    record = get_target(folder.store.read(), name)
    if record.type not in ("remote", "remotedocker"):
        raise ComputeTargetException(
            f"{record.name!r} is of type {record.type!r}, which is not reached over SSH.", "name"
        )
    address = address_of(record.settings)
    key = ["-i", str(record.settings["ssh_key"])] if record.settings.get("ssh_key") else []
    host = f"[{address.name}]" if ":" in address.name else address.name
    base = f"{address.user}@{host}:{record.settings['base_folder']}"
    for program, option, where in (("ssh", "-p", f"{address.user}@{address.name}"), ("scp", "-P", f"{base}/FILE")):
        port = [] if address.port == 22 else [option, str(address.port)]
        line = shlex.join([program, *key, *port, *(["-r"] if program == "scp" else []), where])
        door.write(line + (" .\n" if program == "scp" else "\n"))
    return 0


def _with_port(address: str, port: str) -> str:
    host = address.rpartition("@")[2]
    return address if host.count(":") == 1 or "]:" in host else f"{address}:{port}"


def _test(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service.remote import look_again

    name = arguments.name or arguments.word
    if name is None:
        arguments.parser.error("the target's name is missing")
    found = look_again(open_workspace(arguments), str(name), door.ask)
    _tell(arguments, door, found)
    return 1 if found.problems else 0


def _tell(arguments: Arguments, door: Door, found: Attached) -> int:
    """Show what was found, one fact a line."""
    target = found.target
    if wants_json(arguments):
        return emit_json(
            door,
            {
                "name": target.name,
                "type": target.type,
                "provisioning_state": target.provisioning_state,
                "checks": [list(row) for row in found.rows],
                "problems": list(found.problems),
            },
        )
    lines = [f"{target.name}  {target.type}  {target.provisioning_state}"]
    lines += [f"  {what:<12} {value}" for what, value in found.rows] or ["  it was attached like this already"]
    door.write("\n".join(lines) + "\n")
    return 0
