"""A broken file is refused with the file, the line, the key, and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from aml_jupyter.config import CondaDependencies, RunConfiguration
from aml_jupyter.errors import ConfigurationError

ENVIRONMENT = "environment:\n  name: e\n  version: 1\n"


def _refusal(tmp_path: Path, text: str | bytes) -> str:
    file = tmp_path / "broken.runconfig"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        RunConfiguration.load(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    return message.removeprefix(str(file))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodeCount: four\n", ", line 4, nodeCount: expected a whole number of at least 1, found 'four'."),
        ("nodeCount: 0\n", ", line 4, nodeCount: expected a whole number of at least 1, found 0."),
        ("node_count: [1]\n", ", line 4, node_count: expected a whole number of at least 1, found [1]."),
        (
            "framework: Pyton\n",
            ", line 4, framework: expected one of Python, PySpark, CNTK, TensorFlow, PyTorch, found 'Pyton'.",
        ),
        (
            "history:\n  outputCollection: perhaps\n",
            ", line 5, history.outputCollection: expected true or false, found",
        ),
        ("history: 3\n", ", line 4, history: expected a mapping (key: value), found 3."),
        ("arguments: --alpha 0.1\n", ", line 4, arguments: expected a list (write each word as an item of its own)"),
        ("arguments:\n- a\n- [b]\n", ", line 6, arguments[1]: expected text or a number, found ['b']."),
        ("arguments:\n- a\n-\n", ", line 6, arguments[1]: expected text or a number, found nothing."),
        (
            "dataReferences:\n  my_input:\n    mode: mount\n",
            ", line 5, dataReferences.my_input: expected a dataStoreName",
        ),
        (
            "dataReferences:\n  my_input:\n    dataStoreName: d\n    mode: fly\n",
            ", line 7, dataReferences.my_input.mode: expected one of mount, download, upload, found 'fly'.",
        ),
        (
            "environmentVariables:\n  a=b: 1\n",
            ", line 5, environmentVariables.a=b: expected a variable's name without '='",
        ),
        ("nodeCount: 1\nnode_count: 2\n", ", line 5, node_count: the same key stands here twice, also as 'nodeCount'."),
        ("target: [a]\n", ", line 4, target: expected the name of a compute target, or a compute target, found ['a']."),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert _refusal(tmp_path, ENVIRONMENT + text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arguments: [1\nnodeCount: 2\n", ", line 2, nodeCount: expected YAML"),
        (
            "history:\n\toutputCollection: true\n",
            ", line 2, outputCollection: expected indentation with spaces, found a tab.",
        ),
        ("script: a: b\n", ", line 1, script: expected YAML"),
        ("nodeCount: 1\nnodeCount: 2\n", ", line 2, nodeCount: expected each key once, found it a second time."),
        ("script: !!python/object/apply:os.system [ls]\n", ", line 1, script: expected plain YAML without tags"),
        ("script: !include other.yml\n", ", line 1, script: expected plain YAML without tags"),
        ("script: *nowhere\n", ", line 1, script: expected YAML"),
        ("", ": expected a run configuration, found an empty file."),
        ("- script\n", ": expected a mapping (key: value), found ['script']."),
        ("script: \x01\n", ": expected YAML"),
        (b"script: a\nname: \xff\n", ", line 2: expected text in UTF-8, found the byte 0xff."),
        ("[" * 600, ": expected YAML of a few levels"),
    ],
)
def test_broken_yaml_is_named(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert _refusal(tmp_path, text).startswith(expected)


def test_a_value_that_explodes_is_refused(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "found more than 100000 values" in _refusal(tmp_path, "\n".join(levels))


def test_a_value_that_contains_itself_is_refused() -> None:
    team: dict[str, object] = {}
    team["again"] = team
    with pytest.raises(ConfigurationError, match=r"team: expected plain data, found .* a value that contains itself"):
        RunConfiguration.from_dict({"team": team})


def test_a_missing_environment_file_is_named(tmp_path: Path) -> None:
    message = _refusal(tmp_path, "environment: env.yml\n")
    assert message.startswith(", line 1, environment: expected the path of an environment file, found no file ")


def test_a_broken_environment_file_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "env.yml").write_text("name: e\npython:\n  userManagedDependencies: 7\n")
    (tmp_path / "main.runconfig").write_text("environment: env.yml\n")
    with pytest.raises(
        ConfigurationError, match=r"env\.yml, line 3, python\.userManagedDependencies: expected true or"
    ):
        RunConfiguration.load(tmp_path / "main.runconfig")


def test_an_unknown_key_of_a_conda_file_is_refused_in_the_words_of_the_sdk(tmp_path: Path) -> None:
    file = tmp_path / "conda.yml"
    file.write_text("name: e\ndependancies:\n- numpy\n")
    with pytest.raises(
        ConfigurationError,
        match=r"Environment error: unknown dependancies key in environment specification \(.*line 2.*mean dependencies",
    ):
        CondaDependencies(file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dependencies: numpy\n", "line 1, dependencies: expected a list of packages, found 'numpy'"),
        ("dependencies:\n- pip:\n  - a\n  conda: b\n", "line 2, dependencies\\[0\\]: expected a package or 'pip:'"),
        ("dependencies:\n-\n", "line 2, dependencies\\[0\\]: expected a package, found nothing"),
        ("dependencies:\n- pip: numpy\n", "line 2, dependencies\\[0\\].pip: expected a list, found 'numpy'"),
    ],
)
def test_a_wrong_value_of_a_conda_file_is_named(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "conda.yml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=expected):
        CondaDependencies(file)
