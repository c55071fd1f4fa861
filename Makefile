# Everything sets itself up in .venv; `make demo` and `make test` are all a newcomer needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test slow check golden readme bench clean

demo: $(VENV)/.installed
	$(BIN)/python demo.py

test: $(VENV)/.tested
	$(BIN)/python -m pytest

# The widest sweeps; they take a while.
slow: $(VENV)/.tested
	$(BIN)/python -m pytest -m slow

# Formatting, lint, types. mypy does not follow the mapped folders of an editable install, so it
# is shown the package as it is installed: a tree of links.
check: $(VENV)/.tested
	$(BIN)/ruff check .
	rm -rf build/types && mkdir -p build/types/modelfmt
	ln -sfn $(CURDIR)/formats/* build/types/modelfmt/
	ln -sfn $(CURDIR)/proto build/types/modelfmt/proto
	ln -sfn $(CURDIR)/cli build/types/modelfmt/cli
	MYPYPATH=build/types $(BIN)/mypy -p modelfmt

golden: $(VENV)/.installed
	$(BIN)/python golden/make_dumps.py

# The README's table of layers.
readme: $(VENV)/.installed
	$(BIN)/python -c 'import pathlib; from modelfmt.surgery.coverage import filled; p = pathlib.Path("README.md"); p.write_text(filled(p.read_text()))'

bench: $(VENV)/.tested
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "modelfmt needs Python 3.10 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# With TensorFlow and Keras, the referees.
$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@
