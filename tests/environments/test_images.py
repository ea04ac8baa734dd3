"""Images are built by a real engine: from a base image, a Dockerfile or a folder, with pip's or conda's packages on top."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from base_images import PYTHON_IMAGE, PYTHON_VERSION, SHELL_IMAGE
from conda_channel import SUBDIR, conda_channel, write_package
from engine_process import Engine
from support import until
from wheels import make_wheel

from aml_jupyter import environments
from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.config.environment_sections import DockerBuildContext
from aml_jupyter.environments import Built, Entry, EnvironmentCache
from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.builders.dockerfile import instruction_lines
from aml_jupyter.environments.builders.image import PREFIX, engine_has
from aml_jupyter.environments.builders.process import build
from aml_jupyter.environments.collect import collect_environments
from aml_jupyter.errors import ConfigurationError

Ask = Callable[[Environment], Entry]


@pytest.fixture
def ask(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that makes the entry of an environment."""
    cache = EnvironmentCache()

    def make(environment: Environment) -> Entry:
        recipe = environments.choose_recipe(
            environment, {**environments.submitter(), "cwd": str(tmp_path)}, [], engine.host
        )
        assert recipe is not None and recipe.kind == "image"
        for stored, path in recipe.sources.items():
            context = None
            if os.path.isdir(path):
                context = environments.context_archive(Path(path), recipe.asked["image"]["file"])
            cache.keep_file(stored, path, context)
        entry = cache.entry(recipe.key)
        entry.write("recipe.json", recipe.as_dict())
        monkeypatch.chdir(entry.path)
        return entry

    return make


def on(image: str, **sections: Any) -> Environment:
    environment = Environment("in-a-container")
    environment.docker.base_image = image
    environment.python.conda_dependencies = None
    for name, value in sections.items():
        setattr(environment.docker, name, value)
    return environment


def with_pip(environment: Environment, folder: Path, *packages: str) -> Environment:
    dependencies = CondaDependencies.create(pip_packages=list(packages), python_version=None)
    dependencies.set_pip_option("--no-index")
    dependencies.set_pip_option(f"--find-links {folder}")
    environment.python.conda_dependencies = dependencies
    return environment


