# Every target that needs the virtual environment makes it when it is missing or old.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUNNABLE := $(VENV)/.runnable
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install demo run test lint format unit fuzz bench docs clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# What runs the platform is installed first and alone, so that a demo waits for nothing else.
$(RUNNABLE): setup.cfg pyproject.toml requirements.txt constraints.txt $(wildcard contracts/*/pyproject.toml plugins/*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Torg needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing what runs the platform into $(VENV): a minute or two ..." >&2
	@$(INSTALL) --requirement requirements.txt
	@touch $(RUNNABLE)

$(STAMP): $(RUNNABLE) requirements-dev.txt
	@echo "Installing what the tests need ..." >&2
	@$(INSTALL) --requirement requirements-dev.txt
	@touch $(STAMP)

install: $(STAMP) ## Make .venv with everything

demo: $(RUNNABLE) ## Run the platform with live data at http://127.0.0.1:8000/ (ARGS="--port 9000")
	@$(BIN)/torg demo $(ARGS)

run: $(RUNNABLE) ## Run every process of your own installation (settings: .env, torg.toml, TORG_...)
	@$(BIN)/torg run all $(ARGS)

test: lint unit ## Everything that must be true: lint and all tests on real servers

lint: $(STAMP) ## Format, rules, types, import directions, containers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python deploy/lint_containers.py

unit: $(STAMP) ## The tests alone (ARGS="tests/auction -k bids"); each of two processes has its servers
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: $(STAMP) ## The long search for input that breaks something
	TORG_FUZZ_EXAMPLES=1000 $(BIN)/pytest tests/end_to_end/test_bad_input.py -o timeout=7200 $(ARGS)

bench: $(STAMP) ## Measure side by side with plain Flask and pgbench, print ratios
	@$(BIN)/python -m bench $(ARGS)

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## Write the generated reference pages anew
	$(BIN)/python docs/generate_reference.py

clean: ## Remove what was made
	rm -rf $(VENV) .torg .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
