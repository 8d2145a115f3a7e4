# make repro   environment, install, and the whole pipeline on the default data set
# make test    environment, install, and the tests
# make lint    format check, lint, types

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Stages are run as `python -m ...`: the environment's python must be the first on the path.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: repro test lint setup clean

repro: setup
	@start=$$(date +%s); $(RUN) dvc repro && $(RUN) python -m stages.summary \
		&& echo "dvc repro, everything included: $$(($$(date +%s) - start)) s"

test: setup
	@$(RUN) python -m pytest

lint: setup
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) found, Python 3.11 or newer expected; name one by: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@# karateclub's pins are of 2021; it runs on current releases, so it goes in without them. `pip check` will complain.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps karateclub==1.3.3
	@touch $(READY)

clean:
	rm -rf $(VENV) artifacts .checkpoints .timings