def said_in(built: Built, *words: str) -> str:
    """Run `words` in a container of the image, without network and without anything of this machine."""
    command = ["/usr/bin/docker", "-H", built.facts["engine"], "run", "--rm", "--network", "none", built.facts["image"]]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def left_containers(host: str) -> str:
    command = ["/usr/bin/docker", "-H", host, "ps", "-aq", "--filter", "label=aml.build"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_base_image_alone_is_what_a_run_gets(ask: Ask, engine: Engine) -> None:
    built = build(ask(on(PYTHON_IMAGE)))
    assert built.facts["python"] == "/usr/local/bin/python" or built.facts["python"].startswith("/usr/local/bin/python")
    assert built.facts["version"] == PYTHON_VERSION
    assert engine_has(built.facts) and not engine_has({**built.facts, "image": "sha256:" + "0" * 64})
    assert build(ask(on(SHELL_IMAGE))).facts["python"] is None
    assert left_containers(engine.host) == ""


def test_pips_packages_lie_on_top_of_the_image_and_nothing_of_the_build_stays(
    ask: Ask, engine: Engine, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    make_wheel(tmp_path / "wheels", "needs_old", "1.0", ["tiny<2"])
    make_wheel(tmp_path / "wheels", "tiny", "2.0")
    entry = ask(with_pip(on(PYTHON_IMAGE), tmp_path / "wheels", "needs_old"))
    built = build(entry)
    python = built.facts["python"]
    said = said_in(built, python, "-c", "import tiny, needs_old, sys; print(tiny.__version__, sys.prefix)")
    assert said.split() == ["1.0", PREFIX]
    assert said_in(built, "python", "-c", "import sys; print(sys.prefix)") == PREFIX  # it is the PATH's, too
    assert "tiny==1.0" in built.lock.read_text() and "--hash=sha256:" in built.lock.read_text()
    left = said_in(built, "find", "/", "-xdev", "-newer", f"{PREFIX}/pyvenv.cfg", "-path", "/mnt*")
    assert left == "" or left == "/mnt"
    history = subprocess.run(
        ["/usr/bin/docker", "-H", engine.host, "inspect", built.facts["image"]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(tmp_path) not in history and "ca.crt" not in history
    assert left_containers(engine.host) == ""
    again = ask(with_pip(on(PYTHON_IMAGE), tmp_path / "wheels", "needs_old==1.0"))
    assert build(again).path == built.path  # the same packages on the same image are the same image
    gone = collect_environments(EnvironmentCache(), 0)
    assert [each.key for each in gone] == [built.key] and gone[0].size > 0
    assert not engine_has(built.facts)
    assert engine_has({**built.facts, "image": PYTHON_IMAGE})


def test_condas_packages_are_linked_for_their_place_in_the_image(ask: Ask, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    environment = on(PYTHON_IMAGE)
    environment.python.conda_dependencies = CondaDependencies.from_dict(
        {
            "channels": [f"file://{conda_channel()}"],
            "dependencies": [
                f"python={PYTHON_VERSION}",
                "pinned",
                {"pip": ["--no-index", f"--find-links {tmp_path / 'wheels'}", "tiny"]},
            ],
        }
    )
    built = build(ask(environment))
    said = said_in(built, built.facts["python"], "-c", "import tiny, sys; print(tiny.__version__, sys.prefix)")
    assert said.split() == ["1.0", PREFIX]
    assert said_in(built, "python", "-c", "import os; print(os.environ['CONDA_PREFIX'])") == PREFIX
    shown = said_in(built, "ldd", built.facts["python"]) if "ldd" in said_in(built, "ls", "/bin") else PREFIX
    assert PREFIX in shown or "libpython" not in shown


def make_foreign(docker: str, folder: Path, architecture: str) -> None:
    """Make the image ``aml-foreign`` for another kind of machine: the small one, with another word in its description."""
    folder.mkdir()
    subprocess.run(f"{docker} save {SHELL_IMAGE} | tar -x -C {folder}", shell=True, check=True)
    (manifest,) = json.loads((folder / "manifest.json").read_text())
    description = json.loads((folder / manifest["Config"]).read_text())
    (folder / "foreign.json").write_text(json.dumps({**description, "architecture": architecture}))
    manifest |= {"Config": "foreign.json", "RepoTags": ["aml-foreign:latest"]}
    (folder / "manifest.json").write_text(json.dumps([manifest]))
    subprocess.run(f"tar -c -C {folder} . | {docker} load", shell=True, check=True)


def test_condas_packages_are_those_of_the_images_machine(ask: Ask, engine: Engine, tmp_path: Path) -> None:
    from rattler.index import index_fs

    own, other, name = "linux-64", "linux-aarch64", "arm64"
    if other == SUBDIR:
        own, other, name = other, own, "amd64"
    channel = tmp_path / "channel"
    for subdir in (own, other):
        (channel / subdir).mkdir(parents=True)
        write_package(
            channel, "which", "1.0", {"share/which": subdir}, ["__glibc >=2"] * (subdir == own), subdir=subdir
        )
    asyncio.run(index_fs(channel))
    docker = f"/usr/bin/docker -H {engine.host}"
    make_foreign(docker, tmp_path / "foreign", name)
    try:
        environment = on("aml-foreign")
        environment.python.conda_dependencies = CondaDependencies.from_dict(
            {"channels": [f"file://{channel}"], "dependencies": ["which"]}
        )
        built = build(ask(environment))
        made = subprocess.check_output(f"{docker} create {built.facts['image']} x", shell=True, text=True).strip()
        subprocess.run(f"{docker} cp {made}:{PREFIX}/share/which {tmp_path}/which", shell=True, check=True)
        subprocess.run(f"{docker} rm {made}", shell=True, check=True)
        assert (tmp_path / "which").read_text() == other
        assert other in built.lock.read_text()
    finally:
        subprocess.run(f"{docker} rmi -f aml-foreign", shell=True, check=True)


def test_what_an_image_is_asked_for_beside_its_packages_is_each_environments_own(ask: Ask, engine: Engine) -> None:
    plain, named = on(PYTHON_IMAGE), on(PYTHON_IMAGE)
    named.python.user_managed_dependencies = True
    named.python.interpreter_path = f"/usr/local/bin/python{PYTHON_VERSION.rpartition('.')[0]}"
    assert build(ask(named)).facts["python"] == named.python.interpreter_path
    assert build(ask(plain)).facts["python"] != named.python.interpreter_path


def test_a_dockerfile_and_a_folder_are_built_and_shown_by_step(ask: Ask, tmp_path: Path) -> None:
    environment = on(PYTHON_IMAGE)
    environment.docker.base_dockerfile = f"FROM {PYTHON_IMAGE}\nRUN echo hello > /hello.txt\n"
    entry = ask(environment)
    built = build(entry)
    assert said_in(built, "cat", "/hello.txt") == "hello"
    assert [each.key for each in collect_environments(EnvironmentCache(), 0)] == [built.key]
    assert not engine_has(built.facts)
    assert entry.progress()["stage"] == "image"
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile.run").write_text(f"FROM {PYTHON_IMAGE}\nCOPY . /data/\n")
    (folder / "kept.txt").write_text("kept")
    (folder / "secret.txt").write_text("left out")
    (folder / ".dockerignore").write_text("secret.txt\n")
    made = Environment.from_docker_build_context("ctx", DockerBuildContext("localfile", str(folder), "Dockerfile.run"))
    entry = ask(made)
    (folder / "kept.txt").write_text("changed after the submit")
    built = build(entry)
    assert said_in(built, "cat", "/data/kept.txt") == "kept"
    assert "secret.txt" not in said_in(built, "ls", "/data")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """The address of a git repository with a Dockerfile on its branch `main`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work = tmp_path / "git" / "repo"
    work.mkdir(parents=True)
    (work / "Dockerfile").write_text(f"FROM {PYTHON_IMAGE}\nCOPY note.txt /note.txt\n")
    (work / "note.txt").write_text("noted")
    git = ["git", "-C", str(work), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    command = ["git", "daemon", "--export-all", f"--base-path={work.parent}", "--listen=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as daemon:
        try:
            address = f"git://127.0.0.1:{port}/repo"
            ask = ["git", "ls-remote", address]
            until(lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0, 30, "git's daemon")
            yield address
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_a_git_address_is_a_build_context(
    ask: Ask, repository: str, buildkit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", buildkit)

    def of(address: str) -> Entry:
        return ask(Environment.from_docker_build_context("git", DockerBuildContext("git", address)))

    built = build(of(f"{repository}#main"))
    assert said_in(built, "cat", "/note.txt") == "noted"
    with pytest.raises(BuildError, match="name the branch"):
        build(of(repository))
    with pytest.raises(BuildError, match="none"):
        build(of(f"{repository}-none#main"))


def test_settings_of_pip_and_certificates_reach_a_step_as_secrets(
    ask: Ask, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hidden@127.0.0.1:9/simple")
    environment = on(PYTHON_IMAGE)
    mount = "--mount=type=secret,id=pip_conf,target=/etc/pip.conf"
    seen = f"RUN {mount} grep -c hidden /etc/pip.conf > /found.txt"
    environment.docker.base_dockerfile = f"FROM {PYTHON_IMAGE}\n{seen}\nRUN cat /etc/pip.conf > /later.txt || true\n"
    built = build(ask(environment))
    assert said_in(built, "cat", "/found.txt") == "1"
    assert said_in(built, "cat", "/later.txt") == ""


@pytest.mark.parametrize("buildkit", ["0", "1"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM {image}\n\nFROOM x\n", ["line 3", "FROOM"]),
        ("FROM {image}\n# a comment\nRUN echo well && \\\n    echo done\nRUN exit 7\n", ["line 5", "RUN exit 7", "7"]),
        ("FROM {image}\nCOPY missing.txt /x\n", ["line 2", "missing.txt"]),
        (
            "FROM {image}\nRUN echo one word && no-such-command\n",
            ["line 2", "its last words: ", "no-such-command: not found"],
        ),
    ],
)
def test_a_dockerfile_that_fails_names_the_line(
    ask: Ask, text: str, words: list[str], buildkit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", buildkit)
    environment = on(PYTHON_IMAGE)
    environment.docker.base_dockerfile = text.format(image=PYTHON_IMAGE)
    entry = ask(environment)
    with pytest.raises(BuildError) as failed:
        build(entry)
    assert all(word in str(failed.value) for word in words), failed.value
    assert entry.built() is None and entry.resolved() is None


def test_an_image_that_cannot_be_had_is_one_clear_message(ask: Ask) -> None:
    with pytest.raises(BuildError, match=r"127\.0\.0\.1:9/nothing/here.*cannot be pulled"):
        build(ask(on("127.0.0.1:9/nothing/here:1")))


def test_packages_that_cannot_be_had_leave_no_image_and_no_container(ask: Ask, engine: Engine, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    entry = ask(with_pip(on(PYTHON_IMAGE), tmp_path / "wheels", "no-such-package-anywhere"))
    with pytest.raises(BuildError, match="no-such-package-anywhere"):
        build(entry)
    assert entry.built() is None and left_containers(engine.host) == ""


def test_the_default_image_is_made_from_this_python_where_its_registry_cannot_be_reached(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    environment = with_pip(Environment("default"), tmp_path / "wheels", "tiny")
    assert environment.docker.base_image is not None
    built = build(ask(environment))
    said = said_in(
        built, "python", "-c", "import tiny, ssl, sqlite3, sys; print(tiny.__version__, sys.version_info[:3])"
    )
    assert said == f"1.0 {tuple(sys.version_info[:3])}"
    assert said_in(built, "sh", "-c", "echo a | sed s/a/b/") == "b"


def test_an_interpreter_that_the_image_lacks_is_refused(ask: Ask) -> None:
    environment = on(PYTHON_IMAGE)
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = "/opt/none/python"
    with pytest.raises(BuildError, match="/opt/none/python"):
        build(ask(environment))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base_dockerfile": "no/such/Dockerfile"}, "there is no such file"),
        ({"build_context": DockerBuildContext("localfile", "/no/such/folder")}, "no folder"),
        ({"build_context": DockerBuildContext("storageaccount", "x")}, "location_type"),
    ],
)
def test_what_is_wrong_with_the_source_is_said_at_the_submit(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        environments.choose_recipe(on("x", **change), environments.submitter(), [tmp_path], "unix:///nowhere.sock")


def test_the_password_of_a_registry_is_no_part_of_the_key() -> None:
    keys = set()
    for password in ("one", "two"):
        environment = on("private/image:1")
        environment.docker.base_image_registry.address = "registry.example:5000"
        environment.docker.base_image_registry.username = "me"
        environment.docker.base_image_registry.password = password
        recipe = environments.choose_recipe(environment, environments.submitter(), [], "unix:///nowhere.sock")
        assert recipe is not None and "registry.example:5000/private/image:1" in recipe.title
        assert password not in recipe.title
        keys.add(recipe.key)
    assert len(keys) == 1


def test_instructions_are_counted_as_docker_counts_them() -> None:
    text = '# syntax\nARG A=1\n\nFROM x\nRUN a && \\\n  # inside\n  b\nRUN <<EOF\nnot one\nEOF\nCMD ["x"]\n'
    assert instruction_lines(text) == [2, 4, 5, 8, 11]
