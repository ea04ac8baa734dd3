"""Attach machines that are reached over SSH, look at them again, and forget them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aml_jupyter.config import Environment
from aml_jupyter.environments import EnvironmentCache, choose_there, keep_sources, submitter
from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service.client import ensure_service
from aml_jupyter.service.compute import checked_settings, detach_target, note_target, update_row
from aml_jupyter.service.elsewhere import facts_there
from aml_jupyter.supervisor import last_word, protocol
from aml_jupyter.targets import check_name, kind_of, target_secret
from aml_jupyter.targets.far_boot import unwritable
from aml_jupyter.targets.far_build import MOST_TURNS, send_files
from aml_jupyter.targets.far_bulk import link_to
from aml_jupyter.targets.far_conda import send_linked
from aml_jupyter.targets.far_engine import address_of_engine
from aml_jupyter.targets.far_host import connection_to, credentials_of
from aml_jupyter.targets.far_line import Listener
from aml_jupyter.targets.far_probe import Probe, clean_machine, probe_machine
from aml_jupyter.targets.far_uv import send_uv, uv_for
from aml_jupyter.transports.ssh import HostUnreachable
from aml_jupyter.transports.ssh_address import find_address, without_scheme
from aml_jupyter.transports.ssh_host_keys import Confirm, HostKeyRefused
from aml_jupyter.transports.ssh_login import Credentials, LoginRefused
from aml_jupyter.workspace import (
    TargetRecord,
    WorkspaceFolder,
    find_runs,
    get_target,
    insert_target,
    list_targets,
    set_secret,
)
from aml_jupyter.workspace.states import ACTIVE

__all__ = [
    "Attached",
    "attach_target",
    "change_target",
    "clean_target",
    "detach_unreachable",
    "look_again",
    "prepare_there",
]

BASE_FOLDER: Final = "~/.aml-jupyter"


@dataclass(frozen=True)
class Attached:
    """Say what became of an attach or a test: the target, and in words what was found; nothing where it was there already."""

    target: TargetRecord
    rows: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


def attach_target(
    folder: WorkspaceFolder,
    name: str,
    type: str,  # noqa: A002
    settings: Mapping[str, Any],
    credentials: Credentials | None = None,
    confirm: Confirm | None = None,
    tags: Mapping[str, str] | None = None,
    description: str = "",
) -> Attached:
    """Attach a machine after a look at it; one that is attached in the same way already is left as it is.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    name : str
        The target's name.
    type : str
        ``remote`` or ``remotedocker``.
    settings : dict
        ``address`` (``HOST``, ``HOST:PORT``, ``USER@HOST``, a name of ``~/.ssh/config``), ``username``, ``ssh_key`` (the file of
        a private key), ``fingerprint`` (of the host key, as ssh-keygen shows it), ``python``, ``base_folder``, ``engine`` (the
        socket of its Docker engine; looked for when left out), and those of the room: ``max_parallel``, ``gpus``,
        ``runs_per_gpu``, ``hide_gpus``. ``largest_output``: files of outputs that are larger (``500MB``) stay there.
    credentials : Credentials, optional
        A password or passphrase; kept among the secrets of the workspace.
    confirm : callable, optional
        Asks a person about an unknown host key.

    Raises
    ------
    ComputeTargetException
        When the name or a setting is wrong, the machine cannot be reached, nobody vouches for its key, or it lacks something.
    """
    kind = kind_of(type)
    if not kind.attachable or not kind.built:
        why = " in this version" if kind.attachable else f": {kind.note}" if kind.note else ""
        raise ComputeTargetException(
            f"Targets of type {kind.type!r} cannot be attached{why}; aml compute kinds lists what can.", "type"
        )
    check_name(name, kind)
    asked = _asked(kind.type, settings)
    standing = _standing(folder, name, kind.type, asked)
    if standing is not None and (credentials is None or credentials.password is None):
        return Attached(standing)
    with connection_to(asked, credentials, confirm) as ssh:
        probe = probe_machine(ssh, str(asked["python"]), str(asked["base_folder"] or BASE_FOLDER), str(asked["engine"]))
    probed = _from_probe(asked, probe)
    found = {**asked, **probed}
    _need(kind.type, asked, probed)
    _keep(folder, name, credentials)
    now = time.time()
    with folder.store.transaction() as tx:
        standing = _standing(folder, name, kind.type, asked)
        if standing is not None:
            record = update_row(tx, name, settings={**standing.settings, **probed, "login": str(now)})
        else:
            record = TargetRecord(name, kind.type, found, "Creating", [], now, now, True, dict(tags or {}), description)
            insert_target(tx, record)
            record = update_row(tx, name, provisioning_state="Succeeded")
        note_target(folder, record)
    return Attached(record, probe.rows, tuple(probe.facts["problems"]))


def look_again(folder: WorkspaceFolder, name: str, confirm: Confirm | None = None) -> Attached:
    """Look at an attached machine again, and keep what was found.

    Raises
    ------
    ComputeTargetException
        When it is no machine that is reached over SSH, or as `attach_target`.
    """
    record = get_target(folder.store.read(), name)
    if record.type not in ("remote", "remotedocker"):
        raise ComputeTargetException(
            f"{record.name!r} is of type {record.type!r}; only a machine that is reached over SSH is tested. aml compute show "
            f"{record.name} tells what it has.",
            "name",
        )
    settings = record.settings
    with connection_to(settings, credentials_of(folder, record.name), confirm) as ssh:
        probe = probe_machine(
            ssh, str(settings["python"]), str(settings["base_folder"]), str(settings.get("engine") or "")
        )
    with folder.store.transaction() as tx:
        standing = get_target(tx, record.name)
        record = update_row(
            tx,
            record.name,
            settings={
                **standing.settings,
                "found": _from_probe(standing.settings, probe)["found"],
                "login": str(time.time()),
            },
        )
        note_target(folder, record)
    return Attached(record, probe.rows, tuple(probe.facts["problems"]))


def change_target(
    folder: WorkspaceFolder,
    name: str,
    settings: Mapping[str, Any],
    credentials: Credentials | None = None,
    confirm: Confirm | None = None,
) -> Attached:
    """Change the way to an attached machine, or its password, after a look at it; nothing is changed where that fails.

    Raises
    ------
    ComputeTargetException
        As `attach_target`.
    """
    record = get_target(folder.store.read(), name)
    if record.type not in ("remote", "remotedocker"):
        raise ComputeTargetException(
            f"{record.name!r} is of type {record.type!r}, which has no address.", next(iter(settings), "name")
        )
    changes = checked_settings(kind_of(record.type), dict(settings), partial=True)
    if "address" in changes and "fingerprint" not in changes:
        changes["fingerprint"] = ""  # it was the other machine's
    wanted = {**record.settings, **changes}
    wanted["address"] = without_scheme(wanted["address"])
    if wanted["ssh_key"]:
        wanted["ssh_key"] = os.path.abspath(os.path.expanduser(wanted["ssh_key"]))
    with connection_to(wanted, credentials or credentials_of(folder, record.name), confirm) as ssh:
        probe = probe_machine(
            ssh, str(wanted["python"]), str(wanted["base_folder"] or BASE_FOLDER), str(wanted.get("engine") or "")
        )
    probed = _from_probe(wanted, probe)
    _need(record.type, wanted, probed)
    _keep(folder, record.name, credentials)
    with folder.store.transaction() as tx:
        standing = get_target(tx, record.name)
        changed = {**standing.settings, **wanted, **probed, "login": str(time.time())}
        record = update_row(tx, record.name, settings=changed)
        note_target(folder, record)
    ensure_service(folder)
    return Attached(record, probe.rows, tuple(probe.facts["problems"]))


def clean_target(
    folder: WorkspaceFolder, name: str, unused_days: float = 30.0, dry_run: bool = False
) -> dict[str, Any]:
    """Give disk space of an attached machine back: content and environments that nothing has used for so many days.

    Returns
    -------
    dict
        ``content`` and ``environments``, each [count, bytes]; ``outputs`` of runs that stay there, which are not removed.

    Raises
    ------
    ComputeTargetException
        When it is no machine that is reached over SSH, or cannot be reached.
    """
    record = get_target(folder.store.read(), name)
    if record.type not in ("remote", "remotedocker"):
        raise ComputeTargetException(
            f"{record.name!r} is of type {record.type!r}; aml workspace gc gives space on this machine back.", "name"
        )
    with connection_to(record.settings, credentials_of(folder, record.name)) as ssh:
        settings = record.settings
        return clean_machine(ssh, str(settings["python"]), str(settings["base_folder"]), unused_days, dry_run)


def prepare_there(
    folder: WorkspaceFolder,
    record: TargetRecord,
    environment: Environment,
    folders: Sequence[str | Path],
    write: Callable[[str], object],
) -> str | None:
    """Have an environment built on an attached machine, and return where its Python is; None: nothing has to be built.

    Parameters
    ----------
    folders : sequence of path
        Where relative paths in requirement lines may start.
    write : callable
        Takes the log of the build as it grows.

    Raises
    ------
    ConfigurationError
        When it asks for what is not built on other machines.
    ComputeTargetException
        When the machine cannot be reached, or the build failed.
    """
    variables = submitter()["variables"]
    recipe = choose_there(environment, facts_there(record), record.name, folders, variables)
    if recipe is None:
        return None
    settings, outcome = record.settings, dict[str, Any]()

    def take(header: dict[str, Any], body: bytes) -> None:
        write(body.decode("utf-8", "replace"))
        outcome.update(header)

    ssh = connection_to(settings, credentials_of(folder, record.name))
    ssh.connect()
    # A far side of its own: that of the service goes on.
    link = link_to(
        ssh, str(settings["python"]), str(settings["base_folder"]), folder.id, f"{record.name}-prepare", Listener()
    )
    try:
        store = EnvironmentCache()
        keep_sources(store, recipe)
        send_files(link, folder, recipe.as_dict(), store.root)
        uv = uv_for(recipe.as_dict(), settings.get("found") or {})
        for _ in range(MOST_TURNS):
            outcome.clear()
            link.ask("environment", part=take, recipe=recipe.as_dict(), uv=uv, have=0, seconds=3600)
            if "need" not in outcome:
                break
            if outcome["need"] == "uv":
                send_uv(link, folder, uv)
            else:
                send_linked(link, folder, recipe.as_dict(), str(settings["base_folder"]), variables, write)
    finally:
        link.close()
    if "ready" not in outcome:
        raise ComputeTargetException(
            f"The environment ({recipe.title}) could not be built on {record.name}: {outcome.get('failed')}.",
            "environment",
        )
    return str(outcome["ready"]["python"])


def detach_unreachable(folder: WorkspaceFolder, name: str) -> TargetRecord:
    """Forget a machine that cannot be reached any more: its runs are canceled here, whatever goes on over there.

    Raises
    ------
    ComputeTargetException
        When it is no machine that is reached over SSH, or it answers: then it is detached in the usual way.
    """
    record = get_target(folder.store.read(), name)
    if record.type not in ("remote", "remotedocker"):
        raise ComputeTargetException(
            f"{record.name!r} is of type {record.type!r}; --force is for a machine that cannot be reached any more.",
            "name",
        )
    try:
        with connection_to(record.settings, credentials_of(folder, record.name)) as ssh:
            ssh.connect()
        raise ComputeTargetException(
            f"{record.name!r} answers: detach it without --force, and its runs are ended over there, too.", "name"
        )
    except (HostUnreachable, HostKeyRefused, LoginRefused):
        pass
    if record.provisioning_state != "Deleting":
        record = detach_target(folder, record.name)
    for run in find_runs(folder.store.read(), target=record.name, status=ACTIVE, include_hidden=True, children=True):
        control = str(folder.layout.run(run.id).attempt(run.attempt).control)
        message = f"{record.name} was detached while it could not be reached; what runs there may go on"
        last_word.abandon(control, protocol.attempt_token(folder.id, run.id, run.attempt), message)
    ensure_service(folder)
    return record


def _keep(folder: WorkspaceFolder, name: str, credentials: Credentials | None) -> None:
    for what in ("password", "passphrase"):
        value = getattr(credentials, what, None)
        if value is not None:
            set_secret(folder, target_secret(name, what), value)


def _asked(type_name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a person gave, checked, with the defaults of the others."""
    given = {name: value for name, value in settings.items() if value is not None}
    checked = checked_settings(kind_of(type_name), given)
    checked["address"] = without_scheme(checked["address"])
    if not checked["address"]:
        raise ComputeTargetException(
            "The address of the machine is missing: --address HOST[:PORT], or a name of ~/.ssh/config.", "address"
        )
    if checked["ssh_key"]:
        checked["ssh_key"] = os.path.abspath(os.path.expanduser(checked["ssh_key"]))
    find_address(checked["address"], user=checked["username"] or None, key=checked["ssh_key"] or None)
    return checked


