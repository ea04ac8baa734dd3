"""Store the content of source directories, addressed by its hash, and bring it back.

The way of a snapshot: `ignore` says what stays out, `scan` looks at the folder beside what `cache` remembers, `limits`
refuses what is too big, `reading` reads what is new, `packs` and `store` keep it, `trees` describe it, and `materialise`
writes it out again.
"""

from .difference import Change, SnapshotDifference, diff_snapshots
from .ignore import Rule
from .limits import LIMIT_BYTES, LIMIT_FILES
from .materialise import materialise
from .preview import SnapshotPreview, preview_snapshot
from .scan import Ignored
from .store import read_blob, verify_content
from .take import Snapshot, take_snapshot
from .trees import TreeEntry, read_tree

__all__ = [
    "LIMIT_BYTES",
    "LIMIT_FILES",
    "Change",
    "Ignored",
    "Rule",
    "Snapshot",
    "SnapshotDifference",
    "SnapshotPreview",
    "TreeEntry",
    "diff_snapshots",
    "materialise",
    "preview_snapshot",
    "read_blob",
    "read_tree",
    "take_snapshot",
    "verify_content",
]
