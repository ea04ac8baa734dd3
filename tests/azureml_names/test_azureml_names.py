"""SDK v1's import names are served from a ``.pth`` file, by whatever way the package was installed."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import aml_jupyter
from aml_jupyter import config, errors, sdk
from aml_jupyter.config import sweeps as config_of_sweeps

HOOK = Path(__file__).parents[2] / "aml_jupyter" / "azureml" / "site" / "aml_jupyter_azureml.pth"
WHERE = {
    "azureml.core": "ComputeTarget Environment Experiment Run RunConfiguration ScriptRunConfig Workspace",
    "azureml.core.run": "Run",
    "azureml.core.workspace": "Workspace",
    "azureml.core.experiment": "Experiment",
    "azureml.core.script_run_config": "ScriptRunConfig",
    "azureml.core.runconfig": "DEFAULT_CPU_IMAGE DEFAULT_GPU_IMAGE RunConfiguration DockerConfiguration MpiConfiguration "
    "CondaDependencies DockerSection PythonSection SparkSection",
    "azureml.core.environment": "CondaDependencies Environment",
    "azureml.core.conda_dependencies": "CondaDependencies",
    "azureml.core.container_registry": "ContainerRegistry",
    "azureml.core.compute": "AmlCompute ComputeInstance ComputeTarget DatabricksCompute HDInsightCompute RemoteCompute",
    "azureml.core.compute_target": "ComputeTarget ComputeTargetException",
    "azureml.exceptions": "ActivityFailedException ComputeTargetException UserErrorException",
    "azureml.train.hyperdrive": "BanditPolicy BayesianParameterSampling EarlyTerminationPolicy GridParameterSampling "
    "HyperDriveConfig HyperDriveRun HyperParameterSampling MedianStoppingPolicy NoTerminationPolicy PrimaryMetricGoal "
    "RandomParameterSampling TruncationSelectionPolicy choice lognormal loguniform normal qlognormal qloguniform qnormal "
    "quniform randint uniform",
    "azureml.train.hyperdrive.parameter_expressions": "choice lognormal loguniform normal qlognormal qloguniform qnormal "
    "quniform randint uniform",
    "azureml.train.hyperdrive.policy": "BanditPolicy MedianStoppingPolicy NoTerminationPolicy TruncationSelectionPolicy",
    "azureml.train.hyperdrive.sampling": "BayesianParameterSampling GridParameterSampling RandomParameterSampling",
    "azureml.train.hyperdrive.runconfig": "HyperDriveConfig PrimaryMetricGoal",
}


def python(*arguments: str, program: str | Path = sys.executable, **variables: str) -> str:
    """Run a Python away from the checkout and return what it prints; its standard error has to stay empty."""
    environment = {name: value for name, value in os.environ.items() if name not in ("AML_RUN_ID", "PYTHONPATH")}
    done = subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, cwd="/", env={**environment, **variables}
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", WHERE)
def test_a_name_is_the_class_of_this_package(module: str) -> None:
    found = importlib.import_module(module)
    assert found.__name__ == module
    assert Path(str(found.__file__)).parts.count("aml_jupyter") >= 1
    for name in WHERE[module].split():
        ours = next(getattr(room, name) for room in (sdk, config, config_of_sweeps, errors) if hasattr(room, name))
        assert getattr(found, name) is ours
    assert list(found.__all__) == sorted(
        found.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


def test_what_is_to_come_says_so_at_its_import() -> None:
    for module in (
        "azureml.train.estimator",
        "azureml.pipeline.steps",
        "azureml.core.dataset",
    ):
        with pytest.raises(ModuleNotFoundError, match="is not built yet"):
            importlib.import_module(module)
    for module in ("azureml.core.webservice", "azureml.train.automl", "azureml.train.automl.run", "azureml.core.image"):
        with pytest.raises(ModuleNotFoundError, match="is not here, and not planned"):
            importlib.import_module(module)
    with pytest.raises(ImportError, match=r"azureml\.core\.model\.InferenceConfig is not built yet"):
        from azureml.core.model import InferenceConfig  # noqa: F401
    with pytest.raises(ImportError, match=r"azureml\.core\.Dataset is not built yet"):
        from azureml.core import Dataset  # noqa: F401
    with pytest.raises(ImportError, match=r"azureml\.train\.hyperdrive\.search is not built yet"):
        from azureml.train.hyperdrive import search  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'azureml\.nonsense'"):
        importlib.import_module("azureml.nonsense")
    with pytest.raises(ImportError, match="cannot import name 'Nonsense'"):
        from azureml.core import Nonsense  # noqa: F401


def test_authentication_is_accepted_and_dropped() -> None:
    from azureml.core.authentication import (
        ArmTokenAuthentication,
        ServicePrincipalAuthentication,
        TokenAuthentication,
    )

    auth = ServicePrincipalAuthentication("tenant", "id", service_principal_password="secret")
    assert vars(auth) == {}
    assert vars(TokenAuthentication(lambda: "token")) == vars(ArmTokenAuthentication("token")) == {}
    assert sdk.Workspace.from_config(auth=auth).name == "default"


def test_an_offline_run_is_known_by_its_class() -> None:
    from azureml.core.run import Run, _OfflineRun

    assert isinstance(Run.get_context(), _OfflineRun)
    assert Run.get_context().id.startswith("OfflineRun_")


def test_run_details_show_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from azureml.widgets import RunDetails

    experiment = sdk.Experiment(sdk.Workspace.from_config(), "shown")
    shown: list[object] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    with experiment.start_logging() as run:
        RunDetails(run).show()
    assert shown == [run]


def test_nothing_is_imported_until_it_is_asked_for() -> None:
    loaded = python("-c", "import sys; print(*(name for name in sys.modules if 'aml' in name))")
    assert [name for name in loaded.split() if not name.startswith("__editable__")] == []


def test_the_hook_is_the_last_finder_and_absent_in_a_run() -> None:
    text = "import sys; print(*(getattr(finder, '__name__', '') for finder in sys.meta_path))"
    assert python("-c", text).split()[-1] == "AzuremlHook"
    assert python("-c", text, AML_AZUREML="self").split()[0] == "AzuremlHook"
    assert "AzuremlHook" not in python("-c", text, AML_RUN_ID="run_1")


def test_the_hook_costs_less_than_a_millisecond() -> None:
    timed = "start = time.process_time(); exec(line); print(time.process_time() - start)"
    text = f"import time; line = open({str(HOOK)!r}).read(); {timed}"
    assert min(float(python("-c", text)) for _ in range(5)) < 0.001


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """A stand-in for azureml-core and another distribution that shares the name, on a path of their own."""
    for name, text in {"__init__": "", "core/__init__": "who = 'theirs'", "other": "who = 'theirs'"}.items():
        path = tmp_path / "installed" / "azureml" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path / "installed")


def test_an_installed_sdk_goes_first_unless_told_otherwise(installed: str) -> None:
    core = "import azureml.core; print(azureml.core.__file__)"
    other = "import azureml.other; print(azureml.other.who)"
    assert python("-c", core, PYTHONPATH=installed).startswith(installed)
    assert "aml_jupyter" in python("-c", core, PYTHONPATH=installed, AML_AZUREML="self")
    assert python("-c", other, PYTHONPATH=installed) == "theirs"
    assert python("-c", other, PYTHONPATH=installed, AML_AZUREML="self") == "theirs"


def test_what_an_installed_distribution_lacks_is_served(installed: str) -> None:
    shutil.rmtree(Path(installed) / "azureml" / "core")
    text = "import azureml.core.run, azureml.other; print(azureml.core.run.__file__, azureml.other.who, sep='\\n')"
    where, who = python("-c", text, PYTHONPATH=installed).splitlines()
    assert "aml_jupyter" in where
    assert who == "theirs"


@pytest.fixture(scope="module")
def venvs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two new environments without dependencies: one with the wheel, one with an editable install."""
    root = tmp_path_factory.mktemp("venvs")
    checkout = Path(__file__).parents[2]
    if not (checkout / "pyproject.toml").is_file():
        pytest.skip("the tests do not run from a checkout: there is nothing to build")
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "build", "-q", "--wheel", str(checkout), "-o", str(root / "dist")], check=True)
    wheel = next((root / "dist").glob("*.whl"))
    pythons = {}
    for name, source in {"wheel": [str(wheel)], "editable": ["-e", str(checkout)]}.items():
        subprocess.run([*uv, "venv", "-q", "-p", sys.executable, str(root / name)], check=True)
        pythons[name] = root / name / "bin" / "python"
        subprocess.run([*uv, "pip", "install", "-q", "--no-deps", "--python", str(pythons[name]), *source], check=True)
    return pythons


