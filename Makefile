# `make demo` and `make test` set up everything that they need on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Modules are compiled when they are first imported, which few of those installed ever are, and kept compiled:
# tests and guides start a hundred processes, which would each compile all that they import.
PIP := -m pip --disable-pip-version-check install --quiet --no-compile
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-long lint docs wheel smoke lowest mutants benchmark lock clean
.DEFAULT_GOAL := help

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# One stamp per requirements file: a changed pin reinstalls, anything else is instant.
$(VENV)/stamp-%: requirements/%.txt $(VENV)/stamp-package
	$(BIN)/python $(PIP) -r requirements/$*.txt
	@touch $@

$(VENV)/stamp-package: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --no-deps -e .
	@touch $@

demo: $(VENV)/stamp-base  ## install semigen and run the main job on a bundled real table
	$(BIN)/semigen demo --force

test: $(VENV)/stamp-test  ## install what the tests need and run them
	$(BIN)/python -m pytest -n logical --dist worksteal --durations 30

test-long: $(VENV)/stamp-test  ## the statistical tests that take minutes
	$(BIN)/python -m pytest --long

lint: $(VENV)/stamp-test  ## style, format, types, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/stamp-docs  ## build the documentation; every example in it runs
	$(BIN)/python -m sphinx -j auto -W --keep-going -q docs docs/_build/html

# An environment of its own: wheel and smoke can run while the other one is being set up.
.venv-release/stamp: requirements/release.txt
	@test -x .venv-release/bin/python || $(PYTHON) -m venv .venv-release
	.venv-release/bin/python $(PIP) -r $<
	@touch $@

wheel: .venv-release/stamp  ## build wheel and sdist into dist/ and check what an index would show of them
	rm -rf dist
	.venv-release/bin/python -m build --outdir dist
	.venv-release/bin/twine check --strict dist/*

smoke: wheel  ## install the wheel alone into an empty environment and use it
	$(PYTHON) -m venv --clear .venv-smoke
	.venv-smoke/bin/python $(PIP) -r requirements/base.txt
	.venv-smoke/bin/python $(PIP) --no-deps dist/*.whl
	.venv-smoke/bin/python -I tests/smoke.py

lowest:  ## the tests with the lowest versions that pyproject.toml allows, in .venv-lowest
	$(MAKE) VENV=.venv-lowest .venv-lowest/stamp-lowest
	.venv-lowest/bin/python -m pytest -n logical --dist worksteal tests

mutants: $(VENV)/stamp-test  ## break the code in some hundred places; do the tests notice?
	$(BIN)/python -m benchmarks.mutants

benchmark: $(VENV)/stamp-benchmark  ## speed against peers, accuracy against the baselines, every kind of column, size, deep models
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.columns
	$(BIN)/python -m benchmarks.text
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.querying
	$(BIN)/python -m benchmarks.deep

lock:  ## refresh the pinned versions under requirements/
	$(PYTHON) requirements/lock.py

clean:  ## remove what the other commands made
	rm -rf $(VENV) .venv-lowest .venv-release .venv-smoke .mutants dist docs/_build docs/api/generated semigen-demo
	rm -rf .mypy_cache .pytest_cache .ruff_cache
