# `make help` lists the targets.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup cloud run test test-containers test-current proof torture kubeflow engine lint \
  image bench bench-scale lock audit chromium mariadb maven clean dev peers

DATA ?= data/sample
TEXT ?= A warm and funny film with a wonderful cast. I loved it.
ARGS ?=
IMAGE ?= reviews:latest
KFP_SOURCE ?=
ARGO ?=
# Test files that run at the same time. Each takes up to 3 GiB of memory.
WORKERS ?= 2
PYTEST = .venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder
# The benchmarks find the IMDB archive themselves if DATA is not set.
BENCH_DATA = $(if $(filter file,$(origin DATA)),,--data '$(DATA)')
# Passed through the environment, so that the shell does not interpret quotes in a review.
export TEXT

# A pyenv shim is on PATH even if it fails, so this runs each Python to check it.
SET_UP = for python in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then \
	    exec $$python -m requirements.set_up $(1); \
	  fi; \
	done; \
	echo 'error: found no Python 3.8 or newer that runs; install python3.' >&2; exit 6

WITH_ENGINE = for engine in docker podman; do \
	  if command -v $$engine >/dev/null && $$engine info >/dev/null 2>&1; then \
	    exec $$engine $(1); \
	  fi; \
	done; \
	echo 'error: found no container engine that runs; install Docker or podman' \
	  '(on Debian: apt-get install podman).' >&2; exit 6

# Installs the packages $(2) unless the commands $(1) exist.
FROM_DEBIAN = missing=; for command in $(1); do \
	  command -v $$command >/dev/null || missing=yes; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	  echo 'error: not installed: $(1); on Debian, as root: apt-get install $(2).' >&2; exit 6; \
	fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install \
	  --no-install-recommends --yes -qq $(2)

help: ## List all targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Variables:'
	@echo '  DATA     training data for make run; IMDB archive for make bench and make bench-scale'
	@echo '  TEXT     review that make run scores'
	@echo '  IMAGE    name and tag of the image that make image builds'
	@echo '  WORKERS  number of test files that make test and make proof run at the same time (default: 2)'
	@echo '  COMMAND  command that make test-current runs, for example COMMAND="make run"'
	@echo '  ARGS     further arguments of the target, for example make test ARGS="-k gate -p no:randomly"'
	@echo '  KFP_SOURCE  checkout of kubeflow/pipelines, or an archive of one'
	@echo '  ARGO     version of Argo Workflows for make kubeflow (default: that of KFP_SOURCE)'
	@echo '  STACK    version of TFX: 1.16 or 1.21 (default: depends on this machine)'

setup: ## Install the locked packages in .venv, or update it
	@$(call SET_UP,install)

cloud: ## Do the same as setup, and install the clients of Kubeflow Pipelines and Vertex AI
	@$(call SET_UP,install --cloud)

run: setup ## Run the pipeline on the sample data, and score a review
	.venv/bin/python pipeline_runner.py run --data '$(DATA)'
	.venv/bin/python pipeline_runner.py predict "$$TEXT"

test: dev ## Run lint, then the tests in random order
	@$(MAKE) --no-print-directory lint
	$(PYTEST) -m 'not slow and not containers and not current and not torture and not kubeflow and not engine' $(ARGS)

chromium: ## Install Chromium on Debian, for the tests of the report page
	@$(call FROM_DEBIAN,chromium,chromium)

mariadb: ## Install MariaDB on Debian, for the tests of the metadata store (starts no service)
	@$(call FROM_DEBIAN,mariadb-install-db mariadb,mariadb-server-core mariadb-client-core)

maven: ## Install Java and Maven on Debian, for the tests on Flink and Spark
	@$(call FROM_DEBIAN,java mvn,default-jre-headless maven)

test-containers: dev ## Test the image and its steps in containers, and the gate on Debian 13
	.venv/bin/python -m pytest -m containers --capture=sys --timeout=1800 $(ARGS)

test-current: dev ## Run make test and make run in a container with Debian 13 and TFX 1.21
	.venv/bin/python -m pytest -m current --capture=sys --timeout=7200 $(ARGS) \
	  $(if $(COMMAND),tests/containers/test_current.py)

proof: dev ## Run the slow tests, most of them on the full IMDB data set
	$(if $(ARGS),,.venv/bin/python -m tests.engine --imdb)
	$(PYTEST) -m 'slow and not engine' --imdb $(ARGS)

torture: dev ## Kill processes, damage files and attack the gate for most of an hour
	.venv/bin/python -m pytest -m torture --results tests/torture/results.json tests/torture $(ARGS)
	.venv/bin/python -m tests.torture.table

kubeflow: dev ## Run the compiled pipeline on Kubeflow Pipelines' own code, from KFP_SOURCE
	@.venv/bin/python -m tests.kubeflow $(if $(ARGO),--argo '$(ARGO)') -- '$(KFP_SOURCE)' $(ARGS)

engine: dev ## Run the pipeline on Flink and Spark, which Maven downloads
	@.venv/bin/python -m tests.engine $(ARGS)

lint: dev ## Check style, import contracts and types
	.venv/bin/ruff check .
	.venv/bin/lint-imports
	.venv/bin/mypy

image: ## Build the container image for the steps of a compiled pipeline
	@$(call WITH_ENGINE,build --platform linux/amd64 --tag '$(IMAGE)' .)

bench: peers ## Measure this pipeline and other classifiers on IMDB, and update the tables
	.venv/bin/python -m benchmarks run $(BENCH_DATA) $(ARGS)
	@if [ -f benchmarks/results/bench.json ]; then .venv/bin/python -m benchmarks table >/dev/null; fi

bench-scale: peers ## Measure time and memory from a quarter of IMDB to 8 times IMDB
	.venv/bin/python -m benchmarks scale $(BENCH_DATA) $(ARGS); code=$$?; \
	  if [ -f benchmarks/results/scale.json ]; then .venv/bin/python -m benchmarks plot; fi; \
	  exit $$code
	.venv/bin/python -m benchmarks nodes $(BENCH_DATA)

lock: ## Resolve the locked versions again (ARGS=--upgrade selects the newest versions)
	@$(call SET_UP,lock $(ARGS))

audit: setup ## List the known vulnerabilities of the locked packages, each with a verdict
	.venv/bin/python -m requirements.audit $(ARGS)

clean: ## Remove .venv, .uv and all caches, but not runs/
	rm -rf .venv .uv build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev:
	@$(call SET_UP,install --dev --cloud)

peers:
	@$(call SET_UP,install --bench)
