"""Build the zip that travels to the compute target, and put it in place.

``<parent>/<hash>/aml_supervisor.zip`` holds this package under the name ``aml_supervisor`` and a ``__main__.py``;
``<parent>/<hash>/site/`` is what a run has on its ``PYTHONPATH``. Same content, same folder: the bytes depend on the
sources and on the version of this Python alone, for which compiled modules lie beside the sources.
"""

import hashlib
import importlib.util
import io
import marshal
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from .faults import fault_point

__all__ = ["Bundle", "place"]

ARCHIVE = "aml_supervisor.zip"

MAIN = b"""import sys

from aml_supervisor.command import main

sys.exit(main(sys.argv[1:]))
"""


class Bundle(NamedTuple):
    """Say where a bundle lies."""

    root: Path
    archive: Path
    site: Path


_placed: Dict[Path, Bundle] = {}


def place(parent: "os.PathLike[str]") -> Bundle:
    """Return the bundle of this package below the folder `parent`, put there when it is missing.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    folder = Path(parent).absolute()
    known = _placed.get(folder)
    if known is not None and known.archive.is_file() and known.site.is_dir():
        return known
    archive, site = build()
    digest = hashlib.sha256(archive)
    for name, content in site:
        digest.update(b"%d %s\0" % (len(content), name.encode("utf-8")))
        digest.update(content)
    root = folder / digest.hexdigest()[:16]
    bundle = Bundle(root, root / ARCHIVE, root / "site")
    if not _is_whole(bundle, archive, site):
        _put(bundle, archive, site)
    _placed[folder] = bundle
    return bundle


def build() -> Tuple[bytes, List[Tuple[str, bytes]]]:
    """Return the bytes of the zip, and the files of ``site/`` (relative name, content), both in a fixed order."""
    package = Path(__file__).resolve().parent
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", MAIN)
        for path in sorted(package.rglob("*")):
            name = path.relative_to(package).as_posix()
            if name.startswith("site/") or "__pycache__" in name or not path.is_file():
                continue
            content = path.read_bytes()
            _add(archive, "aml_supervisor/" + name, content)
            if name.endswith(".py"):
                _add(archive, "aml_supervisor/" + name + "c", _compile(content, "aml_supervisor/" + name))
    site = package / "site"
    files = [path for path in sorted(site.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    placed = [(path.relative_to(site).as_posix(), path.read_bytes()) for path in files]
    for name, content in list(placed):
        if name.endswith(".py") and sys.implementation.cache_tag:
            # Beside the text, so that a start of the same Python does not compile it each time.
            cached = "__pycache__/%s.%s.pyc" % (name[: -len(".py")], sys.implementation.cache_tag)
            placed.append((cached, _compile(content, name)))
    return stream.getvalue(), placed


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    # Compiled modules are read at each start of a run: unpacking them would cost more than their size.
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".pyc") else zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _compile(source: bytes, name: str) -> bytes:
    """Return the module as ``.pyc``, marked as never to be checked against its source; other Pythons pass it over."""
    code = compile(source, name, "exec", dont_inherit=True)
    try:
        data = marshal.dumps(code, 2)  # later formats depend on what else the process has in memory
    except ValueError:  # a constant that only they know: slices, from Python 3.14 on
        data = marshal.dumps(code)
    return importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + importlib.util.source_hash(source) + data


def _is_whole(bundle: Bundle, archive: bytes, site: List[Tuple[str, bytes]]) -> bool:
    try:
        whole = bundle.archive.read_bytes() == archive
        return whole and all((bundle.site / name).read_bytes() == content for name, content in site)
    except OSError:
        return False


def _put(bundle: Bundle, archive: bytes, site: List[Tuple[str, bytes]]) -> None:
    bundle.root.parent.mkdir(parents=True, exist_ok=True)
    with fault_point("bundle.place"):
        temporary = Path(tempfile.mkdtemp(prefix=".placing-", dir=str(bundle.root.parent)))
        try:
            temporary.chmod(0o755)
            (temporary / "site").mkdir()
            for name, content in [(ARCHIVE, archive)] + [("site/" + name, content) for name, content in site]:
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(str(path), "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
            _take_name(temporary, bundle, archive, site)
        finally:
            shutil.rmtree(str(temporary), ignore_errors=True)


def _take_name(temporary: Path, bundle: Bundle, archive: bytes, site: List[Tuple[str, bytes]]) -> None:
    with fault_point("bundle.rename"):
        for _ in range(3):
            try:
                os.rename(str(temporary), str(bundle.root))
                return
            except OSError:
                # The name is taken: by the same content, or by what is left of it after somebody cleaned up in there.
                if _is_whole(bundle, archive, site):
                    return
                broken = tempfile.mkdtemp(prefix=".broken-", dir=str(bundle.root.parent))
                os.rename(str(bundle.root), os.path.join(broken, "bundle"))
                shutil.rmtree(broken, ignore_errors=True)
        raise OSError("%s cannot be put in place (Python %s)" % (bundle.root, sys.version.split()[0]))
