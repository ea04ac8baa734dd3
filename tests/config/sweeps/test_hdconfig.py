"""``hdconfig.yml``: the seed's file is read, any case is understood, and what is wrong is named with file, line and value."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import HyperDriveConfig, find_hdconfig, read_hdconfig
from aml_jupyter.errors import ConfigurationError, UserErrorException

FENCED = Path(__file__).parents[2] / "seeds" / "fenced.json"
PLAIN = """\
sampling:
  type: random
  parameter_space:
  - name: --penalty
    expression: choice
    values: [0.5, 1, 1.5]
  - name: --lr
    expression: loguniform
    values: [-6, -1]
policy:
  type: BanditPolicy
  evaluation_interval: 1
  slack_factor: 0.2
primary_metric_name: Accuracy
primary_metric_goal: Maximize
max_total_runs: 8
max_concurrent_runs: 2
max_duration_minutes: 100
"""


LISTED = PLAIN[PLAIN.index("  - name: --penalty") : PLAIN.index("policy:")]
MAPPED = """\
    --penalty: {expression: choice, values: [0.5, 1, 1.5]}
    --lr: {expression: loguniform, values: [-6, -1]}
"""


def load(tmp_path: Path, text: str) -> HyperDriveConfig:
    path = tmp_path / "hdconfig.yml"
    path.write_text(text)
    return HyperDriveConfig.load(path, ScriptRunConfig(".", "train.py"))


def test_the_seeds_file_is_read(tmp_path: Path) -> None:
    text = next(text for text in _strings(json.loads(FENCED.read_text())) if "# hdconfig.yml" in text)
    assert load(tmp_path, text).to_dict() == {
        "generator_config": {"name": "RANDOM", "parameter_space": {"--penalty": ["choice", [[0.5, 1, 1.5]]]}},
        "policy_config": {
            "name": "Bandit",
            "properties": {"evaluation_interval": 1, "delay_evaluation": 0, "slack_factor": 0.2},
        },
        "primary_metric_config": {"name": "Accuracy", "goal": "maximize"},
        "max_total_jobs": 8,
        "max_concurrent_jobs": 2,
        "max_duration_minutes": 100,
    }


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for entry in entries for text in _strings(entry)]


@pytest.mark.parametrize(
    "change",
    [
        ("type: random", "Type: RANDOM"),
        ("type: random", "type: RandomParameterSampling"),
        ("expression: choice", "Expression: Choice"),
        ("type: BanditPolicy", "TYPE: banditpolicy"),
        ("type: BanditPolicy", "type: bandit"),
        ("slack_factor", "slackFactor"),
        ("primary_metric_goal: Maximize", "primaryMetricGoal: MAXIMIZE"),
        ("max_total_runs: 8", "MAX_TOTAL_RUNS: '8'"),
        ("values: [-6, -1]", "values: ['-6', '-1']"),
        (LISTED, MAPPED),
    ],
)
def test_case_and_form_do_not_matter(tmp_path: Path, change: tuple[str, str]) -> None:
    assert change[0] in PLAIN
    assert load(tmp_path, PLAIN.replace(*change)).to_dict() == load(tmp_path, PLAIN).to_dict()


def test_no_policy_and_no_limits_are_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"policy:.*?(?=primary_metric_name)", "", PLAIN, flags=re.S)
    text = "".join(line for line in text.splitlines(True) if "concurrent" not in line and "duration" not in line)
    read = load(tmp_path, text).to_dict()
    assert read["policy_config"] == {"name": "Default"}
    assert (read["max_concurrent_jobs"], read["max_duration_minutes"]) == (8, 10080)


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("expression: choice", "expression: chioce"), 5, "parameter_space[0].expression: .*'chioce'; did you mean choice"),
        (("[0.5, 1, 1.5]", "[]"), 6, "parameter_space[0].values: expected at least one value"),
        (("values: [-6, -1]", "values: [-1, -6]"), 9, "parameter_space[1].values: expected min_value < max_value"),
        (("values: [-6, -1]", "values:\n    - -6\n    - x"), 11, r"values[1]: expected a number for max_value, found 'x'"),
        (("values: [-6, -1]", "values: [-6]"), 9, "expected 2 values for loguniform"),
        (("values: [-6, -1]", ""), 7, "parameter_space[1]: expected the key values"),
        (("name: --lr", "name: penalty"), 7, "found 'penalty' beside '--penalty'"),
        (("type: random", "type: rnadom"), 2, "sampling.type: .*found 'rnadom'; did you mean random"),
        (("type: random", "type: grid"), 3, "parameter_space.--lr: GridParameterSampling takes choice; found loguniform"),
        (("type: random", "typ: random"), 2, "sampling.typ: unknown key, with the value 'random'; did you mean type"),
        (("type: BanditPolicy", "type: BanditPolic"), 11, "policy.type: .*found 'BanditPolic'; did you mean Bandit"),
        (("slack_factor: 0.2", "slack_facter: 0.2"), 13, "slack_facter: unknown key, with the value 0.2; did you mean slack_fac"),
        (("slack_factor: 0.2", "slack_factor: 0.2\n  slack_amount: 0.1"), 13, "exactly one of the two, found 0.2 and 0.1"),
        (("slack_factor: 0.2", ""), 10, "exactly one of the two, found neither"),
        (("evaluation_interval: 1", "evaluation_interval: often"), 12, "evaluation_interval: .*found 'often'"),
        (("type: BanditPolicy", "type: MedianStoppingPolicy"), 13, "policy.slack_factor: unknown key"),
        (("Accuracy", "''"), 14, "primary_metric_name: expected the name of the metric"),
        (("Maximize", "Biggest"), 15, "primary_metric_goal: expected one of MAXIMIZE, MINIMIZE, found 'Biggest'"),
        (("max_total_runs: 8", "max_total_runs: 0"), 16, "max_total_runs: expected a whole number from 1 to 10,000, found 0"),
        (("max_concurrent_runs: 2", "max_concurent_runs: 2"), 17, "did you mean max_concurrent_runs"),
        (("max_total_runs: 8\n", ""), None, "expected the key max_total_runs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_line(
    tmp_path: Path, change: tuple[str, str], line: int | None, said: str
) -> None:
    assert change[0] in PLAIN
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, PLAIN.replace(*change))
    message = str(caught.value)
    start = str(tmp_path / "hdconfig.yml") + ("" if line is None else f", line {line}, ")
    assert message.startswith(start), message
    assert re.search(said.replace("[", r"\["), message), message


@pytest.mark.parametrize(
    "text", ["", "- 1", "sampling: random", "sampling: {type: random, parameter_space: 3}", "a: ["]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"hdconfig\.yml"):
        load(tmp_path, text)


def test_truncation_needs_its_percentage(tmp_path: Path) -> None:
    text = PLAIN.replace("type: BanditPolicy", "type: TruncationSelectionPolicy").replace("  slack_factor: 0.2\n", "")
    with pytest.raises(ConfigurationError, match="policy: TruncationSelectionPolicy needs truncation_percentage"):
        load(tmp_path, text)
    policy = load(tmp_path, text.replace("interval: 1", "interval: 1\n  truncation_percentage: 20")).to_dict()
    assert policy["policy_config"]["properties"]["truncation_percentage"] == 20


def test_a_file_is_found_as_a_path_and_in_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".azureml").mkdir()
    inside = tmp_path / ".azureml" / "hdconfig.yml"
    inside.write_text(PLAIN)
    assert find_hdconfig("hdconfig.yml") == find_hdconfig("hdconfig") == inside
    assert find_hdconfig(str(inside), "/") == inside
    assert read_hdconfig(inside)["max_total_runs"] == 8
    with pytest.raises(UserErrorException, match=r"'hdconfg.yml': there is no such file.*did you mean hdconfig.yml"):
        find_hdconfig("hdconfg.yml")
    (tmp_path / "aml_config").mkdir()
    (tmp_path / "aml_config" / "hdconfig.yml").write_text(PLAIN)
    with pytest.raises(UserErrorException, match=r"found 2: .*\.azureml/hdconfig.yml, .*aml_config/hdconfig.yml"):
        find_hdconfig("hdconfig.yml")
    with pytest.raises(UserErrorException, match=r"Known: hdconfig\.yml\.$"):
        find_hdconfig("another.yml")
