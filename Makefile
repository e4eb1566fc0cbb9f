# `make` or `make help` lists what there is to do; each target's line says it in its `##` comment.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The first Python that Hydra 1.3 runs on; choose another with `make test PYTHON=python3.13`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
# `make setup TORCH=cpu` takes PyTorch without CUDA, some 5 GB less, from PyTorch's own index: PyPI has no such wheel for Linux.
TORCH ?=
ARGS ?=

.PHONY: help setup demo test test-slow test-all bench lint format pictures constraints clean

help: ## List the targets
	@echo "usage: make TARGET [PYTHON=python3.12] [TORCH=cpu] [ARGS=…]"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16 | sed 's/^/  /'

setup: $(READY) ## Install everything into .venv (nothing to do when up to date)

$(READY): pyproject.toml .ci/constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 was found; install one, or name it: make PYTHON=…" >&2; exit 2; }
	@echo "Installing into $(VENV) with $$($(PYTHON) --version) $(if $(TORCH),(torch for $(TORCH)),(torch with CUDA: some 6 GB; make setup TORCH=cpu without)) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@PATH="$(CURDIR)/$(BIN):$$PATH" uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraints .ci/constraints.txt $(if $(TORCH),--torch-backend $(TORCH)) --editable '.[dev]'
	@touch $@

demo: $(READY) ## Train and evaluate the small CNN with its map on generated phantoms (2 minutes on 2 cores)
	@$(BIN)/brain-tumor train experiment=demo $(ARGS)
	@command -v brain-tumor >/dev/null || echo "First:    source $(BIN)/activate"

test: $(READY) ## Run the quick tests (13 minutes on 2 cores)
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not long" $(ARGS)

test-slow: $(READY) ## Run the tests that the quick ones leave out, but for the long ones
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "slow and not long" $(ARGS)

test-all: test test-slow ## Run all tests (an hour on 2 cores)
	@$(BIN)/python -m pytest -n auto -m long $(ARGS)

bench: $(READY) ## Measure what the README claims; hours in all, so choose: ARGS="--only training", ARGS=--help
	@$(BIN)/python tests/benchmarks/bench.py $(ARGS)

lint: $(READY) ## Check style, types and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/codespell

format: $(READY) ## Bring the code into style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

pictures: $(READY) ## Draw the pictures of the README (ARGS="--run RUN" of make demo), and run the notebooks again
	@$(BIN)/python tests/benchmarks/pictures.py $(ARGS)
	@$(BIN)/python tests/benchmarks/run_notebooks.py

constraints: $(READY) ## Renew the pinned versions in .ci/constraints.txt
	@PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate --no-header \
		--no-emit-index-url --upgrade pyproject.toml --output-file .ci/constraints.txt

clean: ## Remove the environment and all caches of tools (never runs/)
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist
