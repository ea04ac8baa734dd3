"""Make small wheels, so that environments are built from real packages with no index."""

from __future__ import annotations

import base64
import hashlib
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["make_slow_source", "make_wheel"]


def make_wheel(
    folder: Path, name: str, version: str, requires: Sequence[str] = (), python: str = ">=3.8", body: str = ""
) -> Path:
    """Write a pure wheel whose module has ``__version__`` (and `body`), and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n"]
    metadata += [f"Requires-Dist: {entry}\n" for entry in requires]
    files = {
        f"{name}.py": f"__version__ = {version!r}\n{body}",
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def make_slow_source(folder: Path, name: str) -> Path:
    """Write a source distribution whose build waits while the returned file is there."""
    gate = folder / f"{name}.gate"
    gate.touch()
    make_wheel(folder / f"{name}-1.0", name, "1.0")
    wheel = f"{name}-1.0-py3-none-any.whl"
    (folder / f"{name}-1.0/PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / f"{name}-1.0/pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    (folder / f"{name}-1.0/backend.py").write_text(
        "import os, shutil, time\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    while os.path.exists({str(gate)!r}): time.sleep(0.05)\n"
        f"    shutil.copy({wheel!r}, folder)\n"
        f"    return {wheel!r}\n"
    )
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        archive.add(folder / f"{name}-1.0", f"{name}-1.0")
    return gate
