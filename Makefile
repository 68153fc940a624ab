# Everything lives inside the clone: environments in .venv*, Airflow's homes in .airflow.
PYTHON ?= python3
PORT ?= 8080
# Processes that run the tests; 0 runs them in pytest's own, which a debugger needs.
WORKERS ?= auto

AIRFLOW := 3.3.2
AIRFLOW_OLDEST := 2.11.2
PINS := constraints/airflow-3.3.txt
PINS_OLDEST := constraints/airflow-2.11.txt

UV := .venv/bin/uv
PY := .venv/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up test test-2.11 bench lint format constraints build clean

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

test-2.11: .venv-2.11/.ready ## Run the tests on Airflow 2.11
	.venv-2.11/bin/python -m pytest $(TOGETHER)

bench: .venv/.ready ## Measure speed, calls and memory against baselines; takes some minutes
	$(PY) -m benchmarks

lint: .venv/.ready ## Check style and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: .venv/.ready ## Format the code and mend what can be mended
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

build: $(UV) ## Build the wheel and the sdist into dist/
	$(UV) build --python $(PY) --build-constraints $(PINS) --out-dir dist

constraints: $(UV) ## Pin the newest versions that fit, for every Airflow tested
	echo "apache-airflow==$(AIRFLOW)" | $(COMPILE) --group dev --output-file $(PINS)
	echo "apache-airflow==$(AIRFLOW_OLDEST)" | $(COMPILE) --group test --output-file $(PINS_OLDEST)

COMPILE = $(UV) pip compile pyproject.toml - --universal --python-version 3.11 --extra testing --extra parquet \
	--no-annotate --no-header --upgrade --quiet

clean: ## Remove environments, Airflow's homes and everything built
	rm -rf .venv .venv-2.11 .airflow dist build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(UV): constraints/tools.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints/tools.txt uv
	@touch $@

INSTALL = $(UV) pip install --quiet --build-constraints $(PINS)

.venv/.ready: $(UV) pyproject.toml $(PINS)
	$(INSTALL) --python $(PY) --constraint $(PINS) --group dev --editable '.[testing,parquet]'
	@touch $@

.venv-2.11/.ready: $(UV) pyproject.toml $(PINS_OLDEST)
	$(UV) venv --quiet --allow-existing --python $(PY) .venv-2.11
	$(INSTALL) --python .venv-2.11/bin/python --constraint $(PINS_OLDEST) --group test --editable '.[testing,parquet]'
	@touch $@
