"""Make an image that has Spark: the Python of the tests, Debian's Java, bash, and PySpark's own jars under ``/opt/spark``."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from base_images import PYTHON_IMAGE, archive_of, libraries_of, settings_of

__all__ = ["SPARK_IMAGE", "load_spark_image"]

SPARK_IMAGE = "aml-test/spark:1"
LEFT_OUT = ("breeze", "cats-", "datanucleus-", "derby", "hive-", "kubernetes-", "rocksdbjni", "spire", "spark-connect",
            "spark-hive", "spark-kubernetes", "spark-mllib", "spark-yarn", "ct.sym")  # fmt: skip
"""What a session of one machine never loads: most of all that there is."""


def load_spark_image(host: str, python: str) -> None:
    """Import the image into the engine at `host`, where it lacks it; `python` has pyspark."""
    import docker
    import docker.errors

    client = docker.DockerClient(base_url=host, version="1.41", timeout=300)
    try:
        try:
            client.api.inspect_image(SPARK_IMAGE)
        except docker.errors.ImageNotFound:
            changes = {**settings_of(PYTHON_IMAGE), "SPARK_HOME": "/opt/spark", "JAVA_HOME": "/opt/java"}
            repository, tag = SPARK_IMAGE.split(":")
            with tempfile.TemporaryFile() as stream:
                _write(stream, Path(python))
                stream.seek(0)
                client.api.import_image_from_data(
                    stream,
                    repository=repository,
                    tag=tag,
                    changes=[f"ENV {key}={value}" for key, value in changes.items()],
                )
    finally:
        client.close()


def _write(stream: object, python: Path) -> None:
    spark = next(python.parents[1].glob("lib/python3*/site-packages/pyspark"))
    java = Path(os.path.realpath(shutil.which("java") or "/")).parents[1]
    bash = Path("/bin/bash").resolve()
    with tarfile.open(archive_of(PYTHON_IMAGE)) as base, tarfile.open(fileobj=stream, mode="w") as out:  # type: ignore[call-overload]
        there = set()
        for entry in base:
            there.add(os.path.normpath(entry.name))
            out.addfile(entry, base.extractfile(entry) if entry.isreg() else None)
        out.dereference = True  # Debian keeps the settings of Java elsewhere
        for folder, place in ((spark, "opt/spark"), (java, "opt/java")):
            for root, folders, files in os.walk(folder):
                folders[:] = [
                    name for name in folders if name not in ("__pycache__", "jmods", "include", "legal", "man")
                ]
                inner = Path(place, os.path.relpath(root, folder))
                for name in files:
                    path = Path(root, name)
                    if path.exists() and not name.startswith(LEFT_OUT):
                        out.add(path, str(inner / name))
        libraries = libraries_of(bash, java / "bin/java", *java.glob("lib/*.so"), *java.glob("lib/server/*.so"))
        for path, place in [
            (bash, "bin/bash"),
            *((library, str(library).lstrip("/")) for library in sorted(libraries)),
        ]:
            if os.path.normpath(place) not in there:
                there.add(os.path.normpath(place))
                out.add(path, place)
