"""Load and save run configurations as files: search order, round trips, what survives."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aml_jupyter.config import CondaDependencies, RunConfiguration
from aml_jupyter.errors import ConfigurationError, UserErrorException

Project = Callable[..., Path]
KINDS = ("template", "sdk_1_61")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_file_stays_as_it_is_to_the_byte(project: Project, kind: str) -> None:
    root = project(kind)
    file = root / ".azureml" / f"{kind}.runconfig"
    conda = root / ".azureml" / "conda_dependencies.yml"
    before, packages = file.read_bytes(), conda.read_bytes()
    config = RunConfiguration.load(root, kind)
    config.save()
    config.save(root, kind)
    config.save(file)
    assert (file.read_bytes(), conda.read_bytes()) == (before, packages)
    assert sorted(os.listdir(root / ".azureml")) == ["conda_dependencies.yml", f"{kind}.runconfig"]


def test_a_changed_value_changes_its_line_only(project: Project) -> None:
    root = project("template")
    file = root / ".azureml" / "template.runconfig"
    before = file.read_text()
    config = RunConfiguration.load(root, "template")
    config.node_count = 4
    config.environment.environment_variables["another_Name"] = 3  # type: ignore[assignment]
    config.save()
    after = file.read_text()
    assert "nodeCount: 4\n" in after
    changed = after.replace("nodeCount: 4", "nodeCount: 1").replace("    another_Name: '3'\n", "")
    assert changed == before
    again = RunConfiguration.load(root, "template")
    assert again.environment.environment_variables["another_Name"] == "3"
    assert again == config


def test_what_the_template_says_is_read(project: Project) -> None:
    config = RunConfiguration.load(project("template"), "template")
    assert config.script == "train.py"
    assert config.arguments == ["--alpha", "0.03"]
    assert config.target == "local"
    assert config.target_is_set
    assert config.communicator == "None"
    assert config.environment.python.user_managed_dependencies is True
    assert config.environment.environment_variables == {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE", "my_Own_name": "kept"}
    assert config.environment.python.conda_dependencies is not None
    assert config.environment.python.conda_dependencies.get_python_version() == "3.6.2"
    assert config.environment.docker.base_image == "mcr.microsoft.com/azureml/base:intelmpi2018.3-ubuntu16.04"
    assert config.environment.docker.shm_size is None
    assert config.amlcompute.cluster_max_node_count == 1
    assert config.notes == []


def test_comments_and_quotes_in_the_conda_file_survive_a_new_package(project: Project) -> None:
    root = project("sdk_1_61")
    config = RunConfiguration.load(root, "sdk_1_61")
    assert config.environment.python.conda_dependencies is not None
    config.environment.python.conda_dependencies.add_pip_package("numpy==2.0")
    config.save()
    written = (root / ".azureml" / "conda_dependencies.yml").read_text()
    assert "# Required packages for AzureML" in written
    assert written.startswith("# Conda environment specification.")
    assert "  - numpy==2.0\n\nchannels:" in written


def test_the_old_folder_wins_where_both_exist(project: Project) -> None:
    project("template", folder="aml_config")
    root = project("sdk_1_61", folder=".azureml")
    assert RunConfiguration.load(root, "template").script == "train.py"
    with pytest.raises(UserErrorException, match=r"is not searched while .*aml_config exists"):
        RunConfiguration.load(root, "sdk_1_61")


def test_the_search_goes_from_the_plain_name_to_the_project_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project("template")
    folder = root / ".azureml"
    (root / "outer.runconfig").write_text("environment: {}\nscript: outer.py\n")
    assert RunConfiguration.load(root, "outer").script == "outer.py"
    (folder / "outer.runconfig").write_text("environment: {}\nscript: ending.py\n")
    assert RunConfiguration.load(root, "outer").script == "ending.py"
    (folder / "outer").write_text("environment: {}\nscript: plain.py\n")
    assert RunConfiguration.load(root, "outer").script == "plain.py"
    monkeypatch.chdir(root)
    assert RunConfiguration.load(name="outer").script == "plain.py"
    assert RunConfiguration.load(folder / "outer.runconfig").script == "ending.py"


def test_the_keywords_of_the_first_sdk_work(project: Project) -> None:
    class Project:
        project_directory = str(project("template"))

    assert RunConfiguration.load(project_object=Project(), run_config_name="template").script == "train.py"


def test_a_missing_name_is_refused_with_the_nearest(project: Project) -> None:
    with pytest.raises(
        UserErrorException, match=r"Failed to load RunConfiguration from path=.* name=templat.*template"
    ):
        RunConfiguration.load(project("template"), "templat")
    RunConfiguration().save(project(), "saved")
    with pytest.raises(UserErrorException, match=r"did you mean saved\? Known: saved, template\."):
        RunConfiguration.load(project(), "svaed")


def test_a_file_named_directly_finds_what_it_refers_to(project: Project) -> None:
    root = project("sdk_1_61")
    config = RunConfiguration.load(root / ".azureml" / "sdk_1_61.runconfig")
    assert config.environment.python.conda_dependencies is not None
    assert config.environment.python.conda_dependencies.get_python_version() == "3.6.2"


def test_a_missing_conda_file_is_named_with_its_line(project: Project) -> None:
    root = project("sdk_1_61")
    (root / ".azureml" / "conda_dependencies.yml").unlink()
    with pytest.raises(
        ConfigurationError, match=r"line 17, environment\.python\.condaDependenciesFile: .*no file .*project"
    ):
        RunConfiguration.load(root, "sdk_1_61")


def test_a_new_configuration_is_written_in_the_order_of_the_sdk(project: Project) -> None:
    root = project()
    (root / ".azureml" / "conda_dependencies.yml").unlink()
    config = RunConfiguration(script="train.py")
    config.target = "gpu-box"
    config.save(root, "fresh")
    assert (root / ".azureml" / "fresh").read_text() == (Path(__file__).parent / "files/sdk_1_61.runconfig").read_text()
    assert RunConfiguration.load(root, "fresh") == config


def test_the_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    RunConfiguration().save(tmp_path, "train")
    assert (tmp_path / ".azureml" / "train").is_file()


def test_saving_under_a_name_changes_the_file_that_has_it(project: Project) -> None:
    root = project("template")
    config = RunConfiguration.load(root, "template")
    config.script = "other.py"
    config.save(root, "template")
    assert not (root / ".azureml" / "template").exists()
    assert RunConfiguration.load(root, "template").script == "other.py"


def test_packages_of_another_configuration_are_never_overwritten(project: Project) -> None:
    root = project("sdk_1_61")
    shared = (root / ".azureml" / "conda_dependencies.yml").read_bytes()
    config = RunConfiguration(conda_dependencies=CondaDependencies.create(pip_packages=["numpy"]))
    config.save(root, "mine")
    assert (root / ".azureml" / "conda_dependencies.yml").read_bytes() == shared
    assert RunConfiguration.load(root, "mine") == config
    copied = RunConfiguration.load(root, "sdk_1_61")
    assert copied.environment.python.conda_dependencies is not None
    copied.environment.python.conda_dependencies.add_conda_package("scipy")
    copied.save(root, "copy")
    assert (root / ".azureml" / "conda_dependencies.yml").read_bytes() == shared
    assert RunConfiguration.load(root, "copy") == copied


def test_a_loaded_configuration_keeps_its_comments_in_another_folder(project: Project, tmp_path: Path) -> None:
    config = RunConfiguration.load(project("template"), "template")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config.save(elsewhere, "moved")
    written = (elsewhere / ".azureml" / "moved").read_text()
    assert "# The arguments to the script file." in written
    assert RunConfiguration.load(elsewhere, "moved") == config


def test_the_environment_can_stand_in_a_file_of_its_own(project: Project) -> None:
    root = project()
    config = RunConfiguration(script="train.py")
    config.save(root, "apart", separate_environment_yaml=True)
    assert "environment: .azureml/environment.yml\n" in (root / ".azureml" / "apart").read_text()
    file = root / ".azureml" / "environment.yml"
    file.write_text("# mine\n" + file.read_text())
    before = (root / ".azureml" / "apart").read_bytes()
    loaded = RunConfiguration.load(root, "apart")
    assert loaded == config
    loaded.environment.version = "7"
    loaded.save()
    assert (root / ".azureml" / "apart").read_bytes() == before
    assert file.read_text().startswith("# mine\n")
    assert RunConfiguration.load(root / ".azureml" / "apart").environment.version == "7"


def test_unknown_keys_are_kept_and_reported_once(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    root = project("sdk_1_61", extra="nodeCuont: 3\nteam:\n  Our_Key: [1, 2]\n")
    config = RunConfiguration.load(root, "sdk_1_61")
    assert len(config.notes) == 2
    assert "nodeCuont: unknown key" in config.notes[0]
    assert "did you mean nodeCount?" in config.notes[0]
    assert sum("nodeCuont" in record.message for record in caplog.records) == 1
    config.node_count = 2
    config.save()
    text = (root / ".azureml" / "sdk_1_61.runconfig").read_text()
    assert text.endswith("nodeCuont: 3\nteam:\n  Our_Key: [1, 2]\n")
    again = RunConfiguration.load(root, "sdk_1_61")
    assert again.to_dict()["team"] == {"Our_Key": [1, 2]}
    assert sum("nodeCuont" in record.message for record in caplog.records) == 1


def test_a_line_ending_of_windows_and_a_mark_at_the_start_survive(project: Project) -> None:
    root = project()
    file = root / ".azureml" / "win.runconfig"
    file.write_bytes(b"\xef\xbb\xbfscript: train.py\r\nnodeCount: 1\r\nenvironment:\r\n  name: e\r\n  version: 1\r\n")
    config = RunConfiguration.load(root, "win")
    config.node_count = 2
    config.save()
    assert file.read_bytes() == (
        b"\xef\xbb\xbfscript: train.py\r\nnodeCount: 2\r\nenvironment:\r\n  name: e\r\n  version: 1\r\n"
    )


def test_a_link_and_the_rights_of_a_file_survive(project: Project, tmp_path: Path) -> None:
    root = project("template")
    real = tmp_path / "shared.runconfig"
    link = root / ".azureml" / "template.runconfig"
    link.rename(real)
    real.chmod(0o640)
    link.symlink_to(real)
    config = RunConfiguration.load(root, "template")
    config.node_count = 2
    config.save()
    assert link.is_symlink()
    assert "nodeCount: 2" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_saving_needs_a_name_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserErrorException, match="Name the run configuration"):
        RunConfiguration().save(tmp_path)
    with pytest.raises(UserErrorException, match="does not exist"):
        RunConfiguration().save(tmp_path / "no" / "such.runconfig")
    with pytest.raises(UserErrorException, match="plain name"):
        RunConfiguration().save(tmp_path, "../outside")


def test_delete_removes_the_file_and_names_what_there_is(project: Project) -> None:
    root = project("template", "sdk_1_61")
    RunConfiguration.delete(root, "template")
    assert not (root / ".azureml" / "template.runconfig").exists()
    with pytest.raises(UserErrorException, match=r"no run configuration 'sdk_1_62'.*did you mean sdk_1_61"):
        RunConfiguration.delete(root, "sdk_1_62")
    RunConfiguration().save(root, "mine")
    with pytest.raises(UserErrorException, match=r"which one is not said.*has: mine, sdk_1_61"):
        RunConfiguration.load(root)
    RunConfiguration.delete(root, "mine")
    assert not (root / ".azureml" / "mine").exists()
    with pytest.raises(UserErrorException, match=r"no run configuration 'conda_dependencies\.yml'"):
        RunConfiguration.delete(root, "conda_dependencies.yml")


def test_a_password_is_never_written(project: Project) -> None:
    root = project()
    config = RunConfiguration(script="train.py")
    config.environment.docker.base_image_registry.password = "hunter2"
    config.save(root, "secret")
    assert "hunter2" not in (root / ".azureml" / "secret").read_text()
    assert "hunter2" not in str(config.to_dict())
    assert "hunter2" not in repr(config)
