# Serverless Proxy: `make run` sets up and serves, `make test` sets up and passes everything.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
unexport PYTHONDONTWRITEBYTECODE  # images set it: every process that a test starts would compile the sources anew

.PHONY: run key export import test check lint types contracts fast-tests slow-test infra-test cloud cloud-test synth diff deploy destroy bundles dashboard dashboard-if-possible dashboard-test chromium setup setup-dev lock bench load rebuild parsers backends clean

run: setup dashboard-if-possible   ## set up and serve: API on 8002, admin API and dashboard on 5001
	@$(BIN)/python -m infra.local

# LABEL=ci, and one of URL=… (of an admin API, with ADMIN_TOKEN=…) or TABLE_PREFIX=… (of a deployment)
key: setup            ## make a client key and print it, this once
	@$(BIN)/python -m infra.client_key create --label "$(LABEL)" $(if $(URL),--url "$(URL)") $(if $(TABLE_PREFIX),--table-prefix "$(TABLE_PREFIX)")

# FILE=gateway.yaml; URL=… of an admin API, with ADMIN_TOKEN=…; docs/configuration.md
export: setup         ## write the configuration as one YAML document
	@$(BIN)/python -m infra.configuration export $(if $(URL),--url "$(URL)") "$(or $(FILE),-)"

# DRY_RUN=1 only tells what would change, PRUNE=1 deletes what the document does not list
import: setup         ## make the configuration what a YAML document says
	@$(BIN)/python -m infra.configuration import $(if $(URL),--url "$(URL)") $(if $(DRY_RUN),--dry-run) $(if $(PRUNE),--prune) "$(or $(FILE),-)"

test: check slow-test infra-test cloud-test dashboard-test   ## set up and pass everything

check: lint types contracts fast-tests   ## the inner loop

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

contracts: setup-dev
	$(BIN)/lint-imports

