# A newcomer's commands: make demo, make test. Every target installs first and does nothing twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)

.PHONY: install demo test check bench clean

install: $(STAMP)

# torch is named by its exact version first, so that an index with a CPU build can serve it
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	rm -f $(VENV)/.installed-*
	touch $@

demo: install
	$(BIN)/digitalgrid demo $(ARGS)

test: install
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: install
	$(BIN)/digitalgrid bench envs $(ARGS)
	$(BIN)/digitalgrid bench market $(ARGS)
	$(BIN)/digitalgrid bench ledger $(ARGS)
	$(BIN)/digitalgrid bench agents $(ARGS)

clean:
	rm -rf $(VENV) runs .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
