# Serverless Proxy: `make run` sets up and serves, `make test` sets up and passes everything.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test check lint types contracts fast-tests setup setup-dev lock bench backends clean

run: setup            ## set up and serve: API on 8002, admin on 5001
	@$(BIN)/python -m infra.local

test: check           ## set up and pass everything

check: lint types contracts fast-tests   ## the inner loop

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

contracts: setup-dev
	$(BIN)/lint-imports

fast-tests: setup-dev
	@$(BIN)/python -m tests.backends.build litserve
	$(BIN)/python -m pytest -n 2 --dist loadgroup

backends: setup-dev   ## drive heavy real backends: gigabytes, and a compiler's quarter of an hour the first time
	@$(BIN)/python -m tests.backends.build
	$(BIN)/python -m pytest -n 0 -m backends -rs tests/backends

bench: setup-dev      ## measure beside a bare pass-through, about 5 minutes; `make bench BENCH=--quick` takes one
	@$(BIN)/python -m tests.benchmarks $(BENCH)

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt | $(BIN)/python
	@echo "setting up (once) …"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/run.txt | $(BIN)/python
	@echo "setting up for development (once) …"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@ $(VENV)/.run

lock:                 ## pin again, newest versions
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements/run.in -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements/run.txt requirements/dev.in -o requirements/dev.txt
	$(BIN)/python -m tests.backends.lock

clean:
	rm -rf $(VENV) .venv-backends .mypy_cache .ruff_cache .pytest_cache .hypothesis