# by worksteal a file stays with one worker, and so the servers and tables that its tests share are made once
# what fails beside the others is asked once more alone: two cores that are shared are no clock
fast-tests: setup-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal || $(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none

slow-test: setup-dev  ## what is too long for the inner loop: kills and restarts, a server of others, much random input
	@$(BIN)/python -m tests.backends.build litserve
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow || $(BIN)/python -m pytest -n 0 -m slow --last-failed --last-failed-no-failures none

backends: setup-dev   ## drive heavy real backends: gigabytes, and a compiler's quarter of an hour the first time
	@$(BIN)/python -m tests.backends.build
	$(BIN)/python -m pytest -n 0 -m backends -rs tests/backends

infra-test: $(VENV)/.infra   ## the deployment: one synth, its rules, and every bundle imported alone
	$(BIN)/python -m pytest -n 0 -m infra tests/infra tests/local/cloud

# CONTEXT='stage=prod alarm_email=ops@example.org'; `python -m infra.context` lists what there is
CDK = PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/cdk
CONTEXT_WORDS = $(foreach value,$(CONTEXT),-c $(value))

synth: $(VENV)/.infra node_modules/.pinned   ## the template, into cdk.out
	@$(CDK) synth --quiet $(CONTEXT_WORDS)

diff destroy: $(VENV)/.infra node_modules/.pinned   ## against the account of your AWS credentials
	@$(CDK) $@ $(CONTEXT_WORDS) $(CDK_OPTIONS)

deploy: $(VENV)/.infra node_modules/.pinned dashboard   ## into that account, dashboard included, and then the default tool patterns
	@$(CDK) deploy --outputs-file cdk.out/outputs.json $(CONTEXT_WORDS) $(CDK_OPTIONS)
	@$(BIN)/python -m infra.after_deploy cdk.out/outputs.json

cloud: $(VENV)/.infra   ## the deployment on this machine: the template on moto, every bundle in a process of its own
	@$(BIN)/python -m infra.local.cloud $(CONTEXT)

cloud-test: $(VENV)/.infra   ## the black-box suite and what only the cloud has, against that
	$(BIN)/python -m pytest -n 0 -m cloud tests/cloud || $(BIN)/python -m pytest -n 0 -m cloud tests/cloud --last-failed --last-failed-no-failures none

DASHBOARD = admin_frontend
DASHBOARD_SOURCES := $(shell find $(DASHBOARD)/src $(DASHBOARD)/public -type f ! -name schema.ts) \
  $(addprefix $(DASHBOARD)/,index.html vite.config.ts tsconfig.json)

dashboard: $(DASHBOARD)/dist/index.html   ## build the dashboard's static files; needs Node 20 or newer

# whoever has no Node, or no network now, still gets the gateway
dashboard-if-possible: setup
	@if command -v npm >/dev/null && node -e 'process.exit(+(parseInt(process.versions.node) < 20))'; \
	then $(MAKE) --no-print-directory dashboard || echo "the dashboard could not be built; the APIs are served all the same"; \
	else test -f $(DASHBOARD)/dist/index.html || echo "no dashboard: \`make dashboard\` builds it, with Node 20 or newer"; fi

$(DASHBOARD)/dist/index.html: $(DASHBOARD_SOURCES) $(DASHBOARD)/node_modules/.pinned | setup
	@echo "building the dashboard …"
	@$(BIN)/python -m infra.admin_openapi
	@cd $(DASHBOARD) && npm run --silent build -- --logLevel warn
	@touch $@

$(DASHBOARD)/node_modules/.pinned: $(DASHBOARD)/package-lock.json
	@cd $(DASHBOARD) && npm ci --silent
	@touch $@

# its types are made from the admin API as it is now: a field that was renamed breaks the build
dashboard-test: $(VENV)/.dashboard $(DASHBOARD)/node_modules/.pinned chromium   ## the dashboard in a real browser
	@rm -f $(DASHBOARD)/dist/index.html
	@$(MAKE) --no-print-directory dashboard
	$(BIN)/python -m pytest -n 0 -m dashboard tests/dashboard \
	|| $(BIN)/python -m pytest -n 0 -m dashboard tests/dashboard --last-failed --last-failed-no-failures none

chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null \
	|| { test -n "$$CI" && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	|| { echo "the dashboard's tests drive Chromium: apt-get install chromium"; exit 1; }

$(VENV)/.dashboard: requirements/dashboard.txt $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dashboard.txt
	@touch $@

bundles: $(VENV)/.infra   ## build every function's bundle for Lambda and print its size
	@$(BIN)/python -m infra.bundling

bench: setup-dev      ## measure beside a bare pass-through, about 5 minutes; `make bench BENCH=--quick` takes one
	@$(BIN)/python -m tests.benchmarks $(BENCH)

load: setup-dev       ## 100,000 requests against the local gateway: nothing lost, roll-ups equal to the ledger; some minutes
	@$(BIN)/python -m tests.benchmarks.load_run $(LOAD)

# FIRST=2026-11-01 LAST=2026-11-07, and TABLE_PREFIX=… of a deployment; without it this machine's, while it stands still
rebuild: setup        ## make days of the roll-ups anew from the ledger
	@$(BIN)/python -m infra.rebuild_rollups $(FIRST) $(LAST) $(if $(TABLE_PREFIX),--table-prefix "$(TABLE_PREFIX)")

parsers: setup-dev    ## the corpus of tool calls through other projects' parsers, beside ours; installs them the first time
	@$(BIN)/python -m tests.benchmarks.parsers $(PARSERS)

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

$(VENV)/.infra: requirements/infra.txt $(VENV)/.dev
	@echo "setting up for deployment (once, CDK is large) …"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/infra.txt
	@touch $@

node_modules/.pinned: package-lock.json
	@npm ci --silent
	@touch $@

lock:                 ## pin again, newest versions
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade requirements/run.in -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements/run.txt requirements/dev.in -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements/dev.txt requirements/infra.in -o requirements/infra.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements/dev.txt requirements/dashboard.in -o requirements/dashboard.txt
	npm install --package-lock-only --omit-lockfile-registry-resolved
	cd $(DASHBOARD) && npm install --package-lock-only --omit-lockfile-registry-resolved
	$(BIN)/python -m tests.backends.lock

clean:
	rm -rf $(VENV) .venv-backends build cdk.out node_modules $(DASHBOARD)/node_modules $(DASHBOARD)/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
