"""Let ``python -m aml_jupyter`` be the command line ``aml``, for where it is not on the PATH."""

import sys

from aml_jupyter.cli.main import entry

sys.exit(entry())
