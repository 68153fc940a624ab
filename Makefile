# Everything lives inside the clone: the environment in .venv, those of the matrix in .nox, Airflow's homes in .airflow.
PYTHON ?= python3
PORT ?= 8080
# Processes that run the tests; 0 runs them in pytest's own, which a debugger needs.
WORKERS ?= auto
# What to test, and further options of pytest: make test-some TESTS="tests/sensors -k reschedule".
TESTS ?=
# Which stories of the stack: the five of a merge, or all of them: make stack STORIES=stack.
STORIES ?= stack and not nightly
# A part of the benchmarks, or all of them.
PART ?=
# A cell of the matrix, such as airflow-3.2-python-3.12; by default all of them.
CELL ?=
# Inputs of the fuzz targets, for all of them together.
RUNS ?= 1000000
# What to mutate, or all of it: make mutants ROOM=waiting. The tests mostly wait: more mutants at once than cores.
ROOM ?=
MUTANTS_AT_ONCE ?= 4

# Tests start hundreds of processes: each would compile Airflow and the tests anew where no bytecode is kept.
export PYTHONDONTWRITEBYTECODE :=

PINS := constraints/airflow-3.3.txt
PACKAGE := airflow_provider_smspartner

UV := .venv/bin/uv
PY := .venv/bin/python
# Airflow, which autodoc imports, writes its configuration into its home.
FOR_DOCS := AIRFLOW_HOME="$(CURDIR)/.airflow/docs" $(PY)
SPHINX := $(FOR_DOCS) -m sphinx --quiet
# It finds uv where this makefile has put it.
NOX := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/nox

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo up test test-some lint format docs docs-serve docs-links cells stack nightly test-nightly matrix mutants fuzz airflow-faults fault-table pictures pictures-2.11 bench plots constraints hooks build runtime audit sbom release-check release-notes clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "%-15s %s\n", $$1, $$2}' Makefile

demo: .venv/.ready ## Watch an example DAG send SMS and await them on a real Airflow; needs no account
	@$(PY) scripts/demo.py

up: .venv/.ready ## Run Airflow with the API double and the example DAGs, for the browser (PORT=8080)
	@$(PY) scripts/up.py $(PORT)

# A worker that ends, as it does with a test that hangs, is not replaced: the run ends and names the test.
TOGETHER = --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal --max-worker-restart 0

test: .venv/.ready ## Run the tests, with the coverage gate; prints what it leaves out
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest $(TOGETHER)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

test-some: .venv/.ready ## Run some tests: TESTS="tests/sensors -k reschedule"
	$(PY) -m pytest $(TOGETHER) $(TESTS)

