# Everything a person or CI runs. `make demo` and `make test` set up what they need on a fresh machine.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3.10 python3; do \
	if command -v $$name >/dev/null 2>&1 && $$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; \
	then echo $$name; break; fi; done)
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
SOURCES := $(shell find aml_jupyter etc -type f -not -path '*/__pycache__/*' -not -name '* *' 2>/dev/null)

.PHONY: demo test lab labextension check bench bench-sweep bench-policies format clean help

help:
	@echo 'make demo    set up, execute notebooks/quickstart.ipynb, print the runs it made'
	@echo 'make test    set up, run every test'
	@echo 'make lab     set up, open JupyterLab in notebooks/'
	@echo 'make check   ruff, mypy --strict, import floors, file lengths'
	@echo 'make labextension  bundle the front end anew (needs node 20; the bundles are in the repository)'
	@echo 'make format  let ruff format the tree'
	@echo 'make bench   every figure beside its peer'
	@echo 'make bench-sweep  samplers beside theirs (half an hour; SWEEP_ARGS="--seeds 5 --only Branin" is quick)'
	@echo 'make bench-policies  what early termination saves and costs, on two sets of learning curves, beside the reference'
	@echo 'make clean   remove what the others made'

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo 'No Python 3.10 or later that can make virtual environments was found.'; \
		echo 'Install one (Debian: apt-get install python3-venv), or set PYTHON=/path/to/python3.'; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Certificates of the system, so that uv works behind a company's proxy as pip does.
export UV_NATIVE_TLS ?= 1

# $(call install,EXTRA): the package itself as users get it (a wheel, not a link) and its dependencies. uv is quick; pip is
# slower, and reads settings (pip.conf) that uv does not.
define install
	@echo 'Installing aml-jupyter[$(1)] ...'
	@if [ ! -x $(BIN)/uv ]; then $(BIN)/python -m pip install --quiet --disable-pip-version-check uv >/dev/null 2>&1 || true; fi
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --reinstall-package aml-jupyter '.[$(1)]' 2>$(VENV)/uv.log \
		|| { echo 'uv could not do it ($(VENV)/uv.log says why); pip does.'; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[$(1)]'; }
	@touch $@
endef

# Installed again when pyproject.toml or a source file changes.
$(VENV)/.demo: $(VENV)/.made pyproject.toml $(SOURCES)
	$(call install,demo)

$(VENV)/.test: $(VENV)/.made pyproject.toml $(SOURCES)
	$(call install,test)
	@touch $(VENV)/.demo

demo: $(VENV)/.demo
	@$(BIN)/python notebooks/demo.py

# With the runs that the demo made; AML_WORKSPACE chooses another workspace.
lab: $(VENV)/.demo
	cd notebooks && AML_WORKSPACE="$${AML_WORKSPACE:-$(CURDIR)/notebooks/.output/workspace}" ../$(BIN)/jupyter lab \
		$$([ "$$(id -u)" != 0 ] || echo --allow-root) $(LAB_ARGS)

# The bundles are in the repository, so that who installs the package needs no node.
labextension/node_modules/.made: labextension/package.json labextension/package-lock.json
	cd labextension && npm ci --no-progress --loglevel=error
	@touch $@

labextension: labextension/node_modules/.made
	rm -rf labextension/lib aml_jupyter/labextension
	cd labextension && npm run --silent build

# Two tests at a time; JOBS=0 runs them in one process, for a debugger.
test: $(VENV)/.test
	$(BIN)/pytest -n $(JOBS) $(PYTEST_ARGS)

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/structure

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test
	$(BIN)/python benchmarks/run.py

# One thread, so that CPU time means something.
bench-sweep: $(VENV)/.test
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_sweep.py $(SWEEP_ARGS)

bench-policies: $(VENV)/.test
	$(BIN)/python benchmarks/bench_policies.py $(POLICY_ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .bench notebooks/.output
