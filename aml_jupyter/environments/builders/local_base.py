"""Make a base image from this machine's own Python, for where SDK v1's default images cannot be had: no registry, no network.

It has the Python at /usr/local (standard library, no packages), a shell and the common commands, and the C libraries that they
need. It is made once for each Python, and serves what asked for `DEFAULT_CPU_IMAGE` or `DEFAULT_GPU_IMAGE`; it has no CUDA.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aml_jupyter.environments.builders import BuildError, Progress
from aml_jupyter.transports.engine_ways import is_far

if TYPE_CHECKING:
    from aml_jupyter.transports.docker_engine import DockerEngine
    from aml_jupyter.transports.docker_images import ImageFacts

__all__ = ["REPOSITORY", "local_base"]

REPOSITORY: Final = "aml-jupyter/local-base"

_COMMANDS: Final = (
    *(
        "sh",
        "bash",
        "env",
        "cat",
        "ls",
        "cp",
        "mv",
        "rm",
        "mkdir",
        "rmdir",
        "ln",
        "chmod",
        "chown",
        "touch",
        "echo",
        "pwd",
    ),
    *(
        "sleep",
        "true",
        "false",
        "id",
        "uname",
        "grep",
        "sed",
        "awk",
        "tar",
        "gzip",
        "head",
        "tail",
        "sort",
        "wc",
        "tr",
        "cut",
    ),
    *(
        "find",
        "xargs",
        "date",
        "mktemp",
        "tee",
        "du",
        "df",
        "dirname",
        "basename",
        "readlink",
        "test",
        "printf",
        "getconf",
    ),
)
_LEFT_OUT: Final = {
    "test",
    "tests",
    "idlelib",
    "__pycache__",
    "turtledemo",
    "lib2to3",
    "site-packages",
    "dist-packages",
}
# What no program's list of libraries names and is loaded nevertheless: by name lookups, and by packages with C++ in them.
_UNLISTED: Final = (
    *("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libnss_dns.so.2", "libnss_files.so.2", "librt.so.1"),
    *("libpthread.so.0", "libdl.so.2", "libutil.so.1", "libresolv.so.2"),
)
_DEFAULT_FOLDERS: Final = re.compile(r"/(usr/)?lib(64|32)?(/[^/]+-linux-[^/]+)?")
_FILES: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_LOADED_FROM: Final = (
    "usr/bin",
    "usr/local/bin",
    "etc",
    "tmp",
    "root",
    "home",
    "mnt",
    "opt",
    "dev",
    "proc",
    "sys",
    "run",
)


def local_base(engine: DockerEngine, progress: Progress) -> ImageFacts:
    """Return the base image of this machine's Python, made when the engine lacks it.

    Raises
    ------
    BuildError
        Where this is no Linux with glibc, or its Python cannot be copied.
    """
    from aml_jupyter.transports.docker_images import find_image

    recipe = sys.version + sys.base_prefix + Path(__file__).read_text(encoding="utf-8")
    tag = ".".join(map(str, sys.version_info[:3])) + "-" + hashlib.sha256(recipe.encode()).hexdigest()[:12]
    found = find_image(engine, f"{REPOSITORY}:{tag}")
    if found is not None:
        return found
    if not sys.platform.startswith("linux") or shutil.which("ldd") is None:
        raise BuildError(
            "a base image is made from this machine's Python on Linux only; name a base image that can be had"
        )
    if is_far(engine.host) and engine.facts().architecture != platform.machine():
        raise BuildError(
            f"the Docker engine's machine is {engine.facts().architecture}, and this one {platform.machine()}: no base image is "
            "made from this machine's Python for it; name one (environment.docker.base_image)"
        )
    progress("image", f"making a base image of this machine's Python {sys.version.split()[0]}")
    with tempfile.TemporaryFile() as stream:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            _fill(archive)
        stream.seek(0)
        with engine.explained():
            engine.client.api.import_image_from_data(
                stream,
                repository=REPOSITORY,
                tag=tag,
                changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV LANG=C.UTF-8", 'CMD ["python3"]'],
            )
    made = find_image(engine, f"{REPOSITORY}:{tag}")
    if made is None:
        raise BuildError("the engine took the base image of this machine's Python, and does not have it")
    return made


def _fill(archive: tarfile.TarFile) -> None:
    """Write the files of the image."""
    for folder in _LOADED_FROM:
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
        archive.addfile(entry)
    for name, text in _FILES.items():
        data = text.encode()
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    for name in ("bin", "sbin"):
        _link(archive, name, "usr/bin")
    commands = [Path(path).resolve() for name in _COMMANDS if (path := shutil.which(name, path="/usr/bin:/bin"))]
    for name in _COMMANDS:
        found = shutil.which(name, path="/usr/bin:/bin")
        if found is not None:
            _add(archive, Path(found).resolve(), f"usr/bin/{name}")
    programs = [*commands, *_python(archive)]
    for library in sorted(_libraries(*programs)):
        place = str(library) if _DEFAULT_FOLDERS.fullmatch(str(library.parent)) else f"/usr/lib/{library.name}"
        _add(archive, library.resolve(), place.lstrip("/"))


def _python(archive: tarfile.TarFile) -> Iterator[Path]:
    """Copy this Python to /usr/local; yield the programs and modules whose libraries it needs."""
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    program = (Path(sys.base_prefix) / "bin" / minor).resolve()
    if not program.is_file():
        raise BuildError(f"this machine's Python has no {Path(sys.base_prefix) / 'bin' / minor} to copy")
    _add(archive, program, f"usr/local/bin/{minor}")
    for name in ("python3", "python"):
        _link(archive, f"usr/local/bin/{name}", minor)
    yield program
    standard = Path(sysconfig.get_path("stdlib"))
    shared = Path(sysconfig.get_config_var("DESTSHARED") or standard / "lib-dynload")
    places = {standard: f"usr/local/lib/{minor}"}
    if shared.is_dir() and not (standard / "lib-dynload").is_dir():
        places[shared] = f"usr/local/lib/{minor}/lib-dynload"
    for source, place in places.items():
        for root, folders, files in os.walk(source):
            folders[:] = sorted(each for each in folders if each not in _LEFT_OUT and not each.startswith("config-"))
            for each in sorted(files):
                path = Path(root, each)
                if each.endswith((".a", ".pyc")) or not path.exists():
                    continue
                _add(archive, path.resolve(), f"{place}/{path.relative_to(source)}")
                if each.endswith(".so"):
                    yield path
    entry = tarfile.TarInfo(f"usr/local/lib/{minor}/site-packages")
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(entry)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    entry = archive.gettarinfo(path, arcname=name)
    if entry is None or not (entry.isreg() or entry.islnk()):
        return
    entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
    with open(path, "rb") as stream:
        archive.addfile(entry, stream)


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)


def _libraries(*programs: Path) -> set[Path]:
    """Return the libraries that programs and modules load, by the names under which they are looked for."""
    said = subprocess.run(["ldd", *map(str, programs)], check=False, capture_output=True, text=True).stdout
    found = {Path(path) for path in re.findall(r"(?:=>\s+|^\s+)(/\S+)", said, re.MULTILINE)}
    folders = sorted({str(path.parent) for path in found})
    for name in _UNLISTED:
        found |= {Path(folder, name) for folder in folders if Path(folder, name).exists()}
    return found
