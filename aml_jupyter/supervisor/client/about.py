"""Own what a run says of itself in a few words: its description, why it is in its state, its snapshot."""

from typing import Any, Dict, Optional

from ..protocol import DESCRIPTION

__all__ = ["About"]


class About:
    """Be the part of `Run` that is made of its other parts."""

    @property
    def description(self) -> Optional[str]:
        """Return what the run is about, None where nobody said it; it can be set (the tag ``mlflow.note.content``)."""
        text: Optional[str] = self._self().get_tags().get(DESCRIPTION)
        return text

    @description.setter
    def description(self, text: Optional[str]) -> None:
        if text is None:
            self._self().remove_tags([DESCRIPTION])
        else:
            self._self().tag(DESCRIPTION, text)

    def get_detailed_status(self) -> Dict[str, Any]:
        """Return ``{"status", "details"}``; the details have a ``message`` where something explains the state."""
        fields = self._self()._fields()
        return {"status": fields["status"], "details": {"message": fields["error"]} if fields.get("error") else {}}

    def get_snapshot_id(self) -> Optional[str]:
        """Return the id of the run's snapshot; None where it has none."""
        snapshot: Optional[str] = (self._self()._fields().get("definition") or {}).get("snapshot")
        return snapshot

    def get_portal_url(self) -> None:
        """Return None: there is no portal."""

    @property
    def portal_url(self) -> None:
        """Return None: there is no portal."""

    def _self(self) -> Any:
        return self
