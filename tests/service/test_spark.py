"""A PySpark script is run by a real spark-submit, with the settings and packages of its configuration."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from debian_packages import need_packages
from engine_process import Engine
from real_packages import python_with
from spark_image import SPARK_IMAGE, load_spark_image
from support import log_of

from aml_jupyter.config import RunConfiguration, ScriptRunConfig
from aml_jupyter.config.environment_sections import SparkPackage
from aml_jupyter.errors import ConfigurationError
from aml_jupyter.service import SubmitRequest, submit, wait_for_run
from aml_jupyter.supervisor.runners.spark import find_spark_submit
from aml_jupyter.workspace import WorkspaceFolder, get_metrics

SCRIPT = """
import sys
from azureml.core import Run
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
run = Run.get_context()
run.log("rows", spark.range(1000).where("id % 7 = 0").count())
print("name", spark.sparkContext.appName, "arguments", sys.argv[1:])
print("jars", spark.sparkContext.getConf().get("spark.jars"))
spark.stop()
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def spark_python() -> str:
    """Return a Python that has pyspark, on a machine that has Java."""
    need_packages(**{"default-jre-headless": "java"})
    return python_with("pyspark", "pyspark==4.0.1", check="import pyspark")


@pytest.fixture
def spark(spark_python: str) -> RunConfiguration:
    """Return a run configuration for PySpark."""
    config = RunConfiguration()
    config.framework = "pyspark"
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = spark_python
    config.spark.configuration = {"spark.app.name": "two words", "spark.ui.enabled": False, "spark.master": "local[1]"}
    return config


def configured(project: Path, config: RunConfiguration, *arguments: str) -> SubmitRequest:
    (project / "count.py").write_text(SCRIPT)
    script = ScriptRunConfig(str(project), "count.py", arguments=list(arguments), run_config=config)
    return SubmitRequest(script, "spark")


def test_a_pyspark_script_gets_its_settings_packages_and_arguments(
    folder: WorkspaceFolder, project: Path, spark: RunConfiguration, tmp_path: Path
) -> None:
    place = tmp_path / "maven" / "org" / "example" / "tiny" / "1.0"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "tiny-1.0.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    (place / "tiny-1.0.pom").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>tiny</artifactId>"
        "<version>1.0</version></project>"
    )
    settings = tmp_path / "ivysettings.xml"  # without the public repositories, which are asked first and for minutes
    settings.write_text(
        '<ivysettings><settings defaultResolver="none"/><resolvers><filesystem name="none"/></resolvers></ivysettings>'
    )
    spark.spark.configuration |= {"spark.jars.ivy": str(tmp_path / "ivy"), "spark.jars.ivySettings": str(settings)}
    spark.environment.spark.repositories = [(tmp_path / "maven").as_uri()]
    spark.environment.spark.packages = [SparkPackage("org.example", "tiny", "1.0")]
    done = wait_for_run(folder, submit(folder, configured(project, spark, "0", "b c")).run.id, timeout=180)
    said = log_of(folder, done.id)
    assert done.status == "Completed", said
    assert get_metrics(folder.store.read(), done.id)["rows"] == 143
    assert "name two words arguments ['0', 'b c']" in said
    assert "org.example_tiny-1.0.jar" in said


def test_the_exit_code_of_a_pyspark_script_is_its_own(
    folder: WorkspaceFolder, project: Path, spark: RunConfiguration
) -> None:
    done = wait_for_run(folder, submit(folder, configured(project, spark, "3")).run.id, timeout=180)
    assert (done.status, done.exit_code) == ("Failed", 3)


def test_a_pyspark_script_runs_in_a_container_whose_image_has_spark(
    engine: Engine, folder: WorkspaceFolder, project: Path, spark: RunConfiguration, spark_python: str
) -> None:
    load_spark_image(engine.host, spark_python)
    spark.environment.docker.base_image = SPARK_IMAGE
    spark.environment.python.interpreter_path = "python"
    spark.target = "docker"
    done = wait_for_run(folder, submit(folder, configured(project, spark, "3", "b c")).run.id, timeout=240)
    said = log_of(folder, done.id)
    assert (done.status, done.exit_code) == ("Failed", 3), (done.error, said)
    assert get_metrics(folder.store.read(), done.id)["rows"] == 143
    assert "name two words arguments ['3', 'b c']" in said


def test_a_python_without_spark_is_refused_before_anything_is_queued(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_HOME", raising=False)
    config = RunConfiguration()
    config.framework = "PySpark"
    with pytest.raises(ConfigurationError, match="no spark-submit beside") as refused:
        submit(folder, configured(project, config))
    assert refused.value.field == "framework" and "--pip pyspark" in str(refused.value)
    assert not folder.layout.runs.exists() or not any(folder.layout.runs.iterdir())


def test_spark_is_found_beside_its_python_in_its_home_and_on_the_path(tmp_path: Path) -> None:
    for name in ("python", "home", "path"):
        program = tmp_path / name / "bin" / "spark-submit"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    variables = {"SPARK_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path" / "bin")}
    assert find_spark_submit(str(tmp_path / "python/bin/python"), variables) == str(
        tmp_path / "python/bin/spark-submit"
    )
    assert find_spark_submit("/nowhere/python", variables) == str(tmp_path / "home/bin/spark-submit")
    assert find_spark_submit("/nowhere/python", {"PATH": variables["PATH"]}) == str(tmp_path / "path/bin/spark-submit")
    assert find_spark_submit("/nowhere/python", {"PATH": ""}) is None
