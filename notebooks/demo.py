"""Execute quickstart.ipynb without a browser, and print the runs that it made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUTPUT = HERE / ".output"


def main() -> int:
    """Run the demo and return its exit code: 0 when every run completed."""
    OUTPUT.mkdir(exist_ok=True)
    executed = OUTPUT / "quickstart.ipynb"
    os.environ.setdefault("AML_WORKSPACE", str(OUTPUT / "workspace"))
    print(f"Executing {HERE / 'quickstart.ipynb'} ...", flush=True)

    import papermill

    papermill.execute_notebook(
        HERE / "quickstart.ipynb", executed, cwd=HERE, kernel_name="python3", progress_bar=False, log_output=False
    )
    print("\nThe runs it made:\n", flush=True)
    aml = [sys.executable, "-m", "aml_jupyter.cli"]
    code = subprocess.run([*aml, "run", "list", "--experiment", "digits"], check=False).returncode
    print(f"\nThe executed notebook: {executed}")
    print("The workspace:         " + os.environ["AML_WORKSPACE"])
    print("Open it yourself:      make lab")
    subprocess.run([*aml, "serve", "--stop"], check=False, stdout=subprocess.DEVNULL)
    return code


if __name__ == "__main__":
    sys.exit(main())
