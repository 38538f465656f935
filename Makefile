# Every target makes its own environment from the locked requirements: each is the only command needed after a clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
IMMY := $(BIN)/immy
# --tb=native: formatting a failure parses sources, which CPython 3.11 does badly beside other threads.
# Files with slow tests come first (tests/conftest.py), so that no long one is left to one worker at the end.
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder --tb=native

.PHONY: help demo test tests without fast lint bench soak coverage clean lock
.DEFAULT_GOAL := help

help: ## what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /	/'

$(STAMP): pyproject.toml requirements-dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: $(STAMP) ## the main job: full maintenance of the sample fleet, on simulated computers
	$(IMMY) demo

test: $(STAMP) ## everything: lint, types, all tests
	$(MAKE) lint
	$(BIN)/python -m pytest $(PARALLEL) -q

tests: $(STAMP) ## all tests, without lint and coverage
	$(BIN)/python -m pytest $(PARALLEL) -q

without: $(STAMP) ## what uses a PowerShell where there is one; to be run where there is none, after all else
	$(BIN)/python -m pytest $(PARALLEL) -q -m pwsh

fast: $(STAMP) ## the tests that take less than a minute together
	$(BIN)/python -m pytest $(PARALLEL) -q -m "not slow"

# Each platform has a cache of its own: in one, each would throw the other's away.
lint: $(STAMP) ## ruff and mypy, for Linux and for Windows
	$(BIN)/ruff check immy_nornir tests bench
	$(BIN)/ruff format --check immy_nornir tests bench
	$(BIN)/mypy & first=$$!; \
	$(BIN)/mypy --platform win32 -p immy_nornir --cache-dir .mypy_cache/win32; second=$$?; \
	wait $$first && exit $$second

bench: $(STAMP) ## speed and memory, as ratios and CPU per computer
	$(BIN)/python -m bench

soak: $(STAMP) ## full counts of kills, matrices and fuzzing
	$(BIN)/python -m pytest $(PARALLEL) -q --soak

coverage: $(STAMP) ## what the tests reach, as an HTML page; takes three times as long
	$(BIN)/python -m pytest $(PARALLEL) -q --cov --cov-report=html

lock: ## write the versions of this environment down
	$(BIN)/python -m pip freeze --exclude-editable > requirements-dev.lock

clean: ## remove the environment and everything made
	rm -rf $(VENV) .immy .coverage htmlcov dist build .mypy_cache .ruff_cache .pytest_cache
