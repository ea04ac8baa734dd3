"""Environments as SDK v1's notebooks use them: register, get, list, build, and what a run had."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from wheels import make_wheel

from aml_jupyter import Environment, Run, ScriptRunConfig, Workspace
from aml_jupyter.config import CondaDependencies
from aml_jupyter.errors import UserErrorException


def packages(*pip: str, options: tuple[str, ...] = ()) -> CondaDependencies:
    made = CondaDependencies.create(pip_packages=list(pip))
    for option in options:
        made.set_pip_option(option)
    return made


def test_versions_are_sdk_v1s(ws: Workspace) -> None:
    env = Environment("my-env")
    env.python.conda_dependencies = packages("numpy")
    registered = env.register(workspace=ws)
    assert (registered.name, registered.version) == ("my-env", "1")
    assert env.register(ws).version == "1"
    env.python.conda_dependencies.add_pip_package("scipy")
    assert env.register(ws).version == "2"
    assert Environment.get(workspace=ws, name="my-env").version == "2"
    first = Environment.get(ws, "my-env", version="1")
    assert list(first.python.conda_dependencies.pip_packages) == ["numpy"]
    assert Environment.get(ws, "my-env", label="Latest").version == "2"
    listed = Environment.list(workspace=ws)
    assert listed["my-env"].version == "2" and "AmlJupyter-Sklearn" in listed
    assert ws.environments["my-env"].name == "my-env" and "my-env" in ws.environments()
    with pytest.raises(UserErrorException, match="did you mean my-env"):
        Environment.get(ws, "my_env")
    with pytest.raises(UserErrorException, match="'Latest' is the only label"):
        Environment.get(ws, "my-env", label="stable")


def test_a_version_that_was_read_and_changed_is_not_overwritten(
    ws: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    env = Environment("my-env")
    env.python.conda_dependencies = packages("numpy")
    env.register(ws)
    read = Environment.get(ws, "my-env")
    read.python.conda_dependencies.add_pip_package("scipy")
    assert read.register(ws).version == "2"
    assert "version 1 of environment 'my-env' is another one" in caplog.text
    copied = Environment.get(ws, "my-env").clone("mine")
    assert (copied.register(ws).version, copied.name) == ("1", "mine")


def test_azures_curated_ones_are_found_and_it_is_said(ws: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    curated = Environment.get(workspace=ws, name="AzureML-Tutorial")
    assert curated.name == "AmlJupyter-DataScience" and "stands in for it" in caplog.text
    clone = curated.clone("tutorial")
    clone.python.conda_dependencies.add_pip_package("seaborn")
    assert clone.register(ws).version == "1"


def test_a_build_can_be_waited_for_and_is_found_by_the_run(
    ws: Workspace,
    configure: Callable[..., ScriptRunConfig],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    env = Environment("tiny")
    env.python.conda_dependencies = packages("tiny", options=("--no-index", f"--find-links {tmp_path / 'wheels'}"))
    env = env.register(ws)
    build = env.build(workspace=ws)
    build.wait_for_completion(show_output=True)
    said = capsys.readouterr().out
    assert "installing 1 packages" in said and said.count("Building Python") == 1 and "is ready" in said
    assert build.status == "Succeeded" and Path(build.log_path).read_text() in said
    config = configure("import tiny\nprint(tiny.__version__)\n")
    config.run_config.environment = env
    run = ws_submit(ws, config)
    assert run.wait_for_completion(show_output=False)["status"] == "Completed"
    assert "Preparing" not in run.get_details()["status"]
    had = run.get_environment()
    assert (had.name, had.version) == ("tiny", "1")
    env.build_local(ws)
    assert "is ready" in capsys.readouterr().out


def ws_submit(ws: Workspace, config: ScriptRunConfig) -> Run:
    from aml_jupyter import Experiment

    return Experiment(ws, "environments").submit(config)


def test_a_build_that_fails_says_which_package(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    env = Environment("none")
    env.python.conda_dependencies = packages(
        "no-such-package", options=("--no-index", f"--find-links {tmp_path / 'wheels'}")
    )
    build = env.build(ws)
    with pytest.raises(UserErrorException, match=r"could not be built.*no-such-package.*build\.log"):
        build.wait_for_completion(show_output=False)
    assert build.status == "Failed"


def test_an_environment_of_a_python_that_is_there_needs_no_build(
    ws: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    env = Environment("mine")
    env.python.user_managed_dependencies = True
    build = env.build(ws)
    build.wait_for_completion()
    assert build.status == "Succeeded" and "Nothing is built" in capsys.readouterr().out
    env.python.interpreter_path = "/nowhere/python"
    with pytest.raises(UserErrorException, match="/nowhere/python"):
        env.build(ws)


def test_packages_of_a_conda_environment_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONDA_ENVS_PATH", str(tmp_path / "envs"))
    prefix = tmp_path / "envs" / "science"
    (prefix / "conda-meta").mkdir(parents=True)
    for name, version, build, channel in (
        ("python", "3.11.4", "hab00c5b_0_cpython", "https://conda.anaconda.org/conda-forge/linux-64"),
        ("numpy", "1.26.0", "py311h64a7726_0", "conda-forge"),
        ("zlib", "1.2.13", "h5eee18b_0", "https://repo.anaconda.com/pkgs/main/linux-64"),
    ):
        record = {"name": name, "version": version, "build": build, "channel": channel}
        (prefix / "conda-meta" / f"{name}-{version}-{build}.json").write_text(json.dumps(record))
    for name, version, installer in (("tiny_pkg", "1.0", "pip"), ("numpy", "1.26.0", "conda")):
        info = prefix / "lib" / "python3.11" / "site-packages" / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "INSTALLER").write_text(installer)
    for named in ("science", str(prefix)):
        env = Environment.from_existing_conda_environment("mine", named)
        content = env.python.conda_dependencies.as_dict()
        assert content["channels"] == ["conda-forge", "defaults"]
        assert content["dependencies"] == [
            "python=3.11.4=hab00c5b_0_cpython",
            "numpy=1.26.0=py311h64a7726_0",
            "zlib=1.2.13=h5eee18b_0",
            {"pip": ["tiny-pkg==1.0"]},
        ]
    with pytest.raises(UserErrorException, match="did you mean science"):
        Environment.from_existing_conda_environment("mine", "sciense")
    with pytest.raises(UserErrorException, match="is no conda environment"):
        Environment.from_existing_conda_environment("mine", str(tmp_path))


def test_a_wheel_that_no_index_has_is_kept_by_the_workspace(
    ws: Workspace, configure: Callable[..., ScriptRunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    wheel = make_wheel(tmp_path / "dist", "tiny", "1.0")
    address = Environment.add_private_pip_wheel(workspace=ws, file_path=str(wheel))
    assert Environment.add_private_pip_wheel(ws, wheel) == address  # the same is no other
    env = Environment("private")
    env.python.conda_dependencies = packages(address)
    wheel.unlink()
    config = configure("import tiny\nassert tiny.__version__ == '1.0'\n")
    config.run_config.environment = env.register(ws)
    assert ws_submit(ws, config).wait_for_completion(show_output=False)["status"] == "Completed"
    make_wheel(tmp_path / "dist", "tiny", "1.0", body="changed = True\n")
    with pytest.raises(UserErrorException, match="exist_ok=True"):
        Environment.add_private_pip_wheel(ws, wheel)
    assert Environment.add_private_pip_wheel(ws, wheel, exist_ok=True) == address
    with pytest.raises(UserErrorException, match=r"a wheel \(\.whl\) was expected"):
        Environment.add_private_pip_wheel(ws, tmp_path / "dist")


def test_sdk_v1s_import_names_have_it(ws: Workspace) -> None:
    assert sys.modules  # the finder serves them wherever the package is installed
    from azureml.core.environment import Environment as TheirName  # type: ignore[import-not-found]

    assert TheirName is Environment
