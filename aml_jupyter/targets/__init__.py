"""Own the compute targets: their kinds as data, the protocol that each follows, and the runtimes."""

from __future__ import annotations

from aml_jupyter.targets.backends import create_backend
from aml_jupyter.targets.container_check import asks_for_gpus, check_container, engine_for, engine_there, said_of_gpus
from aml_jupyter.targets.far_refusal import FarRefusal
from aml_jupyter.targets.gpus import gpu_names
from aml_jupyter.targets.kinds import KINDS, TargetKind, check_name, kind_of, target_secret
from aml_jupyter.targets.news import on_news
from aml_jupyter.targets.protocol import (
    Capacity,
    CheckReport,
    Container,
    Handle,
    Launch,
    Needs,
    Observation,
    Paths,
    Target,
)
from aml_jupyter.targets.room import notes_on_room

__all__ = [
    "KINDS",
    "Capacity",
    "CheckReport",
    "Container",
    "FarRefusal",
    "Handle",
    "Launch",
    "Needs",
    "Observation",
    "Paths",
    "Target",
    "TargetKind",
    "asks_for_gpus",
    "check_container",
    "check_name",
    "create_backend",
    "engine_for",
    "engine_there",
    "gpu_names",
    "kind_of",
    "notes_on_room",
    "on_news",
    "said_of_gpus",
    "target_secret",
]
