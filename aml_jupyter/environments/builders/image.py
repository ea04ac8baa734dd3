"""Build what a container runs: bring the base image, put a layer of packages on top of it, keep that under a name.

The lock says which image the base is (by id and, where a registry gave it, by digest) and, behind a marker, the layer's own lock.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.environments.builders import BuildError, Progress, conda, dockerfile
from aml_jupyter.environments.builders.container import BuildContainer, remove_abandoned
from aml_jupyter.environments.builders.venv import install_requirements, resolve_requirements
from aml_jupyter.environments.recipe import key_of
from aml_jupyter.errors import AmlError
from aml_jupyter.transports.engine_ways import is_far

if TYPE_CHECKING:
    from aml_jupyter.transports.docker_engine import DockerEngine
    from aml_jupyter.transports.docker_images import ImageFacts, PythonInImage

__all__ = ["PREFIX", "REPOSITORY", "engine_has", "make", "resolve"]

PREFIX: Final = "/opt/aml/env"
"""Where a layer's packages lie in an image."""

REPOSITORY: Final = "aml-jupyter/environment"
_LAYER: Final = "\n# --- layer ---\n"
_PIP: Final = "\n# --- pip ---\n"


def engine_has(facts: Mapping[str, Any]) -> bool:
    """Say whether an image that was built is still there; True where its engine does not answer."""
    from aml_jupyter.transports.docker_engine import DockerEngine, EngineUnavailable
    from aml_jupyter.transports.docker_images import find_image

    try:
        with DockerEngine(str(facts["engine"])) as engine:
            return find_image(engine, str(facts["image"])) is not None
    except EngineUnavailable:
        return True


def resolve(asked: dict[str, Any], cache: Path, progress: Progress) -> str:
    """Return which image the base is now, and what the layer on it is resolved to."""
    with _engine(asked) as engine, _told():
        remove_abandoned(engine, _key())
        base = _base(engine, asked, cache, progress)
        head: dict[str, Any] = {"base": base.id, "digest": _digest(engine, base.id)}
        layer = asked.get("layer")
        if layer is None:
            return json.dumps(head)
        python = _python(engine, base, "python")
        if layer["kind"] == "pip" and (python is None or not _is_wished(layer.get("wish"), python.version)):
            layer = _conda_instead(layer, asked, python)
            head["conda"] = layer
        if layer["kind"] == "conda":
            return json.dumps(head) + _LAYER + conda.resolve(_on_image(engine, base, layer), cache, progress)
        assert python is not None
        progress(
            "solve", f"resolving {len(layer['requirements'])} requirements for Python {python.version} of the image"
        )
        with _container(engine, base, cache, python.path, layer) as place:
            place.start()
            return json.dumps(head) + _LAYER + resolve_requirements(layer, python.path, place, _there())


def make(asked: dict[str, Any], lock: str, prefix: Path, cache: Path, progress: Progress) -> dict[str, Any]:
    """Make the image that the lock says, and return its id and where its Python is."""
    head, _, inner = lock.partition(_LAYER)
    said = json.loads(head)
    prefix.mkdir(parents=True)
    with _engine(asked) as engine, _told():
        remove_abandoned(engine, _key())
        base = _locked_base(engine, asked, said, cache, progress)
        layer = said.get("conda") or asked.get("layer")
        facts: dict[str, Any] = {"engine": engine.host, "image": base.id, "size": base.size}
        facts |= {
            "for_gpus": base.is_for_gpus,
            "name": asked["image"].get("base") or asked["image"].get("name") or base.id,
        }
        if "base" not in asked["image"]:
            facts |= {"base_tag": dockerfile.image_name(asked["image"]), "layer_size": base.size}
        if layer is None:
            python = _python(engine, base, str(asked.get("python") or "python"))
            _need_named_python(asked, base, python)
            facts |= {"python": python.path if python else None, "version": python.version if python else None}
        elif layer["kind"] == "pip":
            facts |= _pip_layer(engine, base, layer, inner, cache, progress)
        else:
            facts |= _conda_layer(engine, base, layer, inner, cache, progress)
        if layer is not None:
            facts["size"], layer_size = _sizes(engine, base, str(facts["image"]))
            facts["layer_size"] = facts.get("layer_size", 0) + layer_size
        return facts


def _engine(asked: Mapping[str, Any]) -> DockerEngine:
    from aml_jupyter.transports.docker_engine import DockerEngine

    return DockerEngine(str(asked["engine"]))


@contextmanager
def _told() -> Iterator[None]:
    """Turn the package's own errors into the build's."""
    from aml_jupyter.transports.docker_engine import EngineUnavailable

    try:
        yield
    except AmlError as error:
        raise BuildError(str(error), passes=isinstance(error, EngineUnavailable)) from error


def _key() -> str:
    """Return the entry that this process builds; its folder is the working directory."""
    return Path.cwd().name


def _there() -> str:
    from aml_jupyter.environments.builders.container import THERE

    return THERE


