# Every target sets itself up in .venv; a clean clone needs Python 3.11 or newer with its headers, gcc and make.
# VENV=.venv-3.13 PYTHON=python3.13 keeps another Python beside it: compiled files carry the version in their names.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2
FUZZ_SECONDS ?= 60
STUBTEST := --concise --mypy-config-file pyproject.toml --allowlist tests/data/stubtest.txt --ignore-unused-allowlist \
	wasmartifact._types wasmartifact._native
FUZZ_SEED ?= 1

NATIVE := $(wildcard native/*.py native/include/*.h native/*/*.[ch] native/wasi/calls/*.c native/python/component/*.[ch])
# Python files that mypyc compiles.
COMPILED := $(shell cat native/compiled_python.txt)

.PHONY: findings help demo test test-frozen test-python test-debian wheels test-wheels test-aarch64 test-programs check lint docs docs-plots timings budget bench spec fuzz sanitize clean
# The last thing that `make check` prints is the summary of the tests.
.NOTPARALLEL:

help:
	@echo "make demo     pack QuickJS, run JavaScript in it, compare with wasmtime-py"
	@echo "make test     all tests but the timing ones"
	@echo "make test-python  all tests on another CPython: PYTHON=python3.13"
	@echo "make test-debian  all tests on a CPython of Debian unstable, in a chroot: PYTHON=python3.15; needs root"
	@echo "make wheels   source distribution and wheels for x86-64 and aarch64 into dist; PYTHONS=\"python3.11 python3.13\""
	@echo "make test-wheels  a wheel in a fresh environment: load, pack, examples"
	@echo "make test-aarch64  runtime, WASI and the spec suite on an emulated aarch64; QUICK=1: a part of it"
	@echo "make test-programs  programs from PyPI and npm against what wasmtime-py makes of them, the large ones too"
	@echo "make test-frozen    programs frozen by PyInstaller and cx_Freeze"
	@echo "make check    everything that CI checks: lint, types, generated files, docs, load timings, instruction counts, tests"
	@echo "make docs     the documentation site, into build/docs; warnings are errors"
	@echo "make docs-plots  the plots of the site, measured anew on this machine; docs/*.svg"
	@echo "make budget   instruction counts of load and calls beside their budget; needs valgrind"
	@echo "make bench    every figure against its rivals, goals met and not met"
	@echo "make spec     the whole WebAssembly spec suite"
	@echo "make sanitize the runtime's tests on a build with ASan and UBSan"
	@echo "make fuzz     differential and mutation fuzzing, exceptions, lying metadata, components, code generators; FUZZ_SECONDS=60 each, FUZZ_SEED=1"
	@echo "make findings  what other people's tools do otherwise than one would guess; needs PyPI, gcc, and minutes"
	@echo "make clean    remove everything that was built"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# What builds the native parts. They are built without isolation, so that a rebuild needs no network.
$(VENV)/tools.stamp: | $(BIN)/python
	$(PIP) setuptools==84.2.1 cffi==2.1.1 mypy==2.4.1
	@touch $@

# The package in place with all its extras; built again whenever a native source or the project file changed.
# Warnings of the C compiler are errors here; in a user's installation they are not.
$(VENV)/ready.stamp: $(VENV)/tools.stamp pyproject.toml setup.py native/compiled_python.txt $(NATIVE) $(COMPILED)
	rm -rf build/lib* build/temp* build/bdist*
	find wasmartifact -name "*.$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_config_var("SOABI"))').so" -delete
	WASMARTIFACT_WERROR=1 $(PIP) --no-build-isolation -e '.[pack,dev,bench,docs]'
	@touch $@

demo: $(VENV)/ready.stamp
	$(BIN)/python -m bench.demo

test: $(VENV)/ready.stamp
	$(PYTEST) -n $(WORKERS)

# All tests on another CPython, in an environment of its own: make test-python PYTHON=python3.13
test-python:
	$(MAKE) test VENV=.venv-$(notdir $(PYTHON))

# The same in a chroot with Debian unstable, which has the newest ones: make test-debian PYTHON=python3.15. Needs root.
test-debian:
	tools/debian_python.sh $(notdir $(PYTHON))

# What PyInstaller and cx_Freeze make of a program; minutes.
test-frozen: $(VENV)/ready.stamp
	$(PIP) --no-build-isolation -e '.[frozen]'
	$(PYTEST) -m frozen tests/flows/test_freezers.py

# A source distribution and wheels for x86-64 and aarch64, of each CPython found or of PYTHONS, into dist/; those of newer Pythons
# from the chroot: PACKAGES=gcc-aarch64-linux-gnu tools/debian_python.sh python3.15 wheels PYTHONS=python3.15
PYTHONS ?=
wheels: | $(BIN)/python
	$(BIN)/python tools/wheels.py $(PYTHONS)

# The wheel of this Python, in a fresh environment outside of the tree: loads without a compiler, then packs and runs examples/.
test-wheels: | $(BIN)/python
	$(BIN)/python tools/wheels.py --machines $$(uname -m) --output build/wheels $(BIN)/python
	$(BIN)/python -m tests.wheels build/wheels

# On an emulated aarch64, which tools/aarch64.py fetches once (440 MB in build/aarch64): what is for Python 3.11 alone.
AARCH64_WHEELS := build/aarch64/wheels
$(AARCH64_WHEELS)/ready.stamp: pyproject.toml setup.py native/compiled_python.txt $(NATIVE) $(shell find wasmartifact -name '*.py') | $(BIN)/python
	rm -rf $(AARCH64_WHEELS)
	$(BIN)/python tools/wheels.py --machines aarch64 --output $(AARCH64_WHEELS) python3.11
	@touch $@

test-aarch64: $(VENV)/ready.stamp $(AARCH64_WHEELS)/ready.stamp
	$(BIN)/python -m tests.aarch64 $(if $(QUICK),--quick)

# All programs of registries, the large ones too: needs npm, and minutes for packing.
test-programs: $(VENV)/ready.stamp
	$(PYTEST) tests/programs -m "large or not large"

lint: $(VENV)/ready.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest $(STUBTEST)
	$(BIN)/python tools/generate.py --check

docs: $(VENV)/ready.stamp
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

# Run it on a machine that does nothing else.
docs-plots: $(VENV)/ready.stamp
	$(BIN)/python -m bench --only load calls --svg docs

timings: $(VENV)/ready.stamp
	$(PYTEST) -m timing

budget: $(VENV)/ready.stamp
	$(PYTEST) -m budget tests/budget/test_budget.py

check: lint docs timings budget test

bench: $(VENV)/ready.stamp
	$(BIN)/python -m bench

spec: $(VENV)/ready.stamp
	$(BIN)/python -m tests.spec.run

sanitize: $(VENV)/ready.stamp
	$(BIN)/python -m tests.sanitize

fuzz: $(VENV)/ready.stamp
	$(BIN)/python -m tests.fuzz.differential --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	$(BIN)/python -m tests.fuzz.exceptions --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	$(BIN)/python -m tests.fuzz.mutate --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	$(BIN)/python -m tests.fuzz.lies --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	$(BIN)/python -m tests.fuzz.exceptions --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) --legacy
	$(BIN)/python -m tests.fuzz.signatures --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) --save build/fuzz
	$(BIN)/python -m tests.fuzz.generators --modules $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

findings:
	PYTHON=$(PYTHON) findings/run

clean:
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find wasmartifact -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
