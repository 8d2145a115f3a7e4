# make repro   environment, install, and the whole pipeline on the default data set, the baselines beside the models
# make test    environment, install, and the tests; make test-benchmarks has those of benchmarks/
# make lint    format check, lint, types, import contracts, a strict build of the documentation, and known vulnerabilities
# make docs    the documentation site, into site/
# make ablations   the ablations of ablations/params.yaml, after `make repro`; make quality writes their tables into docs/quality.md
# make bench   each stage against named alternatives, after `make repro`; BENCH_ARGS="--only build_graph --runs 3" for less
# make faults  what breaks outside of the code, for an hour from fresh seeds; FAULTS_ARGS="--minutes 10 --seed 7" for less
# make growth   what each stage takes at 1,000 to 1,000,000 items; GROWTH_ARGS="--items 1000 --items 10000" for less
# make gpu-check   the stages of ml-100k on the CPU and on this machine's GPU, after `make repro`: figures, time and memory; says so where there is none
# make peers   published models by RecBole on the split of DATASET (ml-100k), in an environment of their own

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# pip, and not uv: that reads none of pip's configuration, and may install another build of PyTorch, gigabytes larger.
# It compiles nothing: of 19,300 modules `.ci/run` imports some 6,800. Those Python compiles at their first import and keeps, and
# must be allowed to: else each stage's process would compile PyTorch anew.
PIP_INSTALL := pip install --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE :=
# Stages are run as `python -m ...`: the environment's python must be the first on the path.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
DATASET ?= ml-100k
BENCH_READY := $(VENV)/.ready-bench
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready

.PHONY: repro repro-models repro-baselines ablations quality check-cache test test-benchmarks lint docs bench growth gpu-check faults peers setup clean

# The baselines beside the models: neither reads what the other writes (`tests/test_dvc_yaml.py` holds that). Of each of the two only its
# own stages are looked at (`--single-item`), which asks DVC for no lock that the other has; what is left, `dvc repro` finds.
BEFORE_BOTH := build_graph
OF_MODELS := embed_text embed_image init_sdne train_gat train_users
OF_BASELINES := evaluate_baselines

# What DVC says of an unpacked archive has no advice.
repro: setup
	@test -e .git || grep -qsE 'no_scm *= *true' .dvc/config.local || { echo "error: .git: found none here, as in an unpacked archive; expected a clone, or first: $(BIN)/dvc config --local core.no_scm true" >&2; exit 2; }
	@start=$$(date +%s); $(RUN) dvc repro $(BEFORE_BOTH) \
		&& $(MAKE) --no-print-directory --jobs=2 repro-models repro-baselines \
		&& $(RUN) dvc repro && $(RUN) python -m stages.cli.summary \
		&& echo "dvc repro, everything included: $$(($$(date +%s) - start)) s"

repro-models:
	@$(RUN) dvc --wait-for-lock repro --single-item $(OF_MODELS)

repro-baselines:
	@$(RUN) dvc --wait-for-lock repro --single-item $(OF_BASELINES)

ablations: setup
	@$(RUN) dvc repro ablations/dvc.yaml

quality: setup
	@$(RUN) python -m stages.cli.quality

# What is damaged in DVC's cache goes, so that `dvc repro` makes it again.
check-cache: setup
	@$(RUN) python -m stages.cli.check_cache

# PYTEST_ARGS names some of them; "-n 0" among them runs all in one process.
test: setup
	@$(RUN) python -m pytest -n auto --dist loadfile --no-loadscope-reorder --ignore tests/benchmarks $(PYTEST_ARGS)

test-benchmarks: setup
	@$(RUN) python -m pytest tests/benchmarks

lint: setup
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet
	@$(RUN) python -m tests.audit

docs: setup
	@NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet
	@echo site/index.html

bench: $(BENCH_READY)
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

growth: setup
	@$(BIN)/python -m benchmarks.growth $(GROWTH_ARGS)

faults: setup
	@$(BIN)/python -m tests.faults $(FAULTS_ARGS)

# PEERS_ARGS passes more, e.g. PEERS_ARGS="--model BPR --minutes 2".
peers: $(PEERS_READY)
	@OMP_NUM_THREADS=1 $(PEERS)/bin/python -m benchmarks.peers --dataset $(DATASET) $(PEERS_ARGS)

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) found, Python 3.11 or newer expected; name one by: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m $(PIP_INSTALL) --constraint constraints.txt --editable '.[dev]'
	@# karateclub's pins are of 2021; it runs on current releases, so it goes in without them. `pip check` will complain.
	$(BIN)/python -m $(PIP_INSTALL) --no-deps karateclub==1.3.3
	@touch $(READY)

$(BENCH_READY): $(READY)
	$(BIN)/python -m $(PIP_INSTALL) --constraint constraints.txt --editable '.[bench]'
	@touch $(BENCH_READY)

$(PEERS_READY): benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m $(PIP_INSTALL) --requirement benchmarks/peers/requirements.txt
	@# RecBole pins ray, colorama and others that these models do without; benchmarks/peers/shims.py has the rest.
	$(PEERS)/bin/python -m $(PIP_INSTALL) --no-deps recbole==1.2.1
	@touch $(PEERS_READY)

clean:
	rm -rf $(VENV) $(PEERS) artifacts .checkpoints .timings .growth site
