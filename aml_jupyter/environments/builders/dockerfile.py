"""Build the image of a Dockerfile: with BuildKit where a Docker command can drive it, else with the engine's own builder.

Certificates and pip's settings are BuildKit secrets: a step that says ``RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf
--mount=type=secret,id=ca ...`` has them, and no layer does.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.environments.builders import BuildError, Progress
from aml_jupyter.environments.builders.container import certificates
from aml_jupyter.supervisor.pip_settings import installer_settings

if TYPE_CHECKING:
    from aml_jupyter.transports.docker_engine import DockerEngine
    from aml_jupyter.transports.docker_images import ImageFacts

__all__ = ["build", "image_name", "instruction_lines"]

REPOSITORY: Final = "aml-jupyter/base"
_SECRET_CA: Final = "/run/secrets/ca"


def build(
    engine: DockerEngine,
    source: Mapping[str, Any],
    cache: Path,
    progress: Progress,
    registry: Mapping[str, str] | None = None,
) -> ImageFacts:
    """Build a Dockerfile, a build context or a git address, and return the image.

    Parameters
    ----------
    engine : DockerEngine
        Where it is built.
    source : dict
        ``dockerfile`` (its text) and ``name``; or ``context`` (an archive among the kept files) or ``git`` (an address), and
        ``file``.
    cache : Path
        The environment cache.
    progress : callable
        Told each step.
    registry : dict, optional
        ``address``, ``username`` and ``password`` for private images that it names.

    Raises
    ------
    BuildError
        With the file's line where one is to blame.
    """
    from aml_jupyter.transports.docker_images import find_image

    file = str(source.get("file") or "Dockerfile")
    archive = _context(source, cache)
    tag = image_name(source)
    text = _text(source, archive, file)
    name = str(source.get("name") or source.get("git") or file)
    program = _buildkit(engine)
    steps = _Steps(text, name, progress)
    if program is not None:
        _with_buildkit(program, engine, source, archive, file, tag, steps, registry)
    else:
        _classic(engine, source, archive, file, tag, steps, registry)
    found = find_image(engine, tag)
    if found is None:
        raise BuildError(f"{name} was built, and the engine does not have the image {tag}")
    return found


def image_name(source: Mapping[str, Any]) -> str:
    """Return the name under which the image of a source is kept."""
    return f"{REPOSITORY}:{hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:32]}"


def _context(source: Mapping[str, Any], cache: Path) -> bytes | None:
    """Return the archive that the engine is sent; None where it fetches one itself."""
    if "git" in source:
        return None
    if "context" in source:
        return (cache / "files" / str(source["context"])).read_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        data = str(source["dockerfile"]).encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _text(source: Mapping[str, Any], archive: bytes | None, file: str) -> str:
    if "dockerfile" in source:
        return str(source["dockerfile"])
    if archive is None:
        return ""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        stream = opened.extractfile(file)
        return stream.read().decode("utf-8", "replace") if stream is not None else ""


class _Steps:
    """Follow a build: tell each step, and say which line of the file a failure belongs to."""

    def __init__(self, text: str, name: str, progress: Progress) -> None:
        self._lines = instruction_lines(text)
        self._texts = text.splitlines()
        self._name = name
        self._progress = progress
        self._step = 0
        self._vertices: dict[str, str] = {}
        self._broken = ""
        self._vertex = ""
        self._said: list[str] = []

    def hear(self, said: str) -> None:
        """Take one line of the builder's output."""
        said = re.sub(
            r"\x1b\[[0-9;]*m", "", said
        ).rstrip()  # the engine colours what a step writes to its standard error
        if not said:
            return
        print(said, flush=True)
        self._said.append(said)
        classic = re.match(r"Step (\d+)/(\d+) : (.*)", said)
        kit = re.match(r"#(\d+) \[(?:\S+ )?(\d+)/(\d+)\] (.*)", said)
        if classic:
            self._step = int(classic.group(1))
            self._tell(*classic.groups())
        elif kit:
            self._vertices[kit.group(1)] = kit.group(4)
            self._tell(*kit.groups()[1:])
        elif error := re.match(r"#(\d+) ERROR", said):
            self._vertex = error.group(1)
            self._broken = self._vertices.get(self._vertex, self._broken)

    def _tell(self, number: str, of: str, what: str) -> None:
        self._progress("image", f"step {number} of {of}: {what[:120]}")

    def failed(self, why: str) -> BuildError:
        """Return the error for a build that failed because of `why`."""
        why = re.sub(r"\s+", " ", why).strip()
        parse = re.search(r"parse error(?: on)? line (\d+): (.*)", why)
        if parse:
            return BuildError(f"{self._name}, line {parse.group(1)}: {parse.group(2)}")
        if re.search(r"\bref master\b", why):
            why += " (name the branch behind the address: #main)"
        line = self._blamed(why)
        where = f"{self._name}, line {line}: {self._texts[line - 1].strip()[:120]}: " if line else f"{self._name}: "
        said = self._last_words()
        end = "; its last words: " + " / ".join(said) if any(text not in why for text in said) else ""
        return BuildError(f"{where}{why}{end}"[:2000])

    def _last_words(self) -> list[str]:
        """Return the last lines that the failed step itself has printed."""
        if self._vertex:
            found = (re.match(rf"#{self._vertex} \d+\.\d+ (.*)", text) for text in self._said)
            return [match.group(1) for match in found if match is not None][-3:]
        return [text for text in self._said if not text.startswith(("Step ", " --->", "Removing intermediate"))][-3:]

    def _blamed(self, why: str) -> int | None:
        """Return the line of the step that failed."""
        if 0 < self._step <= len(self._lines):
            return self._lines[self._step - 1]
        beginning = re.sub(r"\s+", " ", self._broken)[:40]  # BuildKit joins the lines of an instruction
        for number in self._lines:
            written = re.sub(r"\s+", " ", self._texts[number - 1].strip().rstrip("\\"))
            if beginning and (written.startswith(beginning) or (written and beginning.startswith(written))):
                return number
        return None