@pytest.mark.parametrize("way", ["wheel", "editable"])
def test_every_way_of_installing_serves_the_names(venvs: dict[str, Path], way: str) -> None:
    program = venvs[way]
    text = "import azureml, importlib.util; print(azureml.__name__, importlib.util.find_spec('azureml.core.run').name)"
    assert python("-c", text, program=program) == "azureml azureml.core.run"
    assert (
        python("-c", "import aml_jupyter; print(aml_jupyter.__version__)", program=program) == aml_jupyter.__version__
    )


def test_an_interpreter_with_half_of_the_package_still_works(venvs: dict[str, Path]) -> None:
    site = next((venvs["wheel"].parents[1] / "lib").glob("python*")) / "site-packages"
    assert not (site / "azureml").exists()
    shutil.rmtree(site / "aml_jupyter")
    assert python("-c", "print('fine')", program=venvs["wheel"]) == "fine"
    text = "import importlib.util; print(importlib.util.find_spec('azureml'))"
    assert python("-c", text, program=venvs["wheel"]) == "None"


def test_older_names_of_the_same_are_there() -> None:
    from azureml.core import Experiment, Run, ScriptRun, ScriptRunConfig, Workspace
    from azureml.core.environment import Environment
    from azureml.core.runconfig import MPI_CPU_IMAGE, DockerEnvironment, EnvironmentDefinition, RunConfiguration
    from azureml.core.script_run import ScriptRun as OfModule
    from azureml.exceptions import AuthenticationException, AzureMLException, RunConfigurationException

    assert ScriptRun is OfModule is Run
    assert EnvironmentDefinition is Environment
    assert isinstance(RunConfiguration().environment.docker, DockerEnvironment)
    assert RunConfiguration().environment.docker.base_image == MPI_CPU_IMAGE
    with pytest.raises(RunConfigurationException):
        RunConfiguration(framework="Cobol")
    with pytest.raises(AzureMLException) as caught:
        Experiment(Workspace.from_config(), "names").submit(ScriptRunConfig("nowhere", "train.py"))
    assert not isinstance(caught.value, AuthenticationException)
