# Everything lives inside the clone: environments in .venv*, Airflow's homes in .airflow.
PYTHON ?= python3
PORT ?= 8080
# Processes that run the tests; 0 runs them in pytest's own, which a debugger needs.
WORKERS ?= auto
# What to test, and further options of pytest: make test-some TESTS="tests/sensors -k reschedule".
TESTS ?=
# A part of the benchmarks, or all of them.
PART ?=
# A cell of the matrix, named as `make cells` does; by default all of them.
CELL ?=
# Inputs of the fuzz targets, for all of them together.
RUNS ?= 1000000
# How to list the cells: make cells FORMAT=json, for programs.
FORMAT ?=
# What to mutate, or all of it: make mutants ROOM=waiting. The tests mostly wait: more mutants at once than cores.
ROOM ?=
MUTANTS_AT_ONCE ?= 4

# Tests start hundreds of processes: each would compile Airflow and the tests anew where no bytecode is kept.
export PYTHONDONTWRITEBYTECODE :=

PINS := constraints/airflow-3.3.txt

UV := .venv/bin/uv
PY := .venv/bin/python
# Airflow, which autodoc imports, writes its configuration into its home.
FOR_DOCS := AIRFLOW_HOME="$(CURDIR)/.airflow/docs" $(PY)
SPHINX := $(FOR_DOCS) -m sphinx --quiet
# It finds uv where this makefile has put it.
NOX := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/nox

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up test test-some fault-table coverage-html cells matrix one-of-each airflow-faults pictures pictures-2.11 stack soak fuzz mutants test-all bench lint format hooks constraints docs docs-serve docs-links plots addresses build runtime audit sbom release-check release-notes clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "%-15s %s\n", $$1, $$2}' Makefile

demo: .venv/.ready ## Watch an example DAG send SMS and await them on a real Airflow; needs no account
	@$(PY) scripts/demo.py

up: .venv/.ready ## Run Airflow with the API double and the example DAGs, for the browser (PORT=8080)
	@$(PY) scripts/up.py $(PORT)

# A worker that ends, as it does with a test that hangs, is not replaced: the run ends and names the test.
TOGETHER = --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal --max-worker-restart 0

test: .venv/.release ## Run all tests, with the coverage gate
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest $(TOGETHER)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

test-some: .venv/.ready ## Run some tests: TESTS="tests/sensors -k reschedule"
	$(PY) -m pytest $(TOGETHER) $(TESTS)

fault-table: .venv/.ready ## Play every fault, and write docs/faults.md and docs/never-twice.md from what is seen
	$(PY) -m pytest $(TOGETHER) tests/faults/test_cells.py tests/sending/test_never_twice.py --fault-table

coverage-html: .venv/.ready ## Show the coverage of the last `make test` as pages, in build/coverage
	$(PY) -m coverage html --directory build/coverage

cells: .venv/.ready ## List the cells of the matrix: every Airflow on every Python that it supports
	@$(NOX) --list --session matrix $(if $(FORMAT),--$(FORMAT))

matrix: .venv/.ready ## Test the built wheel in all cells, and write the table; in one: CELL=airflow-3.2-python-3.12
	$(NOX) --session "matrix$(if $(CELL),($(CELL)))" -- $(TESTS) && status=0 || status=1; \
		$(PY) scripts/compatibility.py $(if $(CELL)$(TESTS),,--write) && exit $$status

# What meets no Airflow, and the docs, which `make test` runs on the newest: `make matrix` has them in each cell.
ELSEWHERE = documentation fuzz models protocol testing

one-of-each: .venv/.ready ## Test the built wheel in one cell of each Airflow but the one of `make test`
	$(NOX) --tags one-of-each -- $(ELSEWHERE:%=--ignore=tests/%) && status=0 || status=1; $(PY) scripts/compatibility.py && exit $$status

airflow-faults: .venv/.ready ## Show what is Airflow's fault: probes that need nothing but Airflow
	$(NOX) --session airflow_faults

pictures: .venv/.docs ## Take the pictures of the docs anew, of Airflow 3.3 and 2.11; needs Chromium
	$(PY) -m pytest tests/pictures/test_pictures.py --take-pictures
	$(NOX) --session pictures -- --take-pictures
	$(PY) scripts/shrink_pictures.py docs/pictures

pictures-2.11: .venv/.ready ## Compare the UI of Airflow 2.11 with its pictures; skipped without Chromium
	$(NOX) --session pictures

stack: .venv/.ready ## Test on PostgreSQL, Redis and Celery, as production runs Airflow
	$(NOX) --session stack -- $(TESTS)

soak: .venv/.ready ## Run 2,000 waits over two days of simulated time, with faults; takes half a minute
	$(PY) -m pytest tests/soak -m soak

fuzz: .venv/.fuzz ## Fuzz what reads answers and message files, guided by coverage (RUNS=1000000); takes some minutes
	$(PY) scripts/fuzzing.py --runs $(RUNS)

