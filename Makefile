# `make demo` and `make test` set up all they need; everything lives in .venv.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
KEEP ?=

.PHONY: help setup demo test lint format bench docs clean
help: ## what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .venv/.installed ## create .venv with everything in it

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "evalsvc needs Python 3.11 or newer: run 'make $(MAKECMDGOALS) PYTHON=/path/to/python3.11'"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: setup ## see one model evaluated against a private test set (KEEP=1 leaves the service up)
	$(BIN)/evalsvc demo $(if $(KEEP),--keep)

test: setup lint ## lint, then every test this machine can run
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: setup ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup ## benchmarks, each ends in its ratio (ARGS=name runs one)
	$(BIN)/python -m benchmarks $(ARGS)

docs: setup ## write docs/cli.md anew from the commands
	$(BIN)/python -m typer evalsvc.cli.app utils docs --name evalsvc --output docs/cli.md

clean: ## remove what the targets made
	-[ ! -x $(BIN)/evalsvc ] || $(BIN)/evalsvc demo --stop
	rm -rf .venv .demo .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
