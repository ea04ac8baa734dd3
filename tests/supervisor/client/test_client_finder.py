"""Inside a run ``azureml`` is ours where we have it, and the installed one's where we do not."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest
from missing_parts import NOTHING_TO_TEST
from supervisor.client.inrun import Attempt

import aml_jupyter
from aml_jupyter.supervisor import served

NAMES = """
from azureml.core import Run, Experiment, Workspace
from azureml.core.run import Run as Second, get_run, _OfflineRun
from azureml.exceptions import UserErrorException, AzureMLException
import azureml.core
assert Run is Second is azureml.core.Run and issubclass(UserErrorException, AzureMLException)
"""


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """Return a Python without aml-jupyter: a virtual environment with nothing in it."""
    import venv

    venv.EnvBuilder(symlinks=True, with_pip=False).create(tmp_path / "bare")
    return str(tmp_path / "bare" / "bin" / "python")


@pytest.fixture
def site_packages(bare: str, tmp_path: Path) -> Path:
    return next((tmp_path / "bare" / "lib").glob("python3*/site-packages"))


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def install_azureml(folder: Path) -> None:
    """Lay out what azureml-core and azureml-train look like: one package, several distributions."""
    extend = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    write(
        folder,
        {
            "azureml/__init__.py": extend,
            "azureml/core/__init__.py": """
                from .workspace import Workspace
                from azureml.core.run import Run
                from .endpoint import Endpoint
                from .dataset import Dataset
                from azureml.exceptions import NotOurs
                from azureml._common import marker
                VERSION = "1.61.0"
            """,
            "azureml/core/workspace.py": "from azureml._commands import Command\nclass Workspace: real = True\n",
            "azureml/_commands.py": "from azureml.core.endpoint import Endpoint\nclass Command: pass\n",
            # the two import each other; they work in this order only: _commands, endpoint
            "azureml/core/endpoint.py": "from azureml import _commands\nclass Endpoint: pass\n",
            "azureml/exceptions/__init__.py": "from ._inner import NotOurs, UserErrorException\n",
            "azureml/exceptions/_inner.py": "class NotOurs(Exception): pass\nclass UserErrorException(Exception): pass\n",
            "azureml/core/run.py": "class Run: real = True\ndef helper(): return 'real helper'\n",
            "azureml/core/dataset.py": "from azureml.core import Run\nclass Dataset: run = Run\n",
            "azureml/_common.py": "marker = 'marked'\n",
        },
    )


def test_ours_is_served_on_a_bare_python(attempt: Attempt, bare: str) -> None:
    out = attempt.run(
        NAMES
        + """
from aml_jupyter import Run as Third
assert Third is Run
run = Run.get_context()
run.log("a", 1)
print(run, "aml_jupyter" in Run.__module__, azureml.core.VERSION)
""",
        bare,
    )
    assert out == f"Run(Id: exp_1_abcdef12) False {aml_jupyter.__version__}\n"
    assert [event["n"] for event in attempt.events()] == ["a"]


def test_what_is_missing_says_so(attempt: Attempt, bare: str) -> None:
    out = attempt.run(
        """
        import importlib.util
        for line in ("from azureml.core import Dataset", "import azureml.train.hyperdrive", "from azureml.core import Nope",
                     "from azureml.core import ScriptRunConfig", "import azureml.nope", "import aml_jupyter.sdk",
                     "from azureml.core.authentication import MsiAuthentication"):
            try:
                exec(line)
            except ImportError as error:
                print(error)
        import azureml.core
        print(hasattr(azureml.core, "Dataset"), importlib.util.find_spec("azureml.core.run") is not None)
        try:
            azureml.core.Datastore
        except AttributeError as error:
            print(error)
        """,
        bare,
    )
    lines = out.splitlines()
    there = "What there is in azureml.core: Experiment, Keyvault, Model, Run, Workspace, get_run"
    assert lines[0] == (
        "azureml.core.Dataset cannot be imported inside this run: it is not built yet in aml-jupyter. " + there
    )
    assert lines[1].startswith(
        "azureml.train cannot be imported inside this run: only azureml.train.hyperdrive is built; install aml-jupyter"
    )
    assert lines[2].startswith("cannot import name 'Nope' from 'azureml.core'")
    assert "install aml-jupyter in the run's environment" in lines[3]
    assert lines[4] == "No module named 'azureml.nope'"
    assert "aml-jupyter is not installed in the run's environment" in lines[5]
    assert "azureml.core.authentication" in lines[6] and "install aml-jupyter" in lines[6]
    assert lines[7] == "False True"
    assert lines[8].startswith("azureml.core.Datastore cannot be imported inside this run")


def test_the_installed_one_answers_for_what_ours_lacks(attempt: Attempt, bare: str, site_packages: Path) -> None:
    install_azureml(site_packages)
    write(attempt.work / "more", {"azureml/train/hyperdrive.py": "here = True\n"})
    out = attempt.run(
        NAMES
        + """
