"""Make images without a registry: one with this machine's Python, one with no Python at all.

`PYTHON_IMAGE` is the Python that runs the tests at /usr/local, the libraries that it needs, and busybox; `SHELL_IMAGE` is
busybox alone. Each is a tar, kept between test sessions under a folder named by its recipe, and imported into an engine once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "PYTHON_IMAGE",
    "PYTHON_VERSION",
    "SHELL_IMAGE",
    "archive_of",
    "libraries_of",
    "load_images",
    "settings_of",
]

PYTHON_IMAGE = "aml-test/python:1"
SHELL_IMAGE = "aml-test/shell:1"
PYTHON_VERSION = ".".join(map(str, sys.version_info[:3]))

BUSYBOX = "/usr/bin/busybox"
LEFT_OUT = {"test", "tests", "idlelib", "__pycache__", "turtledemo", "lib2to3", "site-packages", "dist-packages"}
# what no program's list of libraries names, and yet is loaded: by name lookups, and by packages with C++ in them
UNLISTED = (
    *("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libnss_dns.so.2", "libnss_files.so.2", "librt.so.1"),
    *("libpthread.so.0", "libdl.so.2", "libutil.so.1", "libresolv.so.2"),
)
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
SETTINGS = {
    PYTHON_IMAGE: {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "AML_TEST_IMAGE": "python"},
    SHELL_IMAGE: {"PATH": "/usr/bin:/bin", "AML_TEST_IMAGE": "shell"},
}


def load_images(host: str, *names: str) -> None:
    """Import the images `names` into the engine at `host`, where it lacks them."""
    import docker
    import docker.errors

    client = docker.DockerClient(base_url=host, version="1.41", timeout=120)
    try:
        for name in names:
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.api.inspect_image(name)
                continue
            settings = [f"ENV {key}={value}" for key, value in settings_of(name).items()]
            repository, tag = name.split(":")
            with open(archive_of(name), "rb") as stream:
                client.api.import_image_from_data(stream, repository=repository, tag=tag, changes=settings)
    finally:
        client.close()


def settings_of(name: str) -> dict[str, str]:
    """Return the variables of an image; a private authority's bundle is in it, since pip has one of its own."""
    return {**SETTINGS[name], "SSL_CERT_FILE": BUNDLE, "PIP_CERT": BUNDLE} if name == PYTHON_IMAGE else SETTINGS[name]


def archive_of(name: str) -> Path:
    """Return the tar of an image, made first where this machine has none of this recipe and Python."""
    bundle = next((Path(path).read_bytes() for path in _bundles() if os.path.exists(path)), b"")
    recipe = Path(__file__).read_bytes() + sys.version.encode() + sys.base_prefix.encode() + bundle
    key = hashlib.sha256(recipe + name.encode()).hexdigest()[:16]
    cache = Path(tempfile.gettempdir()) / f"aml-test-images-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    archive = cache / f"{key}.tar"
    with open(cache / f"{key}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            root = cache / f"{key}.root"
            shutil.rmtree(root, ignore_errors=True)
            _common(root)
            if name == PYTHON_IMAGE:
                _python(root)
            with tarfile.open(cache / f"{key}.part", "w") as tar:
                tar.add(root, arcname=".")
            (cache / f"{key}.part").rename(archive)
            shutil.rmtree(root)
    return archive


def _common(root: Path) -> None:
    """Write busybox under all its names, and the few files that every system has."""
    for folder in (
        "bin",
        "usr/bin",
        "usr/local/bin",
        "etc/ssl/certs",
        "tmp",
        "root",
        "home",
        "dev",
        "proc",
        "sys",
        "opt",
    ):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    names = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    for name in names:
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "usr/bin/env").symlink_to("/bin/busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def _bundles() -> Iterator[str]:
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        if os.environ.get(name):
            yield os.environ[name]
    yield from BUNDLES


def _python(root: Path) -> None:
    """Copy this Python to /usr/local, with every library that it and its modules need."""
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    place = root / "usr/local"
    program = Path(sys.base_prefix) / "bin" / minor
    shutil.copy(program.resolve(), place / "bin" / minor)
    for name in ("python3", "python"):
        (place / "bin" / name).symlink_to(minor)
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(standard, place / "lib" / minor, ignore=_left_out, symlinks=False)
    dynamic = Path(sysconfig.get_config_var("DESTSHARED") or standard / "lib-dynload")
    if dynamic.is_dir() and not (place / "lib" / minor / "lib-dynload").exists():
        shutil.copytree(dynamic, place / "lib" / minor / "lib-dynload")
    (place / "lib" / minor / "site-packages").mkdir()
    modules = sorted((place / "lib" / minor / "lib-dynload").glob("*.so"))
    for library in sorted(libraries_of(program, *modules)):
        target = root / str(library).lstrip("/")
        if "libpython" in library.name:
            target = place / "lib" / library.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library.resolve(), target)
    for path in _bundles():
        if os.path.exists(path):
            shutil.copy(path, root / BUNDLE.lstrip("/"))
            break
    (root / "etc/ld.so.conf").write_text(
        "/usr/local/lib\n" + "".join(f"{folder}\n" for folder in sorted(_folders(root)))
    )
    _run("ldconfig", "-r", str(root))
    _run("chroot", str(root), "/usr/local/bin/python3", "-m", "ensurepip", "--default-pip")


def _left_out(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in LEFT_OUT or name.startswith("config-") or name.endswith((".a", ".pyc"))}


def libraries_of(*programs: Path) -> set[Path]:
    """Return the libraries that programs and modules load, and those that no list names."""
    said = subprocess.run(["ldd", *map(str, programs)], check=False, capture_output=True, text=True).stdout
    found = {Path(path) for path in re.findall(r"(?:=>\s+|^\s+)(/\S+)", said, re.MULTILINE)}
    known = subprocess.run(["ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    for name in UNLISTED:
        place = re.search(rf"^\s+{re.escape(name)} \(.*x86-64.*\) => (\S+)", known, re.MULTILINE) or re.search(
            rf"^\s+{re.escape(name)} .* => (\S+)", known, re.MULTILINE
        )
        if place:
            found.add(Path(place.group(1)))
    return found


def _folders(root: Path) -> set[str]:
    return {f"/{path.parent.relative_to(root)}" for path in root.rglob("lib*.so*") if "lib-dynload" not in str(path)}


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
