# Everything lives inside the clone: environments in .venv*, Airflow's homes in .airflow.
PYTHON ?= python3
PORT ?= 8080
# Processes that run the tests; 0 runs them in pytest's own, which a debugger needs.
WORKERS ?= auto
# What to test, and further options of pytest: make test-some TESTS="tests/sensors -k reschedule".
TESTS ?=
# A part of the benchmarks, or all of them.
PART ?=
# What to mutate, or all of it: make mutants ROOM=waiting. The tests mostly wait: more mutants at once than cores.
ROOM ?=
MUTANTS_AT_ONCE ?= 4

AIRFLOW := 3.3.2
PINS := constraints/airflow-3.3.txt

# Older Airflows, and what each of them needs that its own requirements do not say.
OLDER := 2.11 3.0 3.1 3.2 lowest
PIN_2.11 := apache-airflow==2.11.2
PIN_3.0 := apache-airflow==3.0.6 fastapi<0.118 universal-pathlib<0.3
PIN_3.1 := apache-airflow==3.1.8 fastapi<0.118 universal-pathlib<0.3
PIN_3.2 := apache-airflow==3.2.2 fastapi<0.137 svcs<25.2
# The lowest versions that pyproject.toml allows of what this package itself depends on.
PIN_lowest := $(PIN_2.11) $(shell sed -nE '/apache-airflow>=/d; /hatchling/d; s/^(    |parquet = \[)"([a-z-]+)>=([0-9.]+)".*/\2==\3/p' pyproject.toml)

UV := .venv/bin/uv
PY := .venv/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up test test-some coverage-html $(OLDER:%=test-%) bench mutants lint format hooks constraints build clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "%-13s %s\n", $$1, $$2}' Makefile

demo: .venv/.ready ## Watch an example DAG await a campaign on a real Airflow; needs no account
	@$(PY) scripts/demo.py

up: .venv/.ready ## Run Airflow with the API double and the example DAGs, for the browser (PORT=8080)
	@$(PY) scripts/up.py $(PORT)

# A worker that ends, as it does with a test that hangs, is not replaced: the run ends and names the test.
TOGETHER = --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal --max-worker-restart 0

test: .venv/.ready ## Run all tests, with the coverage gate
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest $(TOGETHER)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

test-some: .venv/.ready ## Run some tests: TESTS="tests/sensors -k reschedule"
	$(PY) -m pytest $(TOGETHER) $(TESTS)

coverage-html: .venv/.ready ## Show the coverage of the last `make test` as pages, in build/coverage
	$(PY) -m coverage html --directory build/coverage

test-2.11: .venv-2.11/.ready ## Run the tests on Airflow 2.11; so do test-3.0, test-3.1, test-3.2 and test-lowest
	.venv-2.11/bin/python -m pytest $(TOGETHER)

# tests/system starts the Airflows of today and of 2.11.
test-3.0 test-3.1 test-3.2 test-lowest: test-%: .venv-%/.ready
	.venv-$*/bin/python -m pytest $(TOGETHER) -m "not system"

bench: .venv/.ready ## Measure speed, calls and memory against baselines; takes some minutes (PART=importing)
	$(PY) -m benchmarks $(PART)

mutants: .venv/.ready ## See whether the tests notice changes in the code; takes long (ROOM=waiting)
	$(INSTALL) --python $(PY) --constraint $(PINS) --group mutants
	nice -n 10 $(PY) scripts/mutants.py $(MUTANTS_AT_ONCE) $(ROOM)

lint: .venv/.ready ## Check style and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: .venv/.ready ## Format the code and mend what can be mended
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

hooks: .venv/.ready ## Let git format and lint before each commit
	$(PY) -m pre_commit install

build: $(UV) ## Build the wheel and the sdist into dist/
	$(UV) build --python $(PY) --build-constraints $(PINS) --out-dir dist

constraints: $(UV) ## Pin the newest versions that fit, for every Airflow tested
	echo "apache-airflow==$(AIRFLOW)" | $(COMPILE) --group dev --group mutants --output-file $(PINS)
	$(foreach older,$(OLDER),printf '%s\n' $(PIN_$(older):%='%') | \
		$(COMPILE) --group test --output-file $(call PINS_OF,$(older)) &&) true

PINS_OF = constraints/$(if $(filter lowest,$(1)),,airflow-)$(1).txt

# The lowest versions are pinned for the Python that the tests run on: others need newer ones.
COMPILE = $(UV) pip compile pyproject.toml - $(if $(filter lowest,$(older)),,--universal) --python-version 3.11 --extra testing --extra parquet \
	--no-annotate --no-header --upgrade --quiet

clean: ## Remove environments, Airflow's homes and everything built
	rm -rf .venv $(OLDER:%=.venv-%) .airflow dist build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(UV): constraints/tools.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints/tools.txt uv
	@touch $@

INSTALL = $(UV) pip install --quiet --build-constraints $(PINS)

.venv/.ready: $(UV) pyproject.toml $(PINS)
	$(INSTALL) --python $(PY) --constraint $(PINS) --group dev --editable '.[testing,parquet]'
	@touch $@

$(OLDER:%=.venv-%/.ready): .venv-%/.ready: $(UV) pyproject.toml $(wildcard constraints/*.txt)
	$(UV) venv --quiet --allow-existing --python $(PY) .venv-$*
	$(INSTALL) --python .venv-$*/bin/python --constraint $(call PINS_OF,$*) --group test --editable '.[testing,parquet]'
	@touch $@
