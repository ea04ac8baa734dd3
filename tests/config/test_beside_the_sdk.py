"""What the real azureml-core 1.61 saves means the same here, and the reverse; packages and ignore files agree."""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_packages import python_with_azureml_core
from supervisor.client.chart_bodies import BODIES

from aml_jupyter.config import CondaDependencies, DataReferenceConfiguration, RunConfiguration
from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor.client.errors import UserErrorException
from aml_jupyter.supervisor.client.offline import OfflineRun
from aml_jupyter.workspace.snapshots.ignore import IgnoreRules, read_rules

HERE = Path(__file__).parent
Ask = Callable[[list[dict[str, Any]]], list[Any]]
TREES = 1000


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return a function that has the SDK answer requests, in a home folder of its own."""
    python = python_with_azureml_core()
    home = tmp_path_factory.mktemp("home")

    def put(requests: list[dict[str, Any]]) -> list[Any]:
        done = subprocess.run(
            [python, str(HERE / "said_by_the_sdk.py")],
            input=json.dumps(requests),
            capture_output=True,
            text=True,
            timeout=150,
            env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
            cwd=home,
        )
        assert done.returncode == 0, done.stderr
        answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
        return answers

    return put


def _settings(dice: random.Random) -> dict[str, Any]:
    """Return attributes of a run configuration with random values."""
    words = ["train.py", "a b", "é", "true", "007", "x: y", "#1", "'", "~", "null", "1e3", "line\nbreak"]
    possible: dict[str, Any] = {
        "script": dice.choice(["train.py", "sub/main.py"]),
        "arguments": dice.sample(words, 3),
        "target": dice.choice(["local", "gpu-box"]),
        "framework": dice.choice(["Python", "PySpark", "TensorFlow", "PyTorch"]),
        "communicator": dice.choice(["None", "ParameterServer", "OpenMpi", "IntelMpi"]),
        "node_count": dice.randint(1, 9),
        "max_run_duration_seconds": dice.choice([None, 60, 2592000]),
        "history.output_collection": dice.random() < 0.5,
        "history.directories_to_watch": dice.sample(["logs", "my logs", "a/b"], 2),
        "hdi.yarn_deploy_mode": dice.choice(["cluster", "client"]),
        "tensorflow.worker_count": dice.randint(1, 4),
        "mpi.process_count_per_node": dice.randint(1, 4),
        "spark.configuration": {"spark.app.name": dice.choice(words), "spark.executor.cores": dice.randint(1, 8)},
        "environment.name": dice.choice(["mine", "my-environment"]),
        "environment.environment_variables": {"my_Variable": dice.choice(words), "B": "2"},
        "environment.python.user_managed_dependencies": dice.random() < 0.5,
        "environment.python.interpreter_path": dice.choice(["python", "/usr/bin/python3"]),
        "environment.docker.enabled": dice.random() < 0.5,
        "environment.docker.base_image": dice.choice(["python:3.12", "mcr.microsoft.com/azureml/base:0.2.2"]),
        "environment.docker.shm_size": dice.choice(["2g", "512m"]),
        "environment_variables": {"C_c": dice.choice(words)},
        "docker.use_docker": dice.random() < 0.5,
        "docker.arguments": dice.sample(words, 2),
        "amlcompute.vm_size": dice.choice(["STANDARD_D2_V2", None]),
        "environment.python.conda_dependencies": {
            "conda_packages": dice.sample(["scikit-learn", "numpy=1.26", "pandas"], 2),
            "pip_packages": dice.sample(["azureml-sdk", "azureml-defaults[a]", "flask==3", "requests>=2,<3"], 2),
        },
        "data_references": {"mydata": {"datastore_name": "store", "mode": dice.choice(["mount", "download"])}},
    }
    return {key: possible[key] for key in possible if dice.random() < 0.5}


def _made(settings: dict[str, Any]) -> RunConfiguration:
    config = RunConfiguration()
    for path, value in settings.items():
        *parents, name = path.split(".")
        holder: Any = config
        for parent in parents:
            holder = getattr(holder, parent)
        if name == "conda_dependencies":
            value = CondaDependencies.create(**value)
        elif name == "data_references":
            value = {key: DataReferenceConfiguration(**entry) for key, entry in value.items()}
        setattr(holder, name, value)
    return config


def _requests(tmp_path: Path, act: str) -> list[dict[str, Any]]:
    dice = random.Random(61)
    requests = []
    for number in range(60):
        folder = tmp_path / str(number)
        (folder / ".azureml").mkdir(parents=True)
        requests.append({"act": act, "folder": str(folder), "name": "mine", "settings": _settings(dice)})
    return requests


def test_what_the_sdk_saves_means_the_same_here(ask: Ask, tmp_path: Path) -> None:
    requests = _requests(tmp_path, "save")
    for request, said in zip(requests, ask(requests), strict=True):
        config = RunConfiguration.load(request["folder"], request["name"])
        assert config.notes == []
        assert config.to_dict() == said, request["settings"]


def test_what_is_saved_here_means_the_same_to_the_sdk(ask: Ask, tmp_path: Path) -> None:
    requests = _requests(tmp_path, "load")
    configs = [_made(request["settings"]) for request in requests]
    for request, config in zip(requests, configs, strict=True):
        config.save(request["folder"], request["name"])
    for request, config, said in zip(requests, configs, ask(requests), strict=True):
        assert config.to_dict() == said, request["settings"]


def test_packages_are_changed_alike(ask: Ask) -> None:
    dice = random.Random(161)
    # here Numpy and numpy are one package, as they are to pip; the SDK takes them for two
    names = ["numpy", "numpy==2.0", "scikit-learn>=1", "azureml-core", "azureml-defaults", "-x", "pip", "numpy<3"]
    # of a conda package the newest word stands; the SDK keeps both, and conda has to find one that suits them
    conda = ["numpy", "scipy=1.11", "pip", "pytorch::pytorch"]
    methods = {
        "add_conda_package": [*conda, "python=3.9"],
        "remove_conda_package": conda,
        "add_pip_package": names,
        "remove_pip_package": names,
        "add_channel": ["conda-forge", "pytorch"],
        "remove_channel": ["anaconda", "pytorch"],
        "set_python_version": ["3.11", "3.9.1"],
        "add_tensorflow_pip_package": ["cpu", "gpu", "tpu"],
        "add_tensorflow_conda_package": ["cpu", "gpu"],
        "add_cntk_package": ["cpu", "gpu", 3],
        "set_pip_option": ["--pre", "--index-url https://a", "no-option"],
    }
    requests = []
    for _ in range(150):
        create: dict[str, Any] = {
            "pip_packages": dice.sample(names[:5], 2),
            "conda_packages": dice.sample(conda, 2),
        }
        acts = []
        for _ in range(6):
            method = dice.choice(list(methods))
            acts.append([method, dice.choice(methods[method])])
        # which packages it pins depends on the packages that the SDK finds beside it
        create = {**(create if dice.random() < 0.7 else {}), "pin_sdk_version": False}
        requests.append({"act": "packages", "create": create, "acts": acts})
    for request, said in zip(requests, ask(requests), strict=True):
        made = CondaDependencies.create(**request["create"])
        done = []
        for method, value in request["acts"]:
            try:
                getattr(made, method)(value)
                done.append("done")
            except AmlError:
                done.append("refused")
        assert {
            "acts": done,
            "content": made.as_dict(),
            "conda": list(made.conda_packages),
            "pip": list(made.pip_packages),
            "options": list(made.pip_options),
            "channels": list(made.conda_channels),
        } == said, request


def test_what_was_logged_reads_back_in_the_shapes_of_the_sdk(ask: Ask) -> None:
    dice = random.Random(13)
    plain: list[Any] = [1, -2, 0, 2.5, 1e9]
    words: list[Any] = ["a", "é", ""]
    requests = []
    for _ in range(150):
        logged: list[list[Any]] = []
        for name in dice.sample(["loss", "acc", "seen"], 2):
            values = dice.choice([plain, words, [True, False]])
            for _ in range(dice.randint(1, 3)):
                drawn = [dice.choice(values) for _ in range(dice.randint(0, 3))]
                logged.append(
                    dice.choice([["log", name, dice.choice(values)], ["log_list", name, drawn], ["log", name, drawn]])
                )
        for _ in range(dice.randint(1, 3)):
            count = dice.randint(1, 3)
            column = [dice.randint(0, 9) for _ in range(count)]
            texts = ["x"] * dice.choice([count, count, count + 1])
            logged.append(
                dice.choice(
                    [
                        ["log_row", "table", {"n": dice.randint(0, 9), "t": "y"}],
                        ["log_table", "table", {"n": column, "t": texts}],
                        ["log_table", "table", {"n": 4, "t": "z"}],
                        ["log_row", "table", {"n": [1], "t": "y"}],
                    ]
                )
            )
        requests.append({"act": "metrics", "logged": logged})
    for request, said in zip(requests, ask(requests), strict=True):
        run = OfflineRun()
        refused = []
        for number, (method, name, value) in enumerate(request["logged"]):
            try:
                getattr(run, method)(name, **value) if method == "log_row" else getattr(run, method)(name, value)
            except UserErrorException:
                refused.append(number)
        assert {"refused": refused, "metrics": run.get_metrics()} == said, request
        assert json.dumps(run.get_metrics(), sort_keys=True) == json.dumps(said["metrics"], sort_keys=True), request


@pytest.mark.parametrize("kind", BODIES)
def test_typed_charts_are_kept_as_the_same_json(ask: Ask, kind: str) -> None:
    bodies: list[Any] = [BODIES[kind], json.dumps(BODIES[kind])]
    answers = ask([{"act": "chart", "kind": kind, "name": "my chart", "value": body} for body in [*bodies, "{no JSON"]])
    assert answers.pop() is None
    for body, (name, text) in zip(bodies, answers, strict=True):
        run = OfflineRun()
        getattr(run, f"log_{kind}")("my chart", body)
        (kept,) = run.get_file_names()
        with tempfile.TemporaryDirectory() as folder:
            run.download_file(kept, f"{folder}/chart")
            mine = Path(folder, "chart").read_text("utf-8")
        assert kept == name and json.loads(mine) == json.loads(text) == BODIES[kind]
    with pytest.raises(UserErrorException, match="Invalid JSON provided"):
        getattr(OfflineRun(), f"log_{kind}")("my chart", "{no JSON")


PLAIN = ["a", "b.txt", "*.txt", "/a", "a/b.txt", "c*", "/sub/a"]
ODD = ["a/", "!a", "!b.txt", "*", "!sub/", "/sub/*", "!/sub/b.txt", "**/b.txt", "sub/**", "!a/b.txt", "# c", ""]


def _plant(root: Path, dice: random.Random) -> bool:
    """Make a random tree with an ignore file; tell whether that has plain patterns only."""
    names = ["a", "b.txt", "c.py", "sub", "deep"]

    def fill(folder: Path, level: int) -> None:
        folder.mkdir()
        for name in dice.sample(names, 4):
            if level < 3 and dice.random() < 0.4:
                fill(folder / name, level + 1)
            else:
                (folder / name).write_text("x")

    fill(root, 0)
    is_plain = dice.random() < 0.5
    lines = [dice.choice(PLAIN if is_plain else PLAIN + ODD) for _ in range(dice.randint(1, 4))]
    (root / dice.choice([".amlignore", ".gitignore"])).write_text("\n".join(lines) + "\n")
    return is_plain


def _kept(folder: Path, root: Path, rules: IgnoreRules) -> list[str]:
    found = []
    for path in sorted(folder.iterdir()):
        relative = path.relative_to(root).as_posix()
        rule = rules.decide(relative, path.name, path.is_dir())
        if rule is None or rule.negated:
            found += _kept(path, root, rules) if path.is_dir() else [relative]
    return found


def test_ignore_files_decide_alike_where_the_patterns_mean_what_git_means(ask: Ask, tmp_path: Path) -> None:
    """See docs/snapshots.md: patterns mean what they mean to git; the SDK departs from that in places."""
    dice = random.Random(1061)
    roots = [tmp_path / f"tree-{number}" for number in range(TREES)]
    plain = [_plant(root, dice) for root in roots]
    answers = ask([{"act": "kept", "folder": str(root)} for root in roots])
    repository = tmp_path / "git"
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    differing = 0
    for root, is_plain, said in zip(roots, plain, answers, strict=True):
        ours = _kept(root, root, read_rules(str(root), exclude_defaults=False))
        if sorted(ours) == sorted(said):
            continue
        (ignore,) = [root / name for name in (".amlignore", ".gitignore") if (root / name).exists()]
        assert not is_plain, (ignore.read_text(), ours, said)
        command = ["git", f"--git-dir={repository}", "-c", "core.bare=false", f"--work-tree={root}"]
        listed = subprocess.run(
            [*command, "ls-files", "--others", "-z", f"--exclude-from={ignore}"],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        )
        assert sorted(ours) == sorted(filter(None, listed.stdout.split("\0"))), ignore.read_text()
        differing += 1
    assert 0 < differing < TREES / 4
