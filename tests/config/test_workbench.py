"""Files of Azure ML Workbench (2017) mean what they meant, and are saved in their own words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aml_jupyter.config import RunConfiguration, refuse_unbuilt
from aml_jupyter.errors import ConfigurationError

FILES = Path(__file__).parent / "files" / "workbench"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FILES, tmp_path / "project"))


def _write(project: Path, text: str, name: str = "mine") -> RunConfiguration:
    (project / "aml_config" / f"{name}.runconfig").write_text(text)
    return RunConfiguration.load(project, name)


def test_a_local_run_uses_its_own_python_and_says_so(project: Path) -> None:
    config = RunConfiguration.load(project, "local")
    assert (config.script, config.arguments) == ("train.py", ["--rate", "0.03"])
    assert (config.target, config.target_is_set, config.framework) == ("local", True, "Python")
    assert config.declared_variables() == {"my_Own": "kept", "NUMBER": "7"}
    assert config.environment.python.user_managed_dependencies
    assert config.environment.python.conda_dependencies is None
    assert config.tracked_run and config.prepare_environment is False
    assert len(config.notes) == 1
    assert "conda_dependencies.yml is not used on local" in config.notes[0]
    refuse_unbuilt(config)


def test_a_broken_conda_file_does_not_stop_a_local_run(project: Path) -> None:
    (project / "aml_config" / "conda_dependencies.yml").write_text("dependencies: [")
    assert RunConfiguration.load(project, "local").script == "train.py"


def test_a_container_on_this_machine(project: Path) -> None:
    config = RunConfiguration.load(project, "docker")
    assert (config.script, config.arguments, config.target) == (None, [], "local")
    assert config.environment.docker.enabled
    assert config.environment.docker.base_image == "microsoft/mmlspark:plus-0.7.91"
    assert config.environment.python.conda_dependencies is not None
    assert "scikit-learn" in list(config.environment.python.conda_dependencies.conda_packages)
    assert config.prepare_environment is config.auto_prepare_environment is True
    refuse_unbuilt(config)  # nothing of it is unbuilt


def test_what_a_compute_file_says_in_vain_is_told(project: Path) -> None:
    path = project / "aml_config" / "docker.compute"
    path.write_text(
        path.read_text().replace("nvidiaDocker: false", "nvidiaDocker: true") + "nativeSharedDirectory: ~/share\n"
    )
    told = "\n".join(RunConfiguration.load(project, "docker").notes)
    assert "docker.compute, nvidiaDocker: it has no effect: a run sees the GPUs that it asks for" in told
    assert "AZUREML_NATIVE_SHARE_DIRECTORY is not set" in told


def test_gpus_for_a_container_are_said_to_be_asked_for_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "gpu.runconfig"
    for value, count in (("true", 1), ('"True"', 1), ("false", 0)):
        path.write_text(f"script: train.py\nenvironment:\n  docker:\n    enabled: true\n    gpuSupport: {value}\n")
        notes = RunConfiguration.load(path).notes
        assert len([note for note in notes if "gpuSupport" in note and "--gpus 1" in note]) == count


def test_spark_on_a_cluster(project: Path) -> None:
    config = RunConfiguration.load(project, "myhdi")
    assert (config.script, config.arguments) == ("etl.py", ["./Config/storage.json", "FILTER_IP"])
    assert (config.target, config.framework, config.node_count) == ("myhdi", "PySpark", 3)
    assert config.hdi.yarn_deploy_mode == "client"
    assert config.spark.configuration["spark.executor.cores"] == 4
    assert [package.artifact for package in config.environment.spark.packages] == ["mmlspark_2.11"]
    assert config.environment.spark.repositories == ["https://mmlspark.azureedge.net/maven"]
    assert not config.tracked_run
    assert "AzureMlSecret" not in repr(config)


def test_variables_without_indentation_are_variables(project: Path) -> None:
    config = RunConfiguration.load(project, "myhdi")
    assert config.environment.environment_variables == {"EXAMPLE_ENV_VAR1": "Example Value1", "OTHER_VAR": "2"}
    assert config.prepare_environment is True
    said = [note for note in config.notes if "EnvironmentVariables" in note]
    assert len(said) == 1 and "line 5" in said[0] and "not indented" in said[0]


def test_the_block_of_the_page_alone(project: Path) -> None:
    text = 'EnvironmentVariables:\n"EXAMPLE_ENV_VAR1": "Example Value1"\n"small": x\nplain: y\n'
    config = _write(project, text)
    assert config.declared_variables() == {"EXAMPLE_ENV_VAR1": "Example Value1", "small": "x"}
    assert any("plain: unknown key" in note for note in config.notes)
    assert config.target_is_set is False
    assert config.framework == "Python"


@pytest.mark.parametrize("name", ["local", "docker", "myhdi"])
def test_an_unchanged_file_stays_as_it_is_to_the_byte(project: Path, name: str) -> None:
    before = {path.name: path.read_bytes() for path in (project / "aml_config").iterdir()}
    config = RunConfiguration.load(project, name)
    config.save()
    RunConfiguration.load(project / "aml_config" / f"{name}.runconfig").save()
    assert {path.name: path.read_bytes() for path in (project / "aml_config").iterdir()} == before


def test_a_changed_file_keeps_its_own_words(project: Path) -> None:
    file = project / "aml_config" / "local.runconfig"
    before = file.read_text()
    config = RunConfiguration.load(project, "local")
    config.arguments = ["--rate", "0.1"]
    config.target = "gpu-box"
    config.environment.environment_variables["Second"] = "2"
    config.tracked_run = False
    config.save()
    changed = before.replace("- 0.03   # a number", "- '0.1'  # a number").replace("Target: local", "Target: gpu-box")
    changed = changed.replace("  NUMBER: 7\n", "  NUMBER: 7\n  Second: '2'\n").replace(
        "TrackedRun: true", "TrackedRun: false"
    )
    assert file.read_text() == changed
    again = RunConfiguration.load(project, "local")
    assert (again.target, again.arguments, again.tracked_run) == ("gpu-box", ["--rate", "0.1"], False)


def test_what_2017_could_not_say_is_written_beside_it(project: Path) -> None:
    config = RunConfiguration.load(project, "local")
    config.node_count = 4
    config.environment.python.interpreter_path = "/usr/bin/python3"
    config.save()
    text = (project / "aml_config" / "local.runconfig").read_text()
    assert "UseSampling: true" in text and "nodeCount: 4" in text and "ArgumentVector" in text
    again = RunConfiguration.load(project, "local")
    assert again == config
    again.node_count = 1
    again.save()
    assert RunConfiguration.load(project, "local") == again


def test_changed_loose_variables_are_put_in_order(project: Path) -> None:
    config = RunConfiguration.load(project, "myhdi")
    config.environment.environment_variables["third"] = "3"
    config.save()
    again = RunConfiguration.load(project, "myhdi")
    assert again.environment.environment_variables == {
        "EXAMPLE_ENV_VAR1": "Example Value1",
        "OTHER_VAR": "2",
        "third": "3",
    }
    assert not any("not indented" in note for note in again.notes)


def test_changed_packages_go_to_the_conda_file(project: Path) -> None:
    config = RunConfiguration.load(project, "docker")
    assert config.environment.python.conda_dependencies is not None
    config.environment.python.conda_dependencies.add_conda_package("pandas")
    config.save()
    text = (project / "aml_config" / "conda_dependencies.yml").read_text()
    assert "- pandas" in text and "# for the models" in text
    assert RunConfiguration.load(project, "docker") == config


def test_a_new_configuration_over_an_old_file(project: Path) -> None:
    config = RunConfiguration(script="other.py")
    config.save(project, "local")
    text = (project / "aml_config" / "local.runconfig").read_text()
    assert "ArgumentVector:\n- other.py" in text
    again = RunConfiguration.load(project, "local")
    assert again.script == "other.py"
    assert again.environment.python.conda_dependencies == config.environment.python.conda_dependencies


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ArgumentVector: []\n", r"line 1, ArgumentVector: ArgumentVector in runconfig cannot be empty"),
        ("ArgumentVector: [a.py]\nFramework: Pyton\n", r"line 2, Framework: expected one of Python, PySpark"),
        ("ArgumentVector: a.py b\n", r"line 1, ArgumentVector: expected a list \(write each word"),
        ("Target: x\nCondaDependenciesFile: no.yml\n", r"CondaDependenciesFile: expected the path of a conda"),
        ("Target: x\nTrackedRun: perhaps\n", r"line 2, TrackedRun: expected true or false"),
    ],
)
def test_a_wrong_value_is_named(project: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        _write(project, text)


def test_a_misspelt_key_names_the_nearest_of_its_generation(project: Path) -> None:
    config = _write(project, "ArgumentVector: [a.py]\nTarget: local\nTrackdRun: false\nFramework: Python\n")
    assert any("TrackdRun: unknown key" in note and "did you mean TrackedRun?" in note for note in config.notes)


def test_a_broken_compute_file_is_named_itself(project: Path) -> None:
    (project / "aml_config" / "local.compute").write_text("type: locl\n")
    with pytest.raises(ConfigurationError, match=r"local\.compute, line 1, type: expected one of local, docker"):
        RunConfiguration.load(project, "local")


def test_titlecase_keys_of_the_sdk_stay_the_sdks() -> None:
    config = RunConfiguration.from_dict({"Script": "a.py", "Target": "local", "Framework": "python", "Environment": {}})
    assert (config.script, config.framework) == ("a.py", "Python")
