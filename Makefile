# `make demo` and `make test` set up everything that they need on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-long lint docs benchmark lock clean
.DEFAULT_GOAL := help

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# One stamp per requirements file: a changed pin reinstalls, anything else is instant.
$(VENV)/stamp-%: requirements/%.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/$*.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(VENV)/stamp-base  ## install semigen and run the main job on a bundled real table
	$(BIN)/semigen demo --force

test: $(VENV)/stamp-test  ## install what the tests need and run them
	$(BIN)/python -m pytest -n logical

test-long: $(VENV)/stamp-test  ## the statistical tests that take minutes
	$(BIN)/python -m pytest --long

lint: $(VENV)/stamp-test  ## style, format, types, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/stamp-docs  ## build the documentation; every example in it runs
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html

benchmark: $(VENV)/stamp-benchmark  ## speed against peers, accuracy against the baselines, every kind of column, size, deep models
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.columns
	$(BIN)/python -m benchmarks.text
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.deep

lock:  ## refresh the pinned versions under requirements/
	$(PYTHON) requirements/lock.py

clean:  ## remove what the other commands made
	rm -rf $(VENV) docs/_build docs/api/generated semigen-demo .mypy_cache .pytest_cache .ruff_cache