def _from_probe(settings: Mapping[str, Any], probe: Probe) -> dict[str, Any]:
    facts = {name: value for name, value in probe.facts.items() if name != "clock"}
    facts["engine"] = {**facts["engine"], "address": address_of_engine(settings, facts)}
    return {
        "fingerprint": probe.fingerprint,
        "python": facts["python"],
        "base_folder": facts["base"],
        "found": facts,
    }


def _need(type_name: str, settings: Mapping[str, Any], probed: Mapping[str, Any]) -> None:
    """Refuse a machine without rights on the base folder, and one for containers without an engine that the user can use."""
    found = probed["found"]
    if found.get("unwritable"):
        raise unwritable(str(settings["address"]), f"{found['base']}: {found['unwritable']}")
    engine = found["engine"]
    if type_name == "remotedocker" and engine.get("problem"):
        raise ComputeTargetException(
            f"{settings['address']} runs no containers: {engine['problem']}. As --type remote it runs processes.",
            "engine",
        )


def _standing(folder: WorkspaceFolder, name: str, type_name: str, asked: Mapping[str, Any]) -> TargetRecord | None:
    """Return the target that is attached in the same way already, or None.

    Raises
    ------
    ComputeTargetException
        When there is one of that name that differs; says in what.
    """
    other = next((each for each in list_targets(folder.store.read()) if each.name.lower() == name.lower()), None)
    if other is None:
        return None
    usual = kind_of(type_name).settings
    different = [
        f"{key}: {other.settings.get(key) or 'not set'} there, {value or 'not set'} now"
        for key, value in asked.items()
        if value != usual.get(key) and value != other.settings.get(key)
    ]
    if other.type == type_name and not different and other.provisioning_state != "Deleting":
        return other
    why = "; ".join(different) if other.type == type_name else f"type: {other.type!r} there, {type_name!r} now"
    raise ComputeTargetException(
        f"A compute target named {other.name!r} is there already, with other settings ({why or other.provisioning_state}). "
        f"Change it with aml compute update {other.name}, detach it first, or choose another name.",
        "name",
    )
