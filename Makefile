# Everything a developer or a newcomer runs. Bare `make` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1
PORT ?= 7860
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Files of tests side by side: much of their time is spent waiting for processes and browsers.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile
export HF_HUB_OFFLINE := 1
export GRADIO_ANALYTICS_ENABLED := False

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check fix bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.dev  ## install everything for development into .venv

demo: $(VENV)/.demo  ## build the sample corpus, ingest it, search it, serve the page (SERVE=0: do not serve)
	@SERVE=$(SERVE) PORT=$(PORT) scripts/demo.sh

test: $(VENV)/.dev  ## the whole test suite
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL)

test-slow: $(VENV)/.dev  ## the long forms as well
	$(BIN)/python -m pytest $(PARALLEL)

check: $(VENV)/.dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(VENV)/.dev  ## mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## the figures that need no material of your own (the others take folders)
	$(BIN)/python -m bench.cold
	$(BIN)/python -m bench.minilm
	$(BIN)/python -m bench.gpu
	$(BIN)/python -m bench.scale --pages 10000 --variants multi-f32-turbo4

clean:  ## remove what the targets above made
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || scripts/system.sh python3-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; run: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt scripts/system.sh
	@scripts/announce.sh
	@$(MAKE) --no-print-directory $(VENV)/bin/python
	@scripts/system.sh poppler-utils tesseract-ocr tesseract-ocr-osd libtiff-tools libarchive13
	@command -v soffice >/dev/null || scripts/system.sh \
		libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui
	@echo "installing Python packages ..."
	@$(PIP) -e ".[samples]"
	@$(BIN)/mmsearch models pull lite
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@# libatomic1: for the browser tests' own node; the languages: for tests of other scripts
	@scripts/system.sh chromium libatomic1 fonts-noto-core fonts-noto-cjk \
		tesseract-ocr-ara tesseract-ocr-jpn
	@$(PIP) -e ".[dev,qwen]"
	@touch $@
