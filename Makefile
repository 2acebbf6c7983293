# Two commands for a newcomer: `make demo` and `make test`. Everything goes into .venv and build/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What pip prints goes to a log, which is shown if it fails. Modules are compiled when they are first imported.
LOG := build/install.log
install = mkdir -p build && $(BIN)/python -m pip install --no-compile --progress-bar off -e '.[$(1)]' \
	> $(LOG) 2>&1 || { cat $(LOG); exit 1; }

.PHONY: demo test check docs clean

demo:
	@echo "Installs  phrasebox, PyTorch, OpenVINO and what else it needs into $(VENV), once"
	@echo "Runs      phrasebox demo: the built-in models ground and describe five photographs"
	@echo "Results   build/demo/out: two pages for a browser, and the pairs in three formats"
	@echo "Takes     1 to 3 minutes the first time, about 30 seconds later"
	@$(MAKE) --no-print-directory $(VENV)/.demo
	@$(BIN)/phrasebox demo build/demo
	@echo "          ('. $(BIN)/activate' first)"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --doctest-modules src

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@$(call install,demo)
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@$(call install,dev)
	@touch $@ $(VENV)/.demo $(VENV)/.docs

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	@$(call install,docs)
	@touch $@ $(VENV)/.demo

clean:
	rm -rf build .pytest_cache .ruff_cache .hypothesis
