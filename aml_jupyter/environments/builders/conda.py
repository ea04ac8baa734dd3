"""Build an environment of conda packages with py-rattler: solve, link, then the nested pip list with uv; no conda is needed.

The lock is a lock file of rattler's (``pixi.lock``'s form), then, behind a marker, the pinned requirements of pip.
"""

from __future__ import annotations

import asyncio
import datetime
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aml_jupyter.environments.builders import BuildError, Progress
from aml_jupyter.environments.builders.places import ThisMachine
from aml_jupyter.environments.builders.venv import install_requirements, pin_what_is_missing
from aml_jupyter.environments.recipe import without_credentials
from aml_jupyter.supervisor.activation import ActivationError, activation_variables

__all__ = ["activated", "link", "make", "read_spec", "resolve", "solve"]

_PIP: Final = "\n# --- pip ---\n"
SOLVE_SECONDS: Final = 900
"""How long the solver may take."""


def resolve(asked: dict[str, Any], cache: Path, progress: Progress) -> str:
    """Return the packages that the solver finds, with their hashes, and what pip adds to them."""
    lock, records = solve(asked, cache, progress)
    if not asked["requirements"]:
        return lock
    python = next((record for record in records if record.name.normalized == "python"), None)
    if python is None:
        raise BuildError("pip: packages need a Python; name one among the conda packages, for example python=3.11")
    with tempfile.TemporaryDirectory(prefix="aml-build-") as folder:
        progress("pip", f"resolving {len(asked['requirements'])} requirements beside them")
        _link(records, Path(folder, "env"), cache, progress, None)
        return lock + _PIP + pin_what_is_missing(asked, cache, Path(folder, "env/bin/python"))


def solve(asked: dict[str, Any], cache: Path, progress: Progress) -> tuple[str, list[Any]]:
    """Return the conda packages that the solver finds, as a lock and as records."""
    progress("solve", f"solving {len(asked['specs'])} specs on {asked['platform']}")
    records = asyncio.run(_solve(asked, cache))
    print("".join(f"  {record.name.normalized} {record.version} {record.build}\n" for record in records), end="")
    return _lock_text(records, asked), records


def make(asked: dict[str, Any], lock: str, prefix: Path, cache: Path, progress: Progress) -> dict[str, Any]:
    """Link the packages of the lock at `prefix`, install pip's, and find out what activation sets."""
    facts = link(asked, lock, prefix, cache, progress)
    pip = lock.partition(_PIP)[2]
    if pip.strip():
        count = len(re.findall(r"^[A-Za-z0-9]", pip, re.MULTILINE))
        progress("pip", f"installing {count} packages")
        install_requirements(asked, pip, str(prefix / "bin" / "python"), ThisMachine(cache))
        facts["packages"] += count
    variables, path = activated(prefix)
    return {**facts, "variables": variables, "path": path}


def activated(prefix: Path) -> tuple[dict[str, str], list[str]]:
    """Return what `activation_variables` does, in a build: an error of it is one of the build."""
    try:
        return activation_variables(str(prefix))
    except ActivationError as error:
        raise BuildError(str(error)) from None


def link(
    asked: dict[str, Any], lock: str, prefix: Path, cache: Path, progress: Progress, final: str | None = None
) -> dict[str, Any]:
    """Link the conda packages of a lock at `prefix`, and return facts about them.

    Parameters
    ----------
    final : str, optional
        Where the environment will lie when it runs, if that is another place: in an image.
    """
    records = _records(lock.partition(_PIP)[0], asked)
    _link(records, prefix, cache, progress, final, asked["platform"])
    python = next((record for record in records if record.name.normalized == "python"), None)
    return {
        "python": f"{final or prefix}/bin/python" if python is not None else None,
        "version": str(python.version) if python is not None else None,
        "packages": len(records),
    }


async def _solve(asked: dict[str, Any], cache: Path) -> list[Any]:
    import rattler
    from rattler.exceptions import SolverError

    gateway = _gateway(cache)
    platforms = [asked["platform"], "noarch"]
    try:
        records: list[Any] = await rattler.solve(
            sources=list(asked["channels"]),
            specs=[read_spec(entry) for entry in asked["specs"]],
            gateway=gateway,
            platforms=platforms,
            virtual_packages=_virtual_packages(asked),
            timeout=datetime.timedelta(seconds=SOLVE_SECONDS),
            channel_relations="disabled",
        )
        return records
    except SolverError as error:
        nearest = await _nearest_python(asked, gateway, platforms)
        raise BuildError(_one_line(f"{error}{nearest}")) from error
    except Exception as error:
        if not _is_of_rattler(error):
            raise
        channels = ", ".join(without_credentials(asked["channels"]))
        helps = "Look at this machine's network, or name other channels in the conda file or in ~/.condarc."
        raise BuildError(_one_line(f"a channel cannot be used ({channels}): {_chain(error)}. {helps}")) from error


def read_spec(written: str) -> Any:
    """Return a package spec of conda in any of its forms; raise `BuildError` for what is none."""
    import rattler

    text = written.strip()
    if "::" not in text and "=" not in text and " " in text:
        text = re.sub(r"\s+", " ", text)
    try:
        return rattler.MatchSpec(text, strict=False)
    except Exception as error:
        raise BuildError(f"{written!r} is no package spec of conda: {_one_line(str(error))}") from error