# mypy reads the whole project, and takes the longest.
lint: .venv/.ready ## Check style, types and workflows
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/actionlint -shellcheck .venv/bin/shellcheck -pyflakes "" .github/workflows/*.yml
	.venv/bin/zizmor --quiet --offline --strict-collection --persona auditor .

format: .venv/.ready ## Format the code and mend what can be mended
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

docs: .venv/.ready ## Build the documentation site into build/docs; warnings are errors
	$(SPHINX) --builder html --fail-on-warning --keep-going docs build/docs
	@echo "Open build/docs/index.html, or see it renewed at each change: make docs-serve"

docs-serve: .venv/.ready ## Show the site on 127.0.0.1, renewed at each change of a page (PORT=8080)
	$(FOR_DOCS) -m sphinx_autobuild --host 127.0.0.1 --port $(PORT) docs build/docs

docs-links: .venv/.ready ## Ask for every address that the site links to; needs a network
	@$(SPHINX) --builder linkcheck docs build/docs-links || \
		{ echo "Some addresses did not answer: build/docs-links/output.txt. Without a network none does." >&2; exit 1; }

cells: .venv/.ready ## Test the built wheel on today's three Airflows: the lowest, one of 3.0 to 3.2, the pre-release
	$(NOX) --tags today && status=0 || status=1; $(PY) scripts/compatibility.py && exit $$status

stack: .venv/.ready ## Test on PostgreSQL, Redis and Celery, as production runs Airflow; all of it: STORIES=stack
	$(PY) -m pytest tests/stack -m "$(STORIES)" $(TESTS)

nightly: ## Run all that a merge leaves out; some hours on two cores
	$(MAKE) --keep-going test-nightly matrix pictures-2.11 airflow-faults fuzz mutants
	$(MAKE) stack STORIES=stack

test-nightly: .venv/.ready ## Run the tests that `make test` leaves out: all cells of the two tables, the soak, long ones
	$(PY) -m pytest $(TOGETHER) -m "nightly and not stack"

matrix: .venv/.ready ## Test the built wheel in all cells, and write the table; in one: CELL=airflow-3.2-python-3.12
	$(NOX) --session "matrix$(if $(CELL),($(CELL)))" -- $(TESTS) && status=0 || status=1; \
		$(PY) scripts/compatibility.py $(if $(CELL)$(TESTS),,--write) && exit $$status

mutants: .venv/.ready ## See whether the tests notice changes in the code; takes an hour or two (ROOM=waiting)
	$(INSTALL) --group mutants
	nice -n 10 $(PY) scripts/mutants.py $(MUTANTS_AT_ONCE) $(ROOM)

fuzz: .venv/.fuzz ## Fuzz what reads answers and message files, guided by coverage (RUNS=1000000); takes some minutes
	$(PY) scripts/fuzzing.py --runs $(RUNS)

airflow-faults: .venv/.ready ## Show what is Airflow's fault: probes that need nothing but Airflow
	$(NOX) --session airflow_faults

fault-table: .venv/.ready ## Play every fault, and write docs/faults.md and docs/never-twice.md from what is seen
	$(PY) -m pytest $(TOGETHER) -m "" tests/faults/test_cells.py tests/sending/test_never_twice.py --fault-table

pictures: .venv/.ready ## Take the pictures of the docs anew, of Airflow 3.3 and 2.11; needs Chromium
	$(PY) -m pytest -m "" tests/pictures/test_pictures.py -k true --take-pictures
	$(NOX) --session pictures -- --take-pictures
	$(PY) scripts/shrink_pictures.py docs/pictures

pictures-2.11: .venv/.ready ## Compare the UI of Airflow 2.11 with its pictures; skipped without Chromium
	$(NOX) --session pictures

bench: .venv/.ready ## Measure speed, calls and memory against baselines; takes some minutes (PART=importing)
	$(PY) -m benchmarks $(PART)

plots: .venv/.ready ## Draw the plots of docs/scaling.md from the figures of the last benchmarks
	$(PY) scripts/plots.py

constraints: .venv/.ready ## Pin the newest versions that fit, for every Airflow of the matrix
	$(NOX) --session constraints

hooks: .venv/.ready ## Let git format and lint before each commit
	$(PY) -m pre_commit install

build: $(UV) ## Build the wheel and the sdist into dist/
	$(UV) build --python $(PY) --build-constraints $(PINS) --clear --out-dir dist

# The wheel with its extras, on the Airflow that developers use, and nothing beside it.
runtime: build .venv/.ready
	@$(UV) venv --quiet --clear --python $(PY) build/runtime
	@$(UV) pip install --quiet --python build/runtime/bin/python --constraint $(PINS) "$$(echo dist/*.whl)[testing,parquet,sql]"

audit: runtime ## Check the licences of what the wheel needs, and ask for known vulnerabilities; needs a network
	@$(PY) -m piplicenses --python build/runtime/bin/python
	@$(PY) -m pip_audit --vulnerability-service osv --path build/runtime/lib/python*/site-packages

sbom: runtime ## Write what the wheel needs as an SBOM (CycloneDX) into build/sbom.cdx.json
	@$(PY) -m cyclonedx_py environment --output-file build/sbom.cdx.json build/runtime/bin/python

release-check: build .venv/.ready ## See whether what `make build` gives may be released
	@$(PY) -m twine check --strict dist/*
	@$(PY) -m check_wheel_contents --no-config --toplevel $(PACKAGE) --package $(PACKAGE) dist/*.whl
	@$(PY) scripts/release.py

release-notes: .venv/.ready ## Print what the changelog says of this version
	@$(PY) scripts/release.py --notes

clean: ## Remove environments, Airflow's homes and everything built
	rm -rf .venv .nox .airflow dist build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

INSTALL = $(UV) pip install --quiet --python $(PY) --build-constraints $(PINS) --constraint $(PINS)

# pip comes from outside: to put one into the environment takes longer than all the rest.
$(UV): constraints/tools.txt
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(PY) install --quiet --disable-pip-version-check --constraint constraints/tools.txt uv
	@touch $@

# One environment for the tests, their stack, lint, docs and releases.
.venv/.ready: $(UV) pyproject.toml $(PINS)
	$(INSTALL) --group dev --editable '.[testing,parquet,sql]'
	@touch $@

# Apart, since atheris has wheels for few systems; nothing but `make fuzz` needs it.
.venv/.fuzz: .venv/.ready
	@$(INSTALL) --group fuzz || \
		{ echo "atheris can't be installed on this machine, and nothing was fuzzed." >&2; \
		echo "The same targets run without it: make test-some TESTS=tests/fuzz" >&2; exit 1; }
	@touch $@
