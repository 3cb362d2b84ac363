# The targets and what they do: make help.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup cloud run test test-containers test-current proof torture lint types image \
  stacks bench bench-scale lock audit chromium mariadb clean dev peers

DATA ?= data/sample
TEXT ?= A warm and funny film with a wonderful cast. I loved it.
ARGS ?=
IMAGE ?= reviews:latest
# Tests at a time; each takes up to 3 GiB of memory.
WORKERS ?= 2
# The benchmarks find the archive themselves, unless it is named.
BENCH_DATA = $(if $(filter file,$(origin DATA)),,--data '$(DATA)')
# By the environment, so that quotes in a review never meet the shell.
export TEXT

# A pyenv shim is on PATH even where it fails, so a Python must really run to count.
SET_UP = for python in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then \
	    exec $$python -m requirements.set_up $(1); \
	  fi; \
	done; \
	echo 'error: no Python runs here (3.8 or newer); install python3.' >&2; exit 6

WITH_ENGINE = for engine in docker podman; do \
	  if command -v $$engine >/dev/null && $$engine info >/dev/null 2>&1; then \
	    exec $$engine $(1); \
	  fi; \
	done; \
	echo 'error: no container engine: neither docker nor podman runs here; install Docker, or' \
	  'podman (on Debian: apt-get install podman).' >&2; exit 6

# The commands that must be there, and the packages that have them.
FROM_DEBIAN = missing=; for command in $(1); do \
	  command -v $$command >/dev/null || missing=yes; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	  echo 'error: not here: $(1); on Debian, as root: apt-get install $(2).' >&2; exit 6; \
	fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install \
	  --no-install-recommends --yes -qq $(2)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Variables: DATA (make run; make bench, bench-scale and stacks: the IMDB archive),'
	@echo 'TEXT (make run), IMAGE (make image: name and tag), WORKERS (make test: how'
	@echo 'many files of tests at a time, otherwise 2), COMMAND (make test-current: what to run there'
	@echo 'instead, for instance make run), ARGS (make test: for pytest, make lock: --upgrade,'
	@echo 'make bench and bench-scale: see benchmarks/README.md, make audit: --service pypi),'
	@echo 'STACK=1.16 or 1.21 (TFX, otherwise chosen).'

setup: ## Make .venv with the locked versions, or bring it up to date
	@$(call SET_UP,install)

cloud: ## The same, with what compiles for and talks to Kubeflow Pipelines and Vertex AI
	@$(call SET_UP,install --cloud)

run: setup ## Train, evaluate and push on the sample data, then score a sentence
	.venv/bin/python pipeline_runner.py run --data '$(DATA)'
	.venv/bin/python pipeline_runner.py predict "$$TEXT"

test: dev ## Lint, check types and import layers, run all tests
	@$(MAKE) --no-print-directory lint types
	.venv/bin/python -m pytest -m 'not slow and not containers and not current and not torture' \
	  --numprocesses $(WORKERS) --dist loadfile $(ARGS)

chromium: ## Install Debian's Chromium, in which `make test` looks at reports
	@$(call FROM_DEBIAN,chromium,chromium)

mariadb: ## Install Debian's MariaDB, which tests of a shared store start; no service comes with it
	@$(call FROM_DEBIAN,mariadb-install-db mariadb,mariadb-server-core mariadb-client-core)

test-containers: dev ## Run the compiled Kubeflow pipeline in the image; test the gate on TFX 1.21
	.venv/bin/python -m pytest -m containers --capture=sys --timeout=1800 $(ARGS)

test-current: dev ## Run `make test`, `make run` on TFX 1.21 and Debian 13; compare the stacks
	.venv/bin/python -m pytest -m current --capture=sys --timeout=7200 $(ARGS) \
	  $(if $(COMMAND),tests/containers/test_current.py)

proof: dev ## Run the slow proofs, on the full IMDB data set
	.venv/bin/python -m pytest -m slow --imdb $(ARGS)

torture: dev ## Kill, damage and mislead the pipeline for half an hour, and count the losses
	.venv/bin/python -m pytest -m torture --results tests/torture/results.json tests/torture $(ARGS)
	.venv/bin/python -m tests.torture.table

lint: dev ## Check style and import layers
	.venv/bin/ruff check .
	.venv/bin/lint-imports

types: dev ## Check types
	.venv/bin/mypy

stacks: dev ## Compare TFX 1.16 here with TFX 1.21 in the image on IMDB, and update README's table
	.venv/bin/python -m tests.containers.stacks $(BENCH_DATA)

image: ## Build the image that the steps of a compiled pipeline run in
	@$(call WITH_ENGINE,build --platform linux/amd64 --tag '$(IMAGE)' .)

bench: peers ## Measure this pipeline and its peers on IMDB, and update README's table
	.venv/bin/python -m benchmarks run $(BENCH_DATA) $(ARGS)
	@if [ -f benchmarks/results/bench.json ]; then .venv/bin/python -m benchmarks table >/dev/null; fi

bench-scale: peers ## Measure growth from a quarter of IMDB to 8 times IMDB, draw it, and measure node by node
	.venv/bin/python -m benchmarks scale $(BENCH_DATA) $(ARGS); code=$$?; \
	  if [ -f benchmarks/results/scale.json ]; then .venv/bin/python -m benchmarks plot; fi; \
	  exit $$code
	.venv/bin/python -m benchmarks nodes $(BENCH_DATA)

lock: ## Recompile requirements/*.txt (newest versions: ARGS=--upgrade)
	@$(call SET_UP,lock $(ARGS))

audit: setup ## List known vulnerabilities of all locked versions, with verdicts (ARGS=--service pypi)
	.venv/bin/python -m requirements.audit $(ARGS)

clean: ## Remove .venv, .uv and all caches; runs/ stays
	rm -rf .venv .uv build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev:
	@$(call SET_UP,install --dev --cloud)

peers:
	@$(call SET_UP,install --bench)
