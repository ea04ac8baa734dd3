# Everything a person or CI runs. `make demo` and `make test` set up what they need on a fresh machine.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3.10 python3; do \
	if command -v $$name >/dev/null 2>&1 && $$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; \
	then echo $$name; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := $(shell find aml_jupyter -type f -not -path '*/__pycache__/*' 2>/dev/null)

.PHONY: demo test lab check bench format clean help

help:
	@echo 'make demo    set up, execute notebooks/quickstart.ipynb, print the runs it made'
	@echo 'make test    set up, run every test'
	@echo 'make lab     set up, open JupyterLab in notebooks/'
	@echo 'make check   ruff, mypy --strict, import floors, file lengths'
	@echo 'make bench   every figure beside its peer'

# A virtual environment with the dependencies; made again when pyproject.toml changes.
$(VENV)/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Python 3.10 or later with venv was not found; set PYTHON=/path/to/python3'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python '.[test]'
	@touch $@

# The package itself as users get it (a wheel, not a link); installed again when a source file changes.
$(VENV)/.installed: $(VENV)/.ready $(SOURCES)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --reinstall-package aml-jupyter .
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/python notebooks/demo.py

lab: $(VENV)/.installed
	cd notebooks && ../$(BIN)/jupyter lab

test: $(VENV)/.installed
	$(BIN)/pytest $(PYTEST_ARGS)

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/structure

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .bench
