# The verbs of the template. Each one first does the set-up if it is missing or out of date.
.DEFAULT_GOAL := help
.PHONY: help setup demo bake unbake test-fast test test-all api benchmark quality constraints clean

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$python && break; done)
# Each worker has projects of its own, copies of one that was made once.
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready
DEMO := build/demo/flight-delays
DATA ?= flights
PINS := {{cookiecutter.project_slug}}/environments/constraints-3.11.txt
TEST = $(BIN)/pytest --quiet --durations=5 --numprocesses=$(WORKERS) --dist=loadfile

help:  ## list these verbs
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/\1\t\2/p' Makefile | expand -t 14

setup: $(READY)  ## make the template's own environment

$(READY): pyproject.toml constraints.txt library/stagebook/pyproject.toml
	@test -n "$(PYTHON)" || { echo "ERROR: no Python 3.11 to 3.13 found. Install one, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt \
	--requirements pyproject.toml --group dev
	@touch $@

demo: $(READY)  ## bake the default project into build/, install it, run its pipeline, show the figures
	@rm -rf build/demo
	@$(BIN)/cookiecutter . --no-input --output-dir build/demo
	@$(MAKE) --no-print-directory -C $(DEMO) setup
	@cd $(DEMO) && git add --all && git -c user.name=demo -c user.email=demo@example.com commit --quiet --no-verify --message "As generated"
	@$(MAKE) --no-print-directory -C $(DEMO) pipeline
	@echo "  all of it is in $(DEMO)"

bake: $(READY)  ## bake a project to edit the template in, into build/authoring (DATA=flights|own)
	@$(BIN)/python tools/authoring.py bake --data="$(DATA)"

unbake: $(READY)  ## bring the edits of that project back into the template (DATA=..., OPTION=data/flights: new files there)
	@$(BIN)/python tools/authoring.py unbake --data="$(DATA)" --option="$(OPTION)"

test-fast: $(READY)  ## run the library's unit tests, and those of what comes out for each option (two minutes)
	@$(TEST) -m "not slow and not full"

test: $(READY)  ## run these, and whole projects: the README's commands, the pipeline, updates (a quarter of an hour)
	@$(TEST) -m "not full"

test-all: $(READY)  ## run all tests: other Pythons, wide data, servers, workflows executed (before a release)
	@$(TEST)

api: $(READY)  ## make the library's function reference and pages: build/api/index.html
	@$(BIN)/python tools/api.py && echo build/api/index.html

benchmark: $(READY)  ## measure against stock tools, write benchmarks/results.md (half an hour)
	@$(BIN)/python benchmarks/run.py $(BENCHMARK_OPTIONS)

quality: $(READY)  ## measure models of own data against stock models on public tables, write benchmarks/quality.md (half an hour)
	@$(BIN)/python benchmarks/quality.py

constraints: $(READY)  ## resolve the pinned versions of this environment: what a project has, in the versions that projects pin
	@$(BIN)/uv pip compile pyproject.toml --group dev --quiet --upgrade --universal --python-version 3.11 \
	--constraint '$(PINS)' --no-emit-package stagebook \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file constraints.txt

clean:  ## remove the environment, caches and everything baked
	@rm -rf .venv build .pytest_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
