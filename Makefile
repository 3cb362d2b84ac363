# The targets and what they do: make help.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run test proof lint types lock clean dev

DATA ?= data/sample
TEXT ?= A warm and funny film with a wonderful cast. I loved it.
ARGS ?=
# By the environment, so that quotes in a review never meet the shell.
export TEXT

# A pyenv shim is on PATH even where it fails, so a Python must really run to count.
SET_UP = for python in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then \
	    exec $$python -m requirements.set_up $(1); \
	  fi; \
	done; \
	echo 'error: no Python runs here (3.8 or newer); install python3.' >&2; exit 6

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Variables: DATA (make run), TEXT (make run), ARGS (make test: for pytest,'
	@echo 'make lock: --upgrade), STACK=1.16 or 1.21 (the TFX version, otherwise chosen).'

setup: ## Make .venv with the locked versions, or bring it up to date
	@$(call SET_UP,install)

run: setup ## Train, evaluate and push on the sample data, then score a sentence
	.venv/bin/python pipeline_runner.py run --data '$(DATA)' --set trainer.learning_rate=0.01
	.venv/bin/python pipeline_runner.py predict "$$TEXT"

test: dev ## Lint, check types and import layers, run all tests
	@$(MAKE) --no-print-directory lint types
	.venv/bin/python -m pytest -m 'not slow' $(ARGS)

proof: dev ## Run the slow proofs, on the full IMDB data set
	.venv/bin/python -m pytest -m slow $(ARGS)

lint: dev ## Check style and import layers
	.venv/bin/ruff check .
	.venv/bin/lint-imports

types: dev ## Check types
	.venv/bin/mypy

lock: ## Recompile requirements/*.txt (newest versions: ARGS=--upgrade)
	@$(call SET_UP,lock $(ARGS))

clean: ## Remove .venv, .uv and all caches; runs/ stays
	rm -rf .venv .uv build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev:
	@$(call SET_UP,install --dev)
