# Everything here works on a machine that has Python >= 3.10, make and git.
# Variables: PYTHON (interpreter), VIDEO (clip for `make demo`), ARGS (options for pytest),
# TORCH (requirement for torch; pin a CPU build to save gigabytes).

PYTHON ?= python3
TORCH  ?= torch==2.13.0
VIDEO  ?=
ARGS   ?=

DEMO_CLIP := demo/hand.mp4
# A stamp is written last, so an install that was interrupted starts again.
DEMO_ENV  := .venv/.installed
DEV_ENV   := .venv-dev/.installed
PEER_ENV  := .venv-mediapipe/.installed
DEV       := .venv-dev/bin/python
PIP       := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench board-test clean check-python

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(DEMO_ENV) ## Find the hands in a clip and write hands.gif: make demo VIDEO=path.mp4
ifeq ($(strip $(VIDEO)),)
	@mkdir -p $(dir $(DEMO_CLIP))
	.venv/bin/python -m atlas_hpe_pipelines.drawn_hand $(DEMO_CLIP) --force
	.venv/bin/atlas-hpe run $(DEMO_CLIP) --out hands.gif --force
else
	.venv/bin/atlas-hpe run "$(VIDEO)" --out hands.gif --force
endif
	@echo "The picture is here: $(CURDIR)/hands.gif"

test: $(DEV_ENV) ## Run all tests: make test ARGS="tests/core -x"
	$(DEV) -m pytest $(ARGS)

lint: $(DEV_ENV) ## Style, types and who may import whom
	$(DEV) -m ruff check .
	$(DEV) -m ruff format --check .
	$(DEV) -m mypy
	.venv-dev/bin/lint-imports

format: $(DEV_ENV) ## Rewrite the sources in the house style
	$(DEV) -m ruff check --fix .
	$(DEV) -m ruff format .

bench: $(DEV_ENV) $(PEER_ENV) ## Run every benchmark
	@set -e; for bench in benchmarks/*.py; do \
		echo "== $$bench"; $(DEV) "$$bench"; done

board-test: check-python ## Test the wheel on each CPython 3.7, 3.8 and 3.9 of this machine
	$(PYTHON) .ci/board_tests.py

clean: ## Remove environments, caches and what the demo made
	rm -rf .venv .venv-dev .venv-mediapipe .venv-board-* demo hands.gif build dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "error: $(PYTHON) is missing or older than Python 3.10" >&2; \
		echo "  fix: name another one, for example: make PYTHON=python3.12 demo" >&2; exit 1; }

$(DEMO_ENV): pyproject.toml | check-python
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python $(PIP) "pip>=21.3"
	.venv/bin/python $(PIP) --editable ".[host]"
	@touch $@

$(DEV_ENV): pyproject.toml | check-python
	$(PYTHON) -m venv --clear .venv-dev
	$(DEV) $(PIP) "pip>=21.3"
	$(DEV) $(PIP) "$(TORCH)"
	$(DEV) $(PIP) --editable ".[dev]"
	@touch $@

# mediapipe pins other versions than ours, and has no wheel for some Pythons: the benchmark says so.
$(PEER_ENV): | check-python
	$(PYTHON) -m venv --clear .venv-mediapipe
	-.venv-mediapipe/bin/python $(PIP) mediapipe==0.10.14
	@touch $@