def _base(engine: DockerEngine, asked: Mapping[str, Any], cache: Path, progress: Progress) -> ImageFacts:
    """Return the image that the environment starts from: pulled, or built from its Dockerfile."""
    from aml_jupyter.transports.docker_images import pull_image

    source = asked["image"]
    if "base" not in source:
        return dockerfile.build(engine, source, cache, progress, asked.get("registry"))
    name = str(source["base"])

    def told(what: str, part: float | None) -> None:
        progress("image", f"pulling {name}: {what}")

    progress("image", f"looking for {name}")
    try:
        return pull_image(engine, name, asked.get("registry"), told)
    except AmlError as error:
        if not source.get("default"):
            raise
        from aml_jupyter.environments.builders.local_base import local_base

        print(f"{error}\nIts place is taken by an image that is made from this machine's Python.", flush=True)
        return local_base(engine, progress)


def _locked_base(
    engine: DockerEngine, asked: Mapping[str, Any], said: Mapping[str, Any], cache: Path, progress: Progress
) -> ImageFacts:
    """Return the image that the lock names; when the engine lost it, what the same source gives now, if that is the same."""
    from aml_jupyter.transports.docker_images import find_image, pull_image

    found = find_image(engine, str(said["base"]))
    if found is not None:
        return found
    if said.get("digest"):
        progress("image", f"pulling {said['digest']}")
        return pull_image(engine, str(said["digest"]), asked.get("registry"))
    again = _base(engine, asked, cache, progress)
    if again.id != said["base"]:
        print(
            f"The engine has lost the image {said['base']} that the lock names; {again.id} of the same source takes its place.",
            flush=True,
        )
    return again


def _sizes(engine: DockerEngine, base: ImageFacts, image: str) -> tuple[int, int]:
    """Return the bytes of an image, and those of its layer alone."""
    from aml_jupyter.transports.docker_images import find_image

    found = find_image(engine, image)
    whole = found.size if found is not None else base.size
    return whole, max(0, whole - base.size)


def _digest(engine: DockerEngine, image: str) -> str | None:
    """Return the name by which a registry gives exactly this image, or None where it came from none."""
    with engine.explained():
        digests = engine.client.api.inspect_image(image).get("RepoDigests") or []
    return str(digests[0]) if digests else None


def _python(engine: DockerEngine, image: ImageFacts, name: str) -> PythonInImage | None:
    from aml_jupyter.transports.docker_images import find_python

    return find_python(engine, image.id, name)


def _need_named_python(asked: Mapping[str, Any], base: ImageFacts, python: PythonInImage | None) -> None:
    named = str(asked.get("python") or "python")
    if python is None and named != "python":
        raise BuildError(
            f"the image has no Python {named!r}, which environment.python.interpreter_path names; leave it at 'python' for the "
            "image's own"
        )


def _is_wished(wish: str | None, version: str) -> bool:
    """Say whether the image's Python is the one that is asked for; any is when none is."""
    if wish is None:
        return True
    from packaging.specifiers import SpecifierSet

    from aml_jupyter.environments.pythons import python_specifier

    return SpecifierSet(python_specifier(wish)).contains(version, prereleases=True)


def _conda_instead(layer: Mapping[str, Any], asked: Mapping[str, Any], python: PythonInImage | None) -> dict[str, Any]:
    """Return a layer of conda packages that brings the Python that the image lacks."""
    from aml_jupyter.environments.choose import has_conda
    from aml_jupyter.environments.choose_conda import conda_platform

    wish = layer.get("wish") or "python"
    has = f"has Python {python.version}" if python else "has no Python"
    if not has_conda():
        raise BuildError(
            f"{wish} is asked for and the image {has}; conda packages would bring it: pip install 'aml-jupyter[conda]', or "
            "choose another base image"
        )
    print(f"The image {has}; {wish} comes from conda packages.", flush=True)
    channels = ["https://conda.anaconda.org/conda-forge"]
    return {
        **layer,
        "kind": "conda",
        "specs": [wish],
        "channels": asked.get("channels") or channels,
        "platform": conda_platform(),
        "virtual": {},
        "variables": {},
    }


