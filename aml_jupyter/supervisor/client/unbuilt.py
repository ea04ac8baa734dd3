"""Say what SDK v1 has and the in-run client does not, in place of a bare AttributeError."""

from difflib import get_close_matches
from typing import NoReturn

__all__ = ["HINTS", "refuse_attribute"]

HINTS = {
    "get_default_datastore": "datastores are not built yet",
    "datastores": "datastores are not built yet",
    "datasets": "datasets are not built yet",
    "take_snapshot": "the submit took one",
    "submit": "inside a run, submit with run.submit_child(config)",
    "start_logging": "inside a run, use run.child_run(name)",
}


_OF_ONES_OWN = (
    "add_properties",
    "child_run",
    "complete",
    "create_children",
    "fail",
    "flush",
    "submit_child",
    "upload_file",
    "upload_files",
    "upload_folder",
)
"""What a script can do with its own run only; so it is with everything that logs."""


def refuse_attribute(what: str, name: str, kind: type) -> NoReturn:
    """Raise AttributeError for the attribute `name`, which the class `kind`, shown as `what`, does not have."""
    hint = HINTS.get(name)
    if (
        what == "Run"
        and not hasattr(kind, "log")
        and (name in _OF_ONES_OWN or name == "log" or name.startswith("log_"))
    ):
        hint = (
            "this is another run than the script's own, and only a run itself can do that. Use Run.get_context().%s"
            % name
        )
    if hint is None and not name.startswith("_"):
        known = sorted(entry for entry in dir(kind) if not entry.startswith("_"))
        close = get_close_matches(name, known)
        hint = "did you mean %s?" % " or ".join(close) if close else "inside a run there is: %s" % ", ".join(known)
    raise AttributeError("%s has no attribute %r%s" % (what, name, ": " + hint if hint else ""))