import sys
sys.path.append("more")
from azureml.core import Dataset
from azureml.core.dataset import Dataset as Same
from azureml.core.run import helper
import azureml._common, azureml.train.hyperdrive
print(hasattr(Run, "real"), Dataset is Same, Dataset.run is Run, helper(), azureml.core.marker, azureml.train.hyperdrive.here)
""",
        bare,
    )
    assert out == "False True True real helper marked True\n"


def test_an_installed_run_configuration_is_sent(attempt: Attempt, bare: str, site_packages: Path) -> None:
    install_azureml(site_packages)
    write(
        site_packages,
        {
            "azureml/core/_serialization_utils.py": "def _serialize_to_dict(entity): return dict(entity.__dict__)\n",
            "azureml/core/runconfig.py": """
                from azureml.core._serialization_utils import _serialize_to_dict
                class RunConfiguration:
                    def __init__(self): self.target = "gpu-box"
            """,
        },
    )
    out = attempt.run(
        """
        from azureml.core.runconfig import RunConfiguration
        from azureml.core import Run
        import aml_supervisor.client.submission as submission
        print(submission.config_fields({"script": "a.py", "run_config": RunConfiguration()})["run_config"])
        """,
        bare,
    )
    assert out == "{'target': 'gpu-box'}\n"


def test_the_order_can_be_turned_round(attempt: Attempt, bare: str, site_packages: Path) -> None:
    text = """
        from azureml.core import Run
        print(hasattr(Run, "real"))
    """
    assert attempt.run(text, bare, AML_AZUREML="installed") == "False\n"
    install_azureml(site_packages)
    assert attempt.run(text, bare, AML_AZUREML="installed") == "True\n"
    assert attempt.run(text, bare) == "False\n"


def test_a_broken_installed_one_does_not_hide_the_cause(attempt: Attempt, bare: str, site_packages: Path) -> None:
    install_azureml(site_packages)
    write(site_packages, {"azureml/_common.py": "import no_such_dependency\n"})
    out = attempt.run(
        """
        from azureml.core import Run
        import azureml.core
        try:
            azureml.core.Dataset
        except AttributeError as error:
            print(error)
        try:
            from azureml.core import Dataset
        except ImportError as error:
            print(error)
        """,
        bare,
    )
    assert out.splitlines() == 2 * [
        "the installed azureml.core cannot be loaded: ModuleNotFoundError: No module named 'no_such_dependency'"
    ]


def test_an_installed_aml_jupyter_is_left_alone_and_answers_too(attempt: Attempt) -> None:
    out = attempt.run(
        NAMES
        + """
from azureml.core import ScriptRunConfig
from azureml.core.runconfig import RunConfiguration
import aml_jupyter, aml_jupyter.config
assert ScriptRunConfig is aml_jupyter.config.ScriptRunConfig and RunConfiguration is aml_jupyter.config.RunConfiguration
first = Run.get_context()
import aml_jupyter.supervisor.client
assert aml_jupyter.supervisor.client.get_context() is first, "one object per process and run"
print(Run.__module__)
"""
    )
    assert out == "aml_supervisor.client.run\n"


def test_outside_a_run_nothing_is_served(attempt: Attempt, bare: str) -> None:
    text = """
        import sys
        print(any(hasattr(finder, "aml_bundle") for finder in sys.meta_path))
        try:
            import azureml
        except ImportError as error:
            print(error)
    """
    assert attempt.run(text, bare, AML_RUN_ID="") == "False\nNo module named 'azureml'\n"


def test_the_environments_own_sitecustomize_runs_too(attempt: Attempt, bare: str, site_packages: Path) -> None:
    if subprocess.run([bare, "-c", "import sitecustomize"], capture_output=True).returncode == 0:
        pytest.skip(
            NOTHING_TO_TEST
            + "this Python's sitecustomize lies in its standard library (Debian's does), before the environment's"
        )
    write(site_packages, {"sitecustomize.py": "import sys\nsys.own_was_here = __file__\n"})
    text = """
        import sys, sitecustomize
        print(sys.own_was_here == sitecustomize.__file__, any(hasattr(finder, "aml_bundle") for finder in sys.meta_path))
        from azureml.core import Run
    """
    assert attempt.run(text, bare) == "True True\n"
    write(site_packages, {"sitecustomize.py": "raise RuntimeError('broken by its owner')\n"})
    assert attempt.run("from azureml.core import Run\nprint('works')", bare) == "works\n"
    assert "broken by its owner" in attempt.stderr


def test_a_start_inside_a_run_costs_little(attempt: Attempt, bare: str) -> None:
    out = attempt.run(
        """
        import sys, time
        heavy = {"json", "threading", "uuid", "socket", "zipimport", "importlib.util", "aml_supervisor"} & set(sys.modules)
        del sys.modules["sitecustomize"]
        sys.meta_path.pop(0)
        start = time.process_time()
        import sitecustomize
        print((time.process_time() - start) * 1000, *heavy)
        """,
        bare,
    )
    milliseconds, *heavy = out.split()
    assert float(milliseconds) < 5 and set(heavy) <= {"importlib.util", "zipimport"}


def test_the_metadata_names_this_version(attempt: Attempt, bare: str) -> None:
    out = attempt.run("import importlib.metadata as m; print(m.version('aml-supervisor'))", bare)
    assert out.strip() == aml_jupyter.__version__ == served.VERSION