def _for_image(base: ImageFacts, layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layer for the machine that the image is made for, which need not be this one's.

    Raises
    ------
    BuildError
        When conda packages cannot be linked for it.
    """
    from aml_jupyter.environments.choose_conda import conda_platform
    from aml_jupyter.environments.choose_there import ARCHITECTURES

    platform = conda_platform("Linux", base.architecture) if base.architecture else str(layer["platform"])
    if platform == layer["platform"]:
        return dict(layer)
    if platform not in ARCHITECTURES:
        raise BuildError(
            f"conda packages are linked for {', '.join(ARCHITECTURES)}, and the image is for {platform}; build an image with "
            "them from a Dockerfile, or choose another base image"
        )
    print(f"The image is for {platform}; so are the packages.", flush=True)
    virtual = {"unix": "0", "linux": "0", **(layer.get("virtual") or {})}
    return {**layer, "platform": platform, "architecture": ARCHITECTURES[platform], "virtual": virtual}


def _on_image(engine: DockerEngine, base: ImageFacts, layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layer as the solver should see it: the machine that will run it is the image."""
    found = _for_image(base, layer)
    virtual = dict(found.get("virtual") or {})
    libc = _glibc(engine, base)
    if libc is not None:
        virtual.setdefault("glibc", libc)
    return {**found, "virtual": virtual}


def _glibc(engine: DockerEngine, base: ImageFacts) -> str | None:
    """Return the version of the image's C library, or None when it does not say."""
    from aml_jupyter.transports.docker_images import said_in_image

    for words in (["getconf", "GNU_LIBC_VERSION"], ["ldd", "--version"]):
        said = said_in_image(engine, base.id, words)
        found = re.search(r"(?:glibc|GLIBC|GNU libc).*?(\d+\.\d+)", (said or "").split("\n")[0])
        if found:
            return found.group(1)
    python = _python(engine, base, "python")
    if python is None:
        return None
    said = said_in_image(engine, base.id, [python.path, "-c", "import platform; print(*platform.libc_ver())"])
    found = re.search(r"glibc (\d+\.\d+)", said or "")
    return found.group(1) if found else None


def _container(
    engine: DockerEngine, base: ImageFacts, cache: Path, python: str, layer: Mapping[str, Any]
) -> BuildContainer:
    """Return the container, not made yet, in which a layer is installed."""
    kind: type[BuildContainer] = BuildContainer
    if is_far(engine.host):
        from aml_jupyter.environments.builders.far_container import FarBuildContainer

        kind = FarBuildContainer
    return kind(engine, base.id, _key(), cache, python, _shown(layer), layer.get("files") or ())


def _shown(layer: Mapping[str, Any]) -> list[str]:
    """Return the files and folders of this machine that pip's settings and the options name."""
    settings = layer.get("settings") or {}
    named = [*settings.get("find-links", []), *settings.get("constraint", [])]
    named += [value for _, *values in layer.get("options") or [] for value in values]
    return [path for path in named if os.path.isabs(path) and os.path.exists(path)]


def _pip_layer(
    engine: DockerEngine, base: ImageFacts, layer: Mapping[str, Any], lock: str, cache: Path, progress: Progress
) -> dict[str, Any]:
    """Install pinned requirements into a virtual environment that sees what the image has."""
    python = _python(engine, base, "python")
    if python is None:
        raise BuildError("the image that the lock names has no Python any more")
    inner = f"{PREFIX}/bin/python"
    with _container(engine, base, cache, python.path, layer) as place:
        place.start()
        progress("link", f"making an environment on Python {python.version} of the image")
        place.run([place.uv, "venv", "--python", python.path, "--system-site-packages", "--no-project", PREFIX])
        count = len(re.findall(r"^[A-Za-z0-9]", lock, re.MULTILINE))
        progress("pip", f"installing {count} packages")
        install_requirements(dict(layer), lock, inner, place)
        image, tag = _keep(place, base, lock, {"VIRTUAL_ENV": PREFIX}, progress)
    return {"image": image, "tag": tag, "python": inner, "version": python.version, "packages": count}


def _conda_layer(
    engine: DockerEngine, base: ImageFacts, layer: Mapping[str, Any], lock: str, cache: Path, progress: Progress
) -> dict[str, Any]:
    """Link conda packages here, for their place in the image, put them there, and install pip's beside them."""
    python, layer = f"{PREFIX}/bin/python", _for_image(base, layer)
    with tempfile.TemporaryDirectory(prefix="aml-build-") as folder:
        env = Path(folder, "env")
        facts = conda.link(dict(layer), lock, env, cache, progress, final=PREFIX)
        variables, path = conda.activated(env)
        with _container(engine, base, cache, python, layer) as place:
            progress("image", "copying the packages into the image")
            place.put(env, PREFIX)
            pip = lock.partition(_PIP)[2]
            if facts["python"] is not None:
                place.start()
            if pip.strip():
                count = len(re.findall(r"^[A-Za-z0-9]", pip, re.MULTILINE))
                progress("pip", f"installing {count} packages")
                install_requirements(dict(layer), pip, python, place)
                facts["packages"] += count
            moved = {name: value.replace(str(env), PREFIX) for name, value in variables.items()}
            moved["CONDA_PREFIX"] = PREFIX
            before = [entry.replace(str(env), PREFIX) for entry in path]
            image, tag = _keep(place, base, lock, moved, progress, before)
    return {**facts, "image": image, "tag": tag, "variables": moved}


def _keep(
    place: BuildContainer,
    base: ImageFacts,
    lock: str,
    variables: Mapping[str, str],
    progress: Progress,
    before: list[str] | None = None,
) -> tuple[str, str]:
    """Keep the layer as an image; return its id and its name."""
    progress("image", "keeping the layer as an image")
    tag = key_of({"base": base.id, "lock": lock})
    path = ":".join([*(before or []), f"{PREFIX}/bin", base.variables.get("PATH") or "/usr/local/bin:/usr/bin:/bin"])
    image = place.commit({**variables, "PATH": path}, {"aml.environment": tag}, REPOSITORY, tag)
    return image, f"{REPOSITORY}:{tag}"
