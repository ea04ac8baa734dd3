"""Time environments: what a warm one adds to a run, one of cached conda packages, a pip one beside uv alone, a container."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from table import Row

from aml_jupyter.config import CondaDependencies, Environment, ScriptRunConfig
from aml_jupyter.environments import EnvironmentCache, begin_build, submitter
from aml_jupyter.environments.choose_conda import conda_platform
from aml_jupyter.environments.collect import remove_built
from aml_jupyter.environments.pythons import uv_program
from aml_jupyter.service import SubmitRequest, recipe_of, stop_service, submit, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["conda_row", "docker_row", "pip_row", "warm_row"]

PACKAGES = ("pandas==2.2.3", "scikit-learn==1.5.2")


def warm_row(folder: WorkspaceFolder, tmp: Path) -> Row:
    """Time from submit to the first line in an environment that is built, beside the same in the Python of such a one."""
    project, stamp = tmp / "warm", tmp / "warm-stamp"
    project.mkdir()
    (project / "script.py").write_text(f"import time; open({str(stamp)!r}, 'w').write(repr(time.time()))")
    built = _pip_environment(["six==1.16.0"])
    recipe = recipe_of(built, submitter())
    assert recipe is not None
    python = begin_build(recipe, submitter()).follow(_quiet).facts["python"]
    own = Environment("own")
    own.python.user_managed_dependencies = True
    own.python.interpreter_path = python  # the same interpreter: the difference is what environments cost

    def first_line(environment: Environment) -> float:
        config = ScriptRunConfig(source_directory=str(project), script="script.py", environment=environment)
        begin = time.time()
        run = wait_for_run(folder, submit(folder, SubmitRequest(config, "bench")).run.id, timeout=60)
        assert run.status == "Completed", (run.status, run.reason, run.error)
        return float(stamp.read_text()) - begin

    pairs = [(first_line(built), first_line(own)) for _ in range(16)][1:]
    with_it, without = (statistics.median(times) for times in zip(*pairs, strict=True))
    overhead = (with_it - without) * 1000
    return Row(
        "warm environment, added to a run, p50",
        f"{overhead:.0f} ms",
        "<= 30 ms",
        f"{with_it * 1000:.0f} ms in all, {without * 1000:.0f} ms in the same Python, user-managed",
        overhead <= 30,
    )


def conda_row(tmp: Path) -> Row:
    """Time a conda environment whose lock and packages are cached, beside linking the same with rattler alone."""
    _see_tests()
    from conda_channel import conda_channel

    channel = conda_channel()
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    specs = [f"python={minor}", "purelib", "tinylib"]
    environment = Environment("conda")
    environment.python.conda_dependencies = CondaDependencies.from_dict(
        {"channels": [channel.as_uri()], "dependencies": [*specs]}
    )
    who = submitter()
    recipe = recipe_of(environment, who)
    assert recipe is not None and recipe.kind == "conda"

    def ours() -> float:
        cache = EnvironmentCache()
        found = cache.entry(recipe.key).built()
        if found is not None:
            remove_built(cache, found.key)
        begin = time.perf_counter()
        begin_build(recipe, who).follow(_quiet)
        return time.perf_counter() - begin

    alone = _alternating(ours, lambda: _rattler_alone(channel, specs, tmp))
    return Row(
        "conda environment ready, packages cached",
        f"{alone[0]:.2f} s",
        "<= 0.60 s",
        f"py-rattler alone, solve and link, its process included {alone[1]:.2f} s",
        alone[0] <= 0.6,
    )


def _rattler_alone(channel: Path, specs: list[str], tmp: Path) -> float:
    program = (
        "import asyncio, os, rattler, sys\n"
        "async def main():\n"
        "    specs = [rattler.MatchSpec(text, strict=False) for text in sys.argv[5:]]\n"
        "    virtual = [each.into_generic() for each in rattler.VirtualPackage.detect()]\n"
        "    records = await rattler.solve(sources=[sys.argv[1]], specs=specs, gateway=rattler.Gateway(),\n"
        "        platforms=[sys.argv[2], 'noarch'], virtual_packages=virtual)\n"
        "    await rattler.install(records, sys.argv[3], cache_dir=sys.argv[4], show_progress=False)\n"
        "asyncio.run(main())\n"
        "os._exit(0)\n"  # its threads crash, now and then, an interpreter that is taken down in order
    )
    prefix = tmp / "rattler-alone"
    shutil.rmtree(prefix, ignore_errors=True)
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program, channel.as_uri(), conda_platform(), prefix, tmp / "rattler-pkgs", *specs],
        check=True,
    )
    return time.perf_counter() - begin


def pip_row(tmp: Path) -> Row:
    """Time pandas and scikit-learn from nothing: resolve, make the environment, install; each with an empty cache of uv's."""
    who = submitter()

    def ours() -> float:
        with tempfile.TemporaryDirectory(dir=tmp) as empty:
            os.environ["UV_CACHE_DIR"] = f"{empty}/uv"
            os.environ["AML_USER_DATA"] = f"{empty}/data"
            try:
                here = submitter()
                recipe = recipe_of(_pip_environment(list(PACKAGES)), here)
                assert recipe is not None
                begin = time.perf_counter()
                begin_build(recipe, here).follow(_quiet)
                return time.perf_counter() - begin
            finally:
                os.environ["AML_USER_DATA"] = before
                del os.environ["UV_CACHE_DIR"]

    def alone() -> float:
        with tempfile.TemporaryDirectory(dir=tmp) as empty:
            environment = {**os.environ, "UV_CACHE_DIR": f"{empty}/uv"}
            prefix = f"{empty}/env"
            begin = time.perf_counter()
            for command in (
                [uv_program(), "venv", "-q", "--python", str(who["python"]), prefix],
                [uv_program(), "pip", "install", "-q", "--python", f"{prefix}/bin/python", *PACKAGES],
            ):
                subprocess.run(command, check=True, env=environment, cwd=empty)
            return time.perf_counter() - begin

    before = os.environ["AML_USER_DATA"]
    measured, peer = _alternating(ours, alone, times=3)
    return Row(
        "pandas and scikit-learn with pip, cold",
        f"{measured:.1f} s",
        "<= 1.2x uv",
        f"uv venv + uv pip install {peer:.1f} s ({measured / peer:.2f}x)",
        measured <= 1.2 * peer,
    )


