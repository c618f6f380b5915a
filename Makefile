# Everything runs in .venv, which the first target that needs it creates.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
AXE := .axe-core-4.14.1

# One thread a process: branches run side by side, and sums keep one order.
export OMP_NUM_THREADS := 1
# The build backend is pinned too, and pip takes no step towards a newer self.
export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python keeps what it has compiled, whatever the environment says: torch and transformers take seconds in every process.
export PYTHONDONTWRITEBYTECODE :=

# Peers to test, all unless some are named, and the seconds that they are given.
PEERS ?=
LIMIT ?= 900

.PHONY: study paper docs pictures gallery axe test test-slow test-peers lint bench gpu clean $(VENV) $(VENV)-bench

# On the CPU also where there is a GPU, which so small a model leaves idle most of the time.
study: $(VENV)/.installed
	$(BIN)/shiftgym study run points-text --device cpu

# Every experiment of the paper and what goes beyond it: four to five hours. Goes on where it was with:
#   shiftgym study resume runs/paper-...
paper: $(VENV)/.installed
	$(BIN)/shiftgym study run paper --device cpu

# The documentation as a site, without network: open site/index.html.
docs: $(VENV)/.installed
	$(BIN)/python scripts/docs_site.py

# The pictures of the documentation, from real episodes of shipped models; a minute.
pictures: $(VENV)/.installed
	$(BIN)/python -m scripts.pictures

# The reports of the gallery: two hours from nothing, two minutes where their runs are in runs/gallery. Needs Chromium.
gallery: $(VENV)/.installed
	$(BIN)/python scripts/gallery.py

# A file's tests stay in one process, so that what they share (a whole tiny study, a report) is made once.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

# What takes minutes: the paper at toy size, and the like. The longest files begin (tests/conftest.py). Tests of pages are
# skipped where there is no Chromium, and those of accessibility where there is no npm to get axe-core with.
test-slow: $(VENV)/.installed $(if $(shell command -v npm),$(AXE)/package/axe.min.js)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow

# What finds faults of accessibility in pages. Without the npm registry its tests are skipped, so that fails nothing.
axe: $(AXE)/package/axe.min.js

$(AXE)/package/axe.min.js:
	mkdir -p $(AXE)
	-npm pack --silent --pack-destination $(AXE) axe-core@4.14.1 && tar -xzf $(AXE)/axe-core-4.14.1.tgz -C $(AXE)

# The tests of integrations where their peers are installed: `make test-peers PEERS="verl skyrl"`.
test-peers: $(VENV)/.installed
	$(BIN)/python scripts/peer_tests.py --seconds $(LIMIT) $(PEERS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# TRL is only a yardstick and wants versions of its own, so it gets its own environment.
bench: $(VENV)/.installed $(VENV)-bench/.installed
	$(BIN)/shiftgym bench
	$(VENV)-bench/bin/python benchmarks/trl_compare.py

# On a machine with a GPU, by a Python that has shiftgym, torch with CUDA and pytest: `make gpu PYTHON=python3`.
# The benchmark runs also where a test fails. Warnings of other versions than the pinned ones are no errors.
gpu: export PYTHONPATH := $(CURDIR)/src
gpu:
	@failed=0; \
	$(PYTHON) -m pytest -W default -m gpu tests/gpu || failed=1; \
	$(PYTHON) benchmarks/gpu.py || failed=1; \
	exit $$failed

# The stamp is written last, so an installation that was cut short is taken up again.
$(VENV): $(VENV)/.installed
$(VENV)-bench: $(VENV)-bench/.installed

# The constraints name everything, so that pip has nothing to find out. Of the largest packages only few modules are ever
# used, and Python compiles these when it needs them.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --no-deps --requirement constraints.txt
	$(BIN)/pip install --quiet --no-compile --no-build-isolation --no-deps --editable .
	$(BIN)/pip check
	$(BIN)/python -W ignore -m compileall -qq -j 0 -x '/(databricks|mlflow|ray|scipy|sympy|torch|transformers|wandb)/' $(VENV)/lib
	touch $@

$(VENV)-bench/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/pip install --quiet --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-bench $(VENV)-peers build site .cache $(AXE) .pytest_cache .mypy_cache .ruff_cache .hypothesis