def instruction_lines(text: str) -> list[int]:
    """Return the line on which each instruction of a Dockerfile begins, counted from 1; comments and continuations are none."""
    found, goes_on, heredoc = [], False, None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if heredoc is not None:
            heredoc = None if stripped == heredoc else heredoc
            continue
        if not stripped or stripped.startswith("#"):
            continue
        if not goes_on:
            found.append(number)
        goes_on = stripped.endswith(("\\", "`"))
        opened = re.search(r"<<-?[\"']?(\w+)[\"']?", stripped)
        if opened:
            heredoc, goes_on = opened.group(1), False
    return found


def _classic(
    engine: DockerEngine,
    source: Mapping[str, Any],
    archive: bytes | None,
    file: str,
    tag: str,
    steps: _Steps,
    registry: Mapping[str, str] | None,
) -> None:
    """Build with the engine's own builder."""
    import docker.errors

    api = engine.client.api
    given: dict[str, Any] = {"path": source["git"]} if archive is None else {"fileobj": io.BytesIO(archive)}
    if registry:
        api._auth_configs.add_auth(registry.get("address") or "https://index.docker.io/v1/", dict(registry))
    with engine.explained():
        try:
            said = api.build(
                **given,
                custom_context=archive is not None,
                dockerfile=file,
                tag=tag,
                rm=True,
                forcerm=True,
                decode=True,
            )
            failure = None
            for entry in said:  # to its end: what is not read keeps the connection open
                failure = entry.get("error") or failure
                told = "" if entry.get("progressDetail") else entry.get("status")  # a word for every block of a layer
                for line in str(entry.get("stream") or told or "").splitlines():
                    steps.hear(line)
            if failure is not None:
                raise steps.failed(str(failure))
        except docker.errors.APIError as error:
            raise steps.failed(str(error.explanation or error)) from error


def _buildkit(engine: DockerEngine) -> str | None:
    """Return a Docker command that can drive BuildKit, where the engine has it; ``DOCKER_BUILDKIT=0`` turns that off."""
    if os.environ.get("DOCKER_BUILDKIT") == "0":
        return None
    with engine.explained():
        api = engine.client.api
        said = api.get(f"{api.base_url}/_ping").headers
    version = tuple(int(part) for part in re.findall(r"\d+", said.get("Api-Version", ""))[:2])
    if version < (1, 39) or said.get("Builder-Version") == "1":  # it has none, or was told not to use it
        return None
    for program in dict.fromkeys(filter(None, (shutil.which("docker"), "/usr/bin/docker"))):
        if not os.access(program, os.X_OK):
            continue
        answer = subprocess.run(
            [program, "version", "--format", "{{.Client.Version}}"], capture_output=True, text=True, check=False
        )
        major = int((re.match(r"\d+", answer.stdout) or ["0"])[0])
        if 19 <= major < 23:
            return program  # it has its own
        if subprocess.run([program, "buildx", "version"], capture_output=True, check=False).returncode == 0:
            return program
    return None


def _with_buildkit(
    program: str,
    engine: DockerEngine,
    source: Mapping[str, Any],
    archive: bytes | None,
    file: str,
    tag: str,
    steps: _Steps,
    registry: Mapping[str, str] | None,
) -> None:
    with _secrets(registry) as (options, variables):
        command = [program, "build", "--progress", "plain", "--tag", tag, "--file", file, *options]
        with tempfile.TemporaryFile() as stream:
            stream.write(archive or b"")
            stream.seek(0)
            environment = {**os.environ, **variables, "DOCKER_BUILDKIT": "1", "DOCKER_HOST": engine.door}
            with subprocess.Popen(
                [*command, "-" if archive is not None else str(source["git"])],
                env=environment,
                stdin=stream,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                assert process.stdout is not None
                last = ""
                for line in process.stdout:
                    steps.hear(line)
                    last = line.strip() or last
        if process.returncode:
            engine.ping()  # one that went away is not the file's fault
            raise steps.failed(last.removeprefix("ERROR: "))


@contextmanager
def _secrets(registry: Mapping[str, str] | None) -> Iterator[tuple[Sequence[str], dict[str, str]]]:
    """Give the options that hand secrets to a build, and the variables that name the credentials of a registry."""
    options: list[str] = []
    variables: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="aml-secrets-") as folder:
        bundle = certificates()
        if bundle is not None:
            options += ["--secret", f"id=ca,src={bundle}"]
        settings = Path(folder, "pip.conf")
        settings.touch(mode=0o600)
        settings.write_text(_pip_conf(installer_settings(os.environ), bundle is not None))
        options += ["--secret", f"id=pip_conf,src={settings}"]
        if registry:
            word = base64.b64encode(f"{registry.get('username')}:{registry.get('password')}".encode()).decode()
            config = Path(folder, "config.json")
            config.touch(mode=0o600)
            address = registry.get("address") or "https://index.docker.io/v1/"
            config.write_text(json.dumps({"auths": {address: {"auth": word}}}))
            variables["DOCKER_CONFIG"] = folder
        yield options, variables


def _pip_conf(settings: Mapping[str, Sequence[str]], has_bundle: bool) -> str:
    lines = ["[global]"]
    for name, values in settings.items():
        if name not in ("cert", "constraint", "find-links"):
            lines.append(f"{name} = " + "\n    ".join(values))
    if has_bundle:
        lines.append(f"cert = {_SECRET_CA}")
    return "\n".join(lines) + "\n"