# What takes an hour or more is not in it: it says so.
test-all: one-of-each pictures-2.11 stack soak ## Run all that `make test` leaves out; up to an hour on two cores
	@echo "Passed: one cell of each other Airflow, the pictures of 2.11, the production stack, the soak."
	@echo "Left out: the other cells, and in these cells the tests of $(ELSEWHERE) (make matrix),"
	@echo "a million fuzz inputs (make fuzz), mutants (make mutants), Airflow's own faults (make airflow-faults),"
	@echo "benchmarks (make bench)."

bench: .venv/.ready ## Measure speed, calls and memory against baselines; takes some minutes (PART=importing)
	$(PY) -m benchmarks $(PART)

mutants: .venv/.ready ## See whether the tests notice changes in the code; takes long (ROOM=waiting)
	$(INSTALL) --python $(PY) --constraint $(PINS) --group mutants
	nice -n 10 $(PY) scripts/mutants.py $(MUTANTS_AT_ONCE) $(ROOM)

# mypy reads docs/conf.py, too, and so looks for Sphinx.
lint: .venv/.docs ## Check style, types and workflows
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/actionlint -shellcheck .venv/bin/shellcheck -pyflakes "" .github/workflows/*.yml
	.venv/bin/zizmor --quiet --offline --strict-collection --persona auditor .

format: .venv/.ready ## Format the code and mend what can be mended
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

hooks: .venv/.ready ## Let git format and lint before each commit
	$(PY) -m pre_commit install

docs: .venv/.docs ## Build the documentation site into build/docs; warnings are errors
	$(SPHINX) --builder html --fail-on-warning --keep-going docs build/docs
	@echo "Open build/docs/index.html, or see it renewed at each change: make docs-serve"

docs-serve: .venv/.docs ## Show the site on 127.0.0.1, renewed at each change of a page (PORT=8080)
	$(FOR_DOCS) -m sphinx_autobuild --host 127.0.0.1 --port $(PORT) docs build/docs

docs-links: .venv/.docs ## Ask for every address that the site links to; needs a network
	@$(SPHINX) --builder linkcheck docs build/docs-links || \
		{ echo "Some addresses did not answer: build/docs-links/output.txt. Without a network none does." >&2; exit 1; }

plots: .venv/.docs ## Draw the plots of docs/scaling.md from the figures of the last benchmarks
	$(PY) scripts/plots.py

addresses: .venv/.ready ## Write the project's addresses, from their table in pyproject.toml, into all that shows them
	$(PY) scripts/addresses.py

build: $(UV) ## Build the wheel and the sdist into dist/
	$(UV) build --python $(PY) --build-constraints $(PINS) --clear --out-dir dist

# The wheel with its extras, on the Airflow that developers use, and nothing beside it.
runtime: build .venv/.release
	@$(UV) venv --quiet --clear --python $(PY) build/runtime
	@$(INSTALL) --python build/runtime/bin/python --constraint $(PINS) "$$(echo dist/*.whl)[testing,parquet,sql]"

audit: runtime ## Check the licences of what the wheel needs, and ask for known vulnerabilities; needs a network
	@$(PY) scripts/audit.py build/runtime/bin/python

sbom: runtime ## Write what the wheel needs as an SBOM (CycloneDX) into build/sbom.cdx.json
	@$(PY) scripts/sbom.py build/runtime/bin/python build/sbom.cdx.json

release-check: build .venv/.release ## See whether what `make build` gives may be released
	@$(PY) scripts/release_check.py

release-notes: .venv/.release ## Print what the changelog says of this version
	@$(PY) scripts/release_check.py --notes

constraints: .venv/.ready ## Pin the newest versions that fit, for every Airflow of the matrix
	$(NOX) --session constraints

clean: ## Remove environments, Airflow's homes and everything built
	rm -rf .venv .nox .airflow dist build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(UV): constraints/tools.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints/tools.txt uv
	@touch $@

INSTALL = $(UV) pip install --quiet --build-constraints $(PINS)

.venv/.ready: $(UV) pyproject.toml $(PINS)
	$(INSTALL) --python $(PY) --constraint $(PINS) --group dev --editable '.[testing,parquet,sql]'
	@touch $@

.venv/.docs: .venv/.ready
	$(INSTALL) --python $(PY) --constraint $(PINS) --group docs
	@touch $@

.venv/.release: .venv/.ready
	$(INSTALL) --python $(PY) --constraint $(PINS) --group release
	@touch $@

# Apart, since atheris has wheels for few systems; nothing but `make fuzz` needs it.
.venv/.fuzz: .venv/.ready
	@$(INSTALL) --python $(PY) --constraint $(PINS) --group fuzz || \
		{ echo "atheris can't be installed on this machine, and nothing was fuzzed." >&2; \
		echo "The same targets run without it: make test-some TESTS=tests/fuzz" >&2; exit 1; }
	@touch $@

