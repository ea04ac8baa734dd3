"""Declare as data what each type of compute target can do.

The rows restate the tables of Microsoft's pages of 2018 to 2021 on compute targets. Where a limit existed only because of
the cloud service, it is lifted here and `lifted` says so. `built` is False for a type whose issue is still to come: it is
listed, and a demand for it is refused with that reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from aml_jupyter.errors import ComputeTargetException, nearest

__all__ = ["KINDS", "RESERVED_NAMES", "TargetKind", "check_name", "kind_of", "target_secret"]

Pipelines = Literal["yes", "only"]

RESERVED_NAMES: Final = ("local", "amlcompute", "containerinstance")


@dataclass(frozen=True)
class TargetKind:
    """Say what one type of compute target is and can do.

    `pipelines` is ``yes`` or ``only`` (the type runs nothing but pipeline steps); `lifted` names the limits of the
    original service that do not hold here; `settings` maps each setting that a person may give to its default.
    """

    type: str
    title: str
    class_name: str
    built: bool
    creatable: bool
    attachable: bool
    pipelines: Pipelines = "yes"
    sweeps: bool = True
    gpu: bool = True
    several_nodes: bool = False
    frameworks: tuple[str, ...] = ("Python",)
    lifted: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    name_length: tuple[int, int] = (3, 24)
    settings: dict[str, object] = field(default_factory=dict)
    note: str = ""

    @property
    def plain_runs(self) -> bool:
        """Tell whether a script, notebook or cell can run on it outside a pipeline."""
        return self.pipelines != "only"

    @property
    def verbs(self) -> tuple[str, ...]:
        """Return which of create, attach, delete, detach, start, stop, restart, update apply."""
        verbs: list[str] = []
        if self.creatable:
            verbs += ["create", "update", "delete"]
        if self.type == "computeinstance":
            verbs += ["start", "stop", "restart"]
        if self.attachable:
            verbs += (
                ["attach", "update", "test", "detach"]
                if self.type in ("remote", "remotedocker")
                else ["attach", "detach"]
            )
        return tuple(verbs)


_ROOM: Final = {"max_parallel": None, "gpus": None, "runs_per_gpu": 1, "hide_gpus": True}
"""Settings of a target whose runs share the cores and GPUs of this machine (docs/resources.md)."""

_WAY: Final = {
    "address": "",
    "username": "",
    "ssh_key": "",
    "fingerprint": "",
    "python": "",
    "base_folder": "",
    "engine": "",
    "largest_output": "",
}
"""Settings of a target that is reached over SSH (docs/remote.md)."""

KINDS: Final[tuple[TargetKind, ...]] = (
    TargetKind(
        "local",
        "This machine",
        "LocalCompute",
        built=True,
        creatable=False,
        attachable=False,
        frameworks=("Python", "PySpark"),
        lifted=("sweeps", "pipelines", "no PySpark"),
        settings=dict(_ROOM),
        note="every workspace is born with it; a submit without a target goes here",
    ),
    TargetKind(
        "computeinstance",
        "Compute instance",
        "ComputeInstance",
        built=True,
        creatable=True,
        attachable=False,
        frameworks=("Python", "PySpark"),
        lifted=("sweeps",),
        settings={**_ROOM, "vm_size": "", "ssh_public_access": False, "admin_user_ssh_public_key": ""},
        note="the machine that the Jupyter server runs on, with a queue; it can be stopped and started",
    ),
    TargetKind(
        "docker",
        "Local Docker",
        "DockerCompute",
        built=True,
        creatable=True,
        attachable=False,
        lifted=("sweeps", "pipelines"),
        settings={"max_parallel": None, "engine": ""},
        note="every run is a container of this machine's Docker engine; the first submit to docker makes it",
    ),
    TargetKind(
        "remote",
        "Remote machine over SSH",
        "RemoteCompute",
        built=True,
        creatable=False,
        attachable=True,
        lifted=("Ubuntu only", "public address"),
        aliases=("dsvm", "virtualmachine"),
        settings={**_ROOM, **_WAY},
        note="any host with an SSH server; its runs go on when the link is cut",
    ),
    TargetKind(
        "remotedocker",
        "Docker on a remote machine",
        "RemoteCompute",
        built=True,
        creatable=False,
        attachable=True,
        frameworks=("Python", "PySpark"),
        lifted=("Ubuntu only", "public address"),
        settings={**_ROOM, **_WAY},
        note="every run is a container of that machine's Docker engine",
    ),
    TargetKind(
        "amlcompute",
        "Compute cluster",
        "AmlCompute",
        False,
        True,
        True,
        several_nodes=True,
        frameworks=("Python", "PyTorch", "TensorFlow", "CNTK"),
        aliases=("batchai",),
    ),
    TargetKind(
        "hdinsight",
        "Spark cluster over SSH",
        "HDInsightCompute",
        False,
        False,
        True,
        sweeps=False,
        gpu=False,
        frameworks=("PySpark", "Python"),
        lifted=("public address",),
        aliases=("cluster",),
    ),
    TargetKind("kubernetes", "Kubernetes", "KubernetesCompute", False, False, True, several_nodes=True),
    TargetKind(
        "aci",
        "Azure Container Instances",
        "ContainerInstance",
        False,
        True,
        False,
        sweeps=False,
        gpu=False,
        lifted=("pipelines",),
        aliases=("containerinstance",),
        note="a new group for each run; an existing one cannot be attached",
    ),
    TargetKind("batch", "Azure Batch", "BatchCompute", False, False, True, pipelines="only", sweeps=False),
    TargetKind(
        "databricks", "Azure Databricks", "DatabricksCompute", False, False, True, pipelines="only", sweeps=False
    ),
    TargetKind(
        "adla",
        "Azure Data Lake Analytics",
        "AdlaCompute",
        False,
        False,
        False,
        pipelines="only",
        sweeps=False,
        gpu=False,
        note="the service was retired on 29 February 2024: use a Spark cluster",
    ),
)


def kind_of(type_name: str) -> TargetKind:
    """Return the kind called `type_name`, also by an old name of it.

    Raises
    ------
    ComputeTargetException
        When there is no such kind; the message names the nearest ones.
    """
    wanted = type_name.strip().lower().replace("-", "").replace("_", "")
    for kind in KINDS:
        if wanted == kind.type or wanted in kind.aliases:
            return kind
    raise ComputeTargetException(
        f"There is no compute target type {type_name!r}; {nearest(type_name, [kind.type for kind in KINDS])}", "type"
    )


def target_secret(name: str, what: str) -> str:
    """Return the name under which a target's password or passphrase is kept: one that no run can ask for."""
    return f"target/{name.lower()}/{what}"


def check_name(name: str, kind: TargetKind) -> None:
    """Refuse a name that breaks the rules for compute targets (Microsoft's page of 2021 on creating targets).

    Raises
    ------
    ComputeTargetException
        When the name is reserved, too short or long, or has characters that do not belong there.
    """
    if not isinstance(name, str):
        raise ComputeTargetException(f"A compute target's name is a text, not {name!r:.60}.", "name")
    shortest, longest = kind.name_length
    if name.lower() in RESERVED_NAMES:
        raise ComputeTargetException(f"The name {name!r} is reserved; choose another one.", "name")
    if not shortest <= len(name) <= longest:
        length = f"{len(name)} character{'s' * (len(name) != 1)}"
        raise ComputeTargetException(
            f"The name {name!r} has {length}; a {kind.title[0].lower()}{kind.title[1:]} needs {shortest} to {longest}.",
            "name",
        )
    if not re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9]|-(?=[A-Za-z0-9]))*", name):
        raise ComputeTargetException(
            f"The name {name!r} is not allowed: letters, digits and '-', a letter first, and each '-' followed by a "
            "letter or a digit.",
            "name",
        )
