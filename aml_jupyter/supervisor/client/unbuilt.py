"""Say what SDK v1 has and the in-run client does not, in place of a bare AttributeError."""

from typing import NoReturn

__all__ = ["refuse_attribute"]

_HINTS = {
    "register_model": "models are not built yet; keep the file with run.upload_file",
    "get_secret": "secrets inside a run are not built yet",
    "get_secrets": "secrets inside a run are not built yet",
    "input_datasets": "datasets are not built yet",
    "output_datasets": "datasets are not built yet",
    "get_environment": "it is not built yet; run.get_details()['runDefinition'] has the run configuration",
    "log_confusion_matrix": "typed charts are not built yet; run.log_table or run.log_image keep the same data",
    "log_accuracy_table": "typed charts are not built yet; run.log_table or run.log_image keep the same data",
    "log_residuals": "typed charts are not built yet; run.log_table or run.log_image keep the same data",
    "log_predictions": "typed charts are not built yet; run.log_table or run.log_image keep the same data",
    "get_default_datastore": "datastores are not built yet",
    "datastores": "datastores are not built yet",
    "datasets": "datasets are not built yet",
    "models": "models are not built yet",
    "get_default_keyvault": "secrets inside a run are not built yet",
    "submit": "inside a run, submit with run.submit_child(config)",
    "start_logging": "inside a run, use run.child_run(name)",
}


def refuse_attribute(what: str, name: str, kind: type) -> NoReturn:
    """Raise AttributeError for the attribute `name`, which the class `kind`, shown as `what`, does not have."""
    hint = _HINTS.get(name)
    if hint is None and not name.startswith("_"):
        known = sorted(entry for entry in dir(kind) if not entry.startswith("_"))
        hint = "inside a run there is: %s" % ", ".join(known)
    raise AttributeError("%s has no attribute %r%s" % (what, name, ": " + hint if hint else ""))
