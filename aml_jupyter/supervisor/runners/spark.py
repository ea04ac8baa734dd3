"""Run a PySpark script with the spark-submit of the run's own Python or image.

``python <archive> spark <control>`` reads ``control/spark.json``::

    {"script": "<path relative to the working directory>", "arguments": [..], "options": ["--conf", "spark.ui.enabled=false", ..]}

It becomes spark-submit, so that a signal, the exit code and the log are the script's own.
"""

import os
import shutil
import sys
from typing import Mapping, Optional

from ..faults import fault_point
from ..protocol import read_json

__all__ = ["find_spark_submit", "run_spark"]


def run_spark(control: str) -> int:
    """Become spark-submit with the script of the control folder `control`; return only when that cannot be."""
    path = os.path.join(control, "spark.json")
    job = read_json(path)
    if job is None:
        sys.stderr.write("%s is missing\n" % path)
        return 1
    program = find_spark_submit(sys.executable, os.environ)
    if program is None:
        sys.stderr.write(
            "There is no Spark here: no spark-submit beside %s, in SPARK_HOME or on the PATH. Add pyspark to the packages of "
            "the run's environment (--pip pyspark; it needs Java, too), or use an image that has Spark.\n"
            % sys.executable
        )
        return 1
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    command = [program] + list(job["options"]) + [job["script"]] + list(job["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    with fault_point("supervisor.exec"):
        os.execv(program, command)
    return 1


def find_spark_submit(python: str, variables: Mapping[str, str]) -> Optional[str]:
    """Return the path of spark-submit: that of the Python's own pyspark, of SPARK_HOME, or the first one on the PATH."""
    folders = [os.path.dirname(python)]
    if variables.get("SPARK_HOME"):
        folders.append(os.path.join(variables["SPARK_HOME"], "bin"))
    folders.append(variables.get("PATH", os.defpath))
    return shutil.which("spark-submit", path=os.pathsep.join(folders))
