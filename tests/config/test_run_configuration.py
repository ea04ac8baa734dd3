"""The run configuration as an object: names, defaults, what may be assigned, plain data."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aml_jupyter.config import (
    DataReferenceConfiguration,
    DockerConfiguration,
    Environment,
    MpiConfiguration,
    RunConfiguration,
)
from aml_jupyter.config.keys import camel, folded
from aml_jupyter.errors import ConfigurationError


def test_the_framework_is_matched_whatever_its_case() -> None:
    assert RunConfiguration(framework="python").framework == "Python"
    config = RunConfiguration()
    config.framework = "pyspark"
    assert config.framework == "PySpark"
    assert config.to_dict()["framework"] == "PySpark"


def test_an_unset_target_differs_from_a_written_local() -> None:
    config = RunConfiguration()
    assert (config.target, config.target_is_set) == ("local", False)
    assert config.to_dict()["target"] == "local"
    config.target = "local"
    assert (config.target, config.target_is_set) == ("local", True)
    config.target = None
    assert (config.target, config.target_is_set) == ("local", False)
    assert RunConfiguration.from_dict({"target": "local"}).target_is_set
    assert not RunConfiguration.from_dict({"target": None}).target_is_set
    assert not RunConfiguration.from_dict({}).target_is_set


def test_a_target_may_be_an_object_with_a_name() -> None:
    class Instance:
        name = "instance"

    config = RunConfiguration()
    config.target = Instance()
    assert (config.target, config.target_is_set) == ("instance", True)
    with pytest.raises(ConfigurationError, match=r"RunConfiguration\.target: expected the name of a compute target"):
        config.target = 3


@pytest.mark.parametrize(
    ("holder", "name", "nearest"),
    [
        (RunConfiguration(), "node_cuont", "node_count"),
        (RunConfiguration(), "enviroment", "environment"),
        (RunConfiguration().environment.python, "user_managed_dependancies", "user_managed_dependencies"),
        (RunConfiguration().environment.docker, "base_imgae", "base_image"),
        (RunConfiguration().history, "directory_to_watch", "directories_to_watch"),
        (DockerConfiguration(), "use_dokcer", "use_docker"),
    ],
)
def test_a_misspelt_attribute_names_the_nearest(holder: Any, name: str, nearest: str) -> None:
    expected = f"{type(holder).__name__} has no attribute '{name}'; did you mean {nearest}"
    with pytest.raises(AttributeError, match=expected):
        setattr(holder, name, 1)
    with pytest.raises(AttributeError, match=expected):
        getattr(holder, name)


def test_a_method_is_not_an_attribute_to_assign() -> None:
    with pytest.raises(AttributeError, match="RunConfiguration has no attribute 'save'"):
        RunConfiguration().save = 1  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("false", False),
        ("False", False),
        ("no", False),
        ("off", False),
        (0, False),
        ("yes", True),
        ("TRUE", True),
        (1, True),
    ],
)
def test_a_truth_value_is_read_as_a_person_means_it(written: Any, meant: bool) -> None:
    config = RunConfiguration.from_dict({"history": {"outputCollection": written}})
    assert config.history.output_collection is meant


def test_numbers_in_text_are_numbers_and_numbers_in_arguments_are_text() -> None:
    config = RunConfiguration.from_dict({"nodeCount": "4", "arguments": ["--rate", 0.03, 7, True]})
    assert config.node_count == 4
    assert config.arguments == ["--rate", "0.03", "7", "True"]
    config.arguments.append(1e-5)  # type: ignore[arg-type]
    assert config.to_dict()["arguments"][-1] == "1e-05"
    with pytest.raises(ConfigurationError, match=r"RunConfiguration\.arguments\[1\]: expected text or a number"):
        config.arguments = ["a", ["b"]]
    config.arguments.append([1])  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="expected text or a number, found \\[1\\]"):
        config.to_dict()


def test_numpy_numbers_are_numbers() -> None:
    import numpy

    assert RunConfiguration(arguments=[numpy.float64(0.5), numpy.int64(3)]).arguments == ["0.5", "3"]


def test_a_section_of_the_wrong_kind_is_refused() -> None:
    config = RunConfiguration()
    with pytest.raises(ConfigurationError, match=r"RunConfiguration\.docker: expected DockerConfiguration"):
        config.docker = MpiConfiguration()
    with pytest.raises(ConfigurationError, match=r"RunConfiguration\.environment: expected"):
        config.environment = DockerConfiguration()


def test_names_that_a_person_chose_are_never_renamed() -> None:
    config = RunConfiguration.from_dict(
        {
            "data_references": {
                "my_input": {"data_store_name": "d", "MODE": "Download"},
                "myInput": {"dataStoreName": "e"},
            },
            "environment_variables": {"my_variable": 1, "myVariable": None},
        }
    )
    assert list(config.data_references) == ["my_input", "myInput"]
    assert config.data_references["my_input"].mode == "download"
    assert config.environment_variables == {"my_variable": "1", "myVariable": ""}
    assert list(config.to_dict()["dataReferences"]) == ["my_input", "myInput"]


def test_the_previews_attributes_are_taken_and_not_written_unless_used() -> None:
    config = RunConfiguration()
    assert "containerInstance" not in config.to_dict()
    assert "autoPrepareEnvironment" not in config.to_dict()
    config.auto_prepare_environment = True
    config.prepare_environment = True
    config.container_instance.region = "eastus"
    config.container_instance.cpu_cores = 1
    config.container_instance.memory_gb = 1.5
    written = config.to_dict()
    assert written["containerInstance"] == {"region": "eastus", "cpuCores": 1.0, "memoryGb": 1.5}
    assert written["prepareEnvironment"] is True
    assert RunConfiguration.from_dict(written) == config


def test_it_can_be_copied_and_pickled() -> None:
    config = RunConfiguration(script="train.py", arguments=["a"])
    for copied in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert copied == config
        copied.environment.environment_variables["B"] = "2"
        copied.arguments.append("b")
        assert copied != config
        assert config.arguments == ["a"]


def test_an_environment_is_referred_to_by_name_alone() -> None:
    config = RunConfiguration.from_dict({"environment": {"name": "AzureML-Minimal"}})
    assert config.environment.is_reference
    assert config.to_dict()["environment"] == {"name": "AzureML-Minimal"}
    assert not RunConfiguration().environment.is_reference


def test_a_partial_environment_is_not_filled_with_defaults() -> None:
    config = RunConfiguration.from_dict({"environment": {"python": {"interpreterPath": "/usr/bin/python3"}}})
    assert config.environment.docker.base_image is None
    assert config.environment.python.conda_dependencies is None
    assert config.environment.environment_variables == {}


def test_two_configurations_share_nothing() -> None:
    one, two = RunConfiguration(), RunConfiguration()
    one.arguments.append("a")
    one.environment.environment_variables["A"] = "1"
    one.data_references["d"] = DataReferenceConfiguration("store")
    assert two == RunConfiguration()


def test_plain_data_is_json_and_means_the_same_when_read_again() -> None:
    config = RunConfiguration(script="train.py", framework="pytorch", communicator="nccl", command=["a", "b"])
    config.script = None
    config.environment = Environment("mine")
    config.environment.docker.base_dockerfile = "FROM x"
    config.data_references["in_put"] = DataReferenceConfiguration("store", mode="Upload")
    text = json.dumps(config.to_dict())
    again = RunConfiguration.from_dict(json.loads(text))
    assert again == config
    assert json.dumps(again.to_dict()) == text


def _spellings(key: str) -> st.SearchStrategy[str]:
    snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in key)
    return st.sampled_from([key, snake, key.lower(), key.upper(), key[0].upper() + key[1:], snake.upper()])


@st.composite
def _respelt(draw: st.DrawFn, value: Any, own: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key if own else draw(_spellings(key)): draw(
                _respelt(entry, own=key in ("environmentVariables", "configuration"))
            )
            for key, entry in value.items()
        }
    return value


_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
_name = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,10}", fullmatch=True)


@st.composite
def _configurations(draw: st.DrawFn) -> RunConfiguration:
    config = RunConfiguration(
        script=draw(st.none() | _text), arguments=draw(st.lists(_text | st.integers() | st.floats(-9, 9)))
    )
    config.framework = draw(st.sampled_from(["python", "PYTORCH", "TensorFlow"]))
    config.node_count = draw(st.integers(1, 9))
    config.max_run_duration_seconds = draw(st.none() | st.integers(1, 10**6))
    config.environment_variables = draw(st.dictionaries(_name, _text))
    config.history.directories_to_watch = draw(st.lists(_text))
    config.environment.python.user_managed_dependencies = draw(st.booleans())
    config.environment.python.interpreter_path = draw(_text)
    config.data_references = {name: DataReferenceConfiguration("store") for name in draw(st.sets(_name, max_size=3))}
    return config


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_keys_match_in_any_spelling(data: st.DataObject) -> None:
    config = RunConfiguration(script="train.py", arguments=["a"])
    config.environment.environment_variables["my_Own"] = "x"
    written = config.to_dict()
    conda = written["environment"]["python"].pop("condaDependencies")
    respelt = data.draw(_respelt(written))
    read = RunConfiguration.from_dict(respelt)
    read.environment.python.conda_dependencies = RunConfiguration().environment.python.conda_dependencies
    written["environment"]["python"]["condaDependencies"] = conda
    assert read.to_dict() == written
    assert read.notes == []


@given(_configurations())
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_again(config: RunConfiguration) -> None:
    assert RunConfiguration.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@given(_configurations(), _configurations())
@settings(max_examples=12, deadline=None)
def test_a_file_is_changed_to_any_other_configuration(
    tmp_path_factory: pytest.TempPathFactory, one: RunConfiguration, other: RunConfiguration
) -> None:
    folder: Path = tmp_path_factory.mktemp("round")
    one.save(folder, "train")
    loaded = RunConfiguration.load(folder, "train")
    assert loaded == one
    for name in (
        "script",
        "arguments",
        "framework",
        "node_count",
        "environment_variables",
        "history",
        "data_references",
    ):
        setattr(loaded, name, getattr(other, name))
    loaded.save()
    assert RunConfiguration.load(folder, "train") == loaded


@pytest.mark.parametrize("name", ["node_count", "max_run_duration_seconds", "script", "_target"])
def test_key_and_attribute_are_one_name(name: str) -> None:
    assert folded(camel(name)) == folded(name)