def _virtual_packages(asked: dict[str, Any]) -> list[Any]:
    """Return what the machine that will run it has, as conda's virtual packages (``__cuda``, ``__glibc``, ...).

    ``virtual`` of what is asked is laid over what this machine has, or over nothing where ``architecture`` names another one.
    """
    import rattler

    architecture = asked.get("architecture")
    detected = [] if architecture else [package.into_generic() for package in rattler.VirtualPackage.detect()]
    found = {package.name.normalized: package for package in detected}

    def put(name: str, version: str, build: str = "0") -> None:
        found[f"__{name}"] = rattler.GenericVirtualPackage(
            rattler.PackageName(f"__{name}"), rattler.Version(version), rattler.BuildString(build)
        )

    if architecture:
        put("archspec", "1", str(architecture))
    for name, version in (asked.get("virtual") or {}).items():
        put(name, version)
    return list(found.values())


async def _nearest_python(asked: dict[str, Any], gateway: Any, platforms: Sequence[str]) -> str:
    """Return which Pythons the channels have, when none of them is the one that was asked for."""
    wish = next((entry for entry in asked["specs"] if re.match(r"(.*::)?python([ =<>!~]|$)", entry)), None)
    if wish is None:
        return ""
    spec = read_spec(wish)
    found = await gateway.query(list(asked["channels"]), list(platforms), ["python"], recursive=False)
    records = [record for records in found for record in records if record.name.normalized == "python"]
    if any(spec.matches(record) for record in records):
        return ""
    numbers = [int(part) for part in re.findall(r"\d+", wish)][:3]

    def distance(version: str) -> list[int]:
        parts = [int(part) for part in re.findall(r"\d+", version)][:3]
        return [abs(one - other) for one, other in zip(parts, numbers or parts, strict=False)]

    versions = sorted({str(record.version) for record in records}, key=distance)
    if not versions:
        return f". {wish} cannot be had: the channels have no Python for {asked['platform']}"
    return f". {wish} cannot be had; the nearest in these channels is Python {versions[0]}"


def _link(
    records: Sequence[Any],
    prefix: Path,
    cache: Path,
    progress: Progress,
    final: str | None,
    platform: str | None = None,
) -> None:
    import rattler

    reporter = _Reporter(len(records), progress)
    try:
        asyncio.run(
            rattler.install(
                list(records),
                prefix,
                cache_dir=cache / "pkgs",
                show_progress=False,
                reporter=reporter,
                client=_client(),
                alternative_target_prefix=final,
                platform=rattler.Subdir(platform) if platform else None,
            )
        )
    except Exception as error:
        if not _is_of_rattler(error):
            raise
        shutil.rmtree(prefix, ignore_errors=True)
        raise BuildError(_one_line(f"the packages could not be downloaded and linked: {_chain(error)}")) from error


class _Reporter:
    """Tell how many packages are there, a few times a second at the most."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._progress = progress
        self._done = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *_: 0
        raise AttributeError(name)

    def on_transaction_start(self, total_operations: int) -> None:
        self._total = total_operations
        self._progress("download", f"0 of {total_operations} packages")

    def on_populate_cache_complete(self, cache_entry: int) -> None:
        self._done += 1
        if self._done % max(1, self._total // 10) == 0 or self._done == self._total:
            self._progress("download", f"{self._done} of {self._total} packages")

    def on_transaction_complete(self) -> None:
        self._progress("link", f"{self._total} packages linked")


def _gateway(cache: Path) -> Any:
    import rattler

    return rattler.Gateway(cache_dir=cache / "repodata", client=_client(), show_progress=False)


def _client() -> Any:
    from rattler.networking import AuthenticationMiddleware, Client, RetryMiddleware

    return Client([RetryMiddleware(2), AuthenticationMiddleware()], timeout=60)


def _lock_text(records: Sequence[Any], asked: dict[str, Any]) -> str:
    """Return the records as a lock file's text."""
    import rattler

    platform = rattler.LockPlatform(asked["platform"])
    made = rattler.LockFile([platform])
    made.set_channels("default", [rattler.LockChannel(address) for address in without_credentials(asked["channels"])])
    for record in records:
        made.add_conda_package("default", platform, record)
    with tempfile.TemporaryDirectory(prefix="aml-lock-") as folder:
        path = Path(folder, "lock.yml")
        made.to_path(path)
        return path.read_text(encoding="utf-8")


def _records(lock: str, asked: dict[str, Any]) -> list[Any]:
    """Return the records that a lock file's text says."""
    import rattler

    with tempfile.TemporaryDirectory(prefix="aml-lock-") as folder:
        path = Path(folder, "lock.yml")
        path.write_text(lock, encoding="utf-8")
        environment = rattler.LockFile.from_path(path).environment("default")
        found = environment.conda_repodata_records() if environment is not None else {}
        return list(found.get(asked["platform"], []))


def _is_of_rattler(error: BaseException) -> bool:
    """Say whether py-rattler raised an error: its own classes say that they are of a module called ``exceptions``."""
    return type(error).__module__.partition(".")[0] in ("rattler", "exceptions", "builtins")


def _chain(error: BaseException) -> str:
    return str(without_credentials(str(error)))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[│├└─]+", " ", text)).strip()[:2000]