def docker_row(folder: WorkspaceFolder, tmp: Path) -> Row:
    """Time from submit to the first line in a container, beside `docker run` of the same image on the same engine."""
    _see_tests()
    from base_images import PYTHON_IMAGE, load_images
    from engine_packages import why_no_engine
    from engine_process import Engine

    what, budget = "Docker: submit to first line, p50", "<= 1.3x docker run"
    obstacle = why_no_engine()
    if obstacle is not None:
        return Row(what, "not measured", budget, obstacle, True)
    project = tmp / "container"
    project.mkdir()
    program = "import time; print(time.time(), flush=True)"
    (project / "script.py").write_text(program)
    engine = Engine()
    before = os.environ.get("DOCKER_HOST")
    try:
        engine.start()
        load_images(engine.host, PYTHON_IMAGE)
        os.environ["DOCKER_HOST"] = engine.host
        config = ScriptRunConfig(source_directory=str(project), script="script.py")
        config.run_config.environment.docker.base_image = PYTHON_IMAGE
        config.run_config.environment.python.user_managed_dependencies = True

        def ours() -> float:
            begin = time.time()
            run = wait_for_run(folder, submit(folder, SubmitRequest(config, "bench")).run.id, timeout=120)
            log = folder.layout.run(run.id).attempt(1).control / "user_logs" / "std_log.txt"
            return float(log.read_text()) - begin

        def theirs() -> float:
            begin = time.time()
            command = ["/usr/bin/docker", "-H", engine.host, "run", "--rm", PYTHON_IMAGE, "python", "-c", program]
            return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) - begin

        measured, peer = _alternating(ours, theirs, times=11)
        stop_service(folder)
    finally:
        engine.close()
        os.environ.pop("DOCKER_HOST")
        if before is not None:
            os.environ["DOCKER_HOST"] = before
    told = f"docker run --rm {peer * 1000:.0f} ms ({measured / peer:.2f}x)"
    return Row(what, f"{measured * 1000:.0f} ms", budget, told, measured <= 1.3 * peer)


def _see_tests() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def _alternating(ours: Callable[[], float], theirs: Callable[[], float], times: int = 5) -> tuple[float, float]:
    """Return the medians of both, measured by turns, after one turn that does not count."""
    pairs = [(ours(), theirs()) for _ in range(times + 1)][1:]
    one, other = (statistics.median(taken) for taken in zip(*pairs, strict=True))
    return one, other


def _pip_environment(packages: list[str]) -> Environment:
    environment = Environment("bench")
    environment.python.conda_dependencies = CondaDependencies.from_dict({"dependencies": [{"pip": packages}]})
    return environment


def _quiet(_: str) -> None:
    pass
