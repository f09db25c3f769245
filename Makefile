# What a person types. Everything else is `sutazai-ops --help`.
# All paths are relative, so the checkout may stand in a folder whose name holds spaces.

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
# Dagster's own files and matplotlib's font cache belong into the home folder of this program, not into the user's.
export SUTAZAI_HOME ?= $(CURDIR)/.sutazai
# What one tries out first needs no Docker; `make dev SUTAZAI_ENGINE=compose` shows what runs there.
dev: export SUTAZAI_ENGINE ?= embedded
export MPLCONFIGDIR ?= $(SUTAZAI_HOME)/cache/matplotlib

.DEFAULT_GOAL := help
.PHONY: help demo test lint dev bench chaos docs image clean

help: ## Show these lines.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.runtime ## Run one whole night on real servers, prove it, and stop everything again (no Docker needed).
	@$(BIN)/python -m sutazai_ops.demo

test: $(VENV)/.dev ## Run every test that this machine can run; what it cannot run is skipped by name.
	@$(BIN)/python -m pytest --numprocesses 3 --no-loadscope-reorder

lint: $(VENV)/.dev ## Check style, types and the generated documents.
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

dev: $(VENV)/.runtime ## Open the Dagster UI at http://127.0.0.1:3000 (PORT=… for another port).
	@[ "$$SUTAZAI_ENGINE" != embedded ] || $(BIN)/sutazai-ops up
	@mkdir -p "$(SUTAZAI_HOME)/dagster" && cp dagster.yaml "$(SUTAZAI_HOME)/dagster/"
	@DAGSTER_HOME="$(SUTAZAI_HOME)/dagster" $(BIN)/python -m dagster dev -w workspace.yaml -h 127.0.0.1 -p $(or $(PORT),3000)

bench: $(VENV)/.dev ## Measure speed and memory side by side with what you would use instead.
	@for bench in benchmarks/*.py; do echo "== $$bench"; $(BIN)/python "$$bench" || exit 1; done

chaos: $(VENV)/.dev ## Break a platform on a real engine, with and without remediation (FAULTS=kill,hang for some of it).
	@$(BIN)/python tests/chaos/chaos.py $(if $(FAULTS),--faults $(FAULTS)) $(if $(OUT),--out $(OUT)) $(CHAOS)

image: ## Build the image that the platform's exporter runs.
	docker build --quiet --build-arg UV_VERSION=$(UV_VERSION) -t sutazai/ops:$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) .

docs: $(VENV)/.dev ## Make anew what is made: the pages of what is measured, the runbooks, the copies of configuration.
	@$(BIN)/python -m sutazai_ops.monitoring.documents docs
	@$(BIN)/sutazai-ops config generate --committed

clean: ## Remove the environment. Data, backups and secrets in .sutazai stay.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

# Two stamps, so that the demo need not wait for what only the tests want. Compiled, because where Python may not write
# its own cache (PYTHONDONTWRITEBYTECODE) every command would compile all that it loads, which takes a second.
$(VENV)/.runtime: $(VENV)/.uv uv.lock pyproject.toml
	@$(BIN)/python -m uv sync --quiet --locked --inexact --compile-bytecode --no-dev
	@$(BIN)/python -m compileall -q sutazai_ops
	@touch $@

$(VENV)/.dev: $(VENV)/.uv uv.lock pyproject.toml
	@$(BIN)/python -m uv sync --quiet --locked --inexact --compile-bytecode
	@$(BIN)/python -m compileall -q sutazai_ops
	@touch $@ $(VENV)/.runtime

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and $(PYTHON) is `$(PYTHON) --version`; name another one: make PYTHON=python3.12 …"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "cannot make a virtual environment: install it with: apt install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@touch $@
