# make demo     train and build designs/digits_mlp, with everything that needs
# make test     lint, types and the whole test suite
# make test-all the tests that are more of the same, too
# make docs     the manual with its tutorials run, into build/site
# make designs  trains and builds every example; about half an hour

PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2

.PHONY: demo designs docs test test-all lint install clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(VENV)/bin/fpgaq build designs/digits_mlp

designs: $(VENV)/.installed
	@set -e; for design in designs/*/; do $(VENV)/bin/fpgaq build $$design; done

docs: $(VENV)/.installed
	FPGAQ_RUN_TUTORIALS=true NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build

test: lint
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadgroup

test-all: lint
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadgroup -m ""

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

install: $(VENV)/.installed

# uv where it is present, else venv and pip; the versions of constraints.txt either way. Compiled to bytecode, as pip does
# by itself: else every process that imports TensorFlow compiles it again where Python may not write beside its sources.
$(VENV)/.installed: pyproject.toml constraints.txt
	@if command -v uv >/dev/null 2>&1; then \
	    set -e; \
	    test -x $(VENV)/bin/python || uv venv --quiet --python $(PYTHON) $(VENV); \
	    uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --constraint constraints.txt \
	        --editable '.[test]'; \
	else \
	    set -e; \
	    test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV); \
	    $(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(VENV)/bin/python -m ensurepip; \
	    $(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'; \
	fi
	@# The adder-graph solver and the timetable are compiled by numba at their first use; that belongs to the installation.
	@$(VENV)/bin/python -c "from fpgaq.cmvm import solve; \
	    solve([[(3 * i + 5 * j) % 13 - 6 for j in range(8)] for i in range(8)], [(0, 15)] * 8); \
	    from fpgaq.rtl.dataflow import Dataflow; from fpgaq.rtl.timetable import paces; \
	    paces(Dataflow({'x': 1}, [], ('x',)))"
	@touch $@

clean:
	rm -rf build designs/*/*.keras designs/*/*.npy
