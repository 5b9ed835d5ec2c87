# `make` alone tells what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The first interpreter that is new enough and can make environments. The system's own comes first: distributions build it with
# profile-guided optimisation, and all that is Python runs a quarter faster on it than on one compiled on the spot.
PYTHON ?= $(shell for candidate in /usr/bin/python3 python3.11 python3 python3.12 python3.13 python3.14; do \
	$$candidate -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$candidate && break; done)
NO_PYTHON := "Python 3.11 or later with its venv module is needed, and was not found (Debian: apt-get install python3-venv)."
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
SOURCES := libs services deploy tests conftest.py
UV := var/uv/bin/uv

.PHONY: help run demo up down status env test chaos bench check format migration contracts deps lock

help: ## Tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- use it -----------------------------------------------------------------------------------------------------------

run: $(VENV)/base.installed ## Start the whole system in one process on http://127.0.0.1:8000; Ctrl-C stops it
	@$(BIN)/hilo run

demo: $(VENV)/base.installed ## Play one customer's fortnight over seven channels against the running system
	@$(BIN)/hilo demo

up: $(VENV)/base.installed ## Start the distributed stack without Docker: PostgreSQL, Apache Kafka, four APIs, four workers
	@$(BIN)/python -m hilo.native up

down: $(VENV)/base.installed ## Stop exactly what `make up` has started; the data stay
	@$(BIN)/python -m hilo.native down

status: $(VENV)/base.installed ## Tell which process of the distributed stack runs, and where
	@$(BIN)/python -m hilo.native status || true

env: $(VENV)/base.installed ## Write .env with fresh secrets for `docker compose up`, once
	@$(BIN)/python -m hilo.native.compose_environment

# --- work on it -------------------------------------------------------------------------------------------------------

test: check ## Check everything and run all tests, on the real PostgreSQL and Apache Kafka where they are there
	@echo "Testing ..."
	@$(BIN)/pytest

chaos: $(VENV)/test.installed ## Kill, freeze and poison the distributed stack under load, and count what is lost: ARGS="--seed 1 2 3"
	@$(BIN)/python -m tests.chaos $(ARGS)

bench: $(VENV)/bench.installed ## Measure the system beside what it is to be compared with: ARGS="--only batch single --rounds 3 --write"
	@$(BIN)/python -m tests.load $(ARGS)

check: $(VENV)/test.installed ## Check style, types and the borders between the packages
	@echo "Checking style, types and imports ..."
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/test.installed ## Bring all files into the house's form
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

migration: $(VENV)/test.installed ## Write a migration from the models: make migration package=interactions message="add site"
	@test -n "$(package)" -a -n "$(message)" || { echo 'make migration package=interactions message="add site"'; exit 2; }
	@$(BIN)/python -m common.migrations revise "$(package)" "$(message)"

contracts: $(VENV)/test.installed ## Write the OpenAPI and AsyncAPI documents and the event schemas from the code
	@$(BIN)/python -m hilo.contracts write

deps: ## Install PostgreSQL, Java and Maven with apt, where they are missing (as root)
	@bash deploy/install_servers.sh

lock: $(UV) ## Compile requirements/*.in to locks with hashes
	@for part in base test bench; do \
		$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			requirements/$$part.in -o requirements/$$part.txt; \
	done

# --- how --------------------------------------------------------------------------------------------------------------

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo $(NO_PYTHON); exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Two steps, because pip refuses an editable install beside hashes: the locked packages, then our own without resolving.
$(VENV)/base.installed: requirements/base.txt requirements/base.in pyproject.toml deploy/build_dependencies.py | $(VENV)/bin/python
	@echo "Installing the locked packages ..."
	@$(PIP) --require-hashes --no-deps -r requirements/base.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test.installed: requirements/test.txt $(VENV)/base.installed
	@echo "Installing what tests and checks need ..."
	@$(PIP) --require-hashes --no-deps -r requirements/test.txt
	@touch $@

$(VENV)/bench.installed: requirements/bench.txt $(VENV)/test.installed
	@echo "Installing what the benchmarks measure against ..."
	@$(PIP) --require-hashes --no-deps -r requirements/bench.txt
	@touch $@

$(UV):
	@test -n "$(PYTHON)" || { echo $(NO_PYTHON); exit 1; }
	@$(PYTHON) -m venv var/uv
	@var/uv/bin/python -m pip --disable-pip-version-check --quiet install uv
