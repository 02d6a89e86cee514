# `make help` lists what can be done. Everything runs in .venv, made on first use.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Container images often set it; a study starts hundreds of processes that would each compile simcons.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help env env-test repro test test-all lint bench s3 clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

env: .venv/.installed ## make .venv and install simcons with pinned dependencies

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: pyproject.toml constraints.txt | .venv/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.installed-test: pyproject.toml constraints.txt | .venv/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,lint]'
	@touch $@ .venv/.installed

.venv/.installed-bench: pyproject.toml constraints.txt | .venv/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@ .venv/.installed

env-test: .venv/.installed-test ## the same with what tests, lint and `make s3` need

repro: .venv/.installed ## run the study of params.yaml, or what of it is not done yet
	simcons study tidy
	dvc repro
	@echo "The report: $(CURDIR)/metrics/report/index.html"

test: .venv/.installed-test ## run the tests (fast ones)
	python -m pytest -n 2 --dist loadgroup --cov --cov-report=term --cov-fail-under=90

test-all: .venv/.installed-test ## run every test, slow ones and those that need services too
	python -m pytest -n 2 --dist loadgroup -m "" --cov --cov-report=term --cov-fail-under=90

lint: .venv/.installed-test ## check style and types
	ruff check .
	ruff format --check .
	mypy

bench: .venv/.installed-bench ## measure speed and memory; see benchmarks/README.md
	python benchmarks/extraction.py
	python benchmarks/similarity.py
	python benchmarks/probes.py

s3: .venv/.installed-test ## serve a trial S3 bucket here and print how to use it; Ctrl-C stops it
	@python tools/s3_server.py

clean: ## remove .venv and caches; results and the store stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .coverage*
