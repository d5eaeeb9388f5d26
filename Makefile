# make run    set up and run the demo: rendered walkers, enrolled and recognised through the whole pipeline
# make test   set up with the test extras and run the tests
# make test-slow  the tests that take minutes
# make check  lint, formatting and types
# make lock   renew constraints.txt from what pyproject.toml admits today
# make clean  remove the environment and everything generated

VENV := .venv
# The first of these that is a Python 3.11 to 3.13 makes the environment; PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
PIP_INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test test-slow check lock clean

run: $(VENV)/.installed-run
	$(VENV)/bin/python run_pipeline.py demo

# A process per folder, two folders at a time: they wait for processes and sockets as much as they compute.
# What a folder says is printed when it is through. `make test TEST_JOBS=1` shows them one by one.
# Begun first, since it takes long and would else run last with nothing beside it.
FIRST := tests/stream/
FOLDERS := $(sort $(dir $(wildcard tests/test_*.py tests/*/test_*.py tests/*/*/test_*.py tests/*/*/*/test_*.py)))
TESTS := $(FIRST) $(filter-out $(FIRST),$(FOLDERS))
TEST_JOBS ?= 2

test: $(VENV)/.installed-test
	@$(MAKE) --no-print-directory --output-sync=target -j$(TEST_JOBS) $(TESTS:%=folder-%)

.PHONY: $(TESTS:%=folder-%)
$(TESTS:%=folder-%): folder-%: $(VENV)/.installed-test
	@echo "== $*"; $(VENV)/bin/python -m pytest $(wildcard $*test_*.py) --durations=3

test-slow: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -m slow --timeout 1200

check: $(VENV)/.installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .

$(VENV)/.installed-run: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the pipeline needs (once; about a minute)"
	$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the test extras (once; a few minutes)"
	$(PIP_INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.installed-run

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Gaitway needs Python 3.11, 3.12 or 3.13: install one, or say make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install python3-venv (Debian, Ubuntu)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

lock:
	rm -rf build/lock && python3 -m venv build/lock
	build/lock/bin/python -m pip install --quiet -e '.[test]'
	build/lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean:
	rm -rf $(VENV) build out .mypy_cache .ruff_cache .pytest_cache .hypothesis
