# Gureum: `make setup` once, then `make demo`, `make test`.
SHELL := /bin/bash
PY := .venv/bin/python
# Compiled modules are kept: without them each daemon and command that a test starts takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test lint golden bench clean

help: ## what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install Debian packages (as root) and the Python environment
	@bash scripts/setup

demo: setup ## build the workshop cloud and run its 16 checks on real packets
	@$(PY) -m demo

test: setup ## pure tests, then kernel tests (as root)
	@bash scripts/test

lint: setup ## ruff, mypy --strict, import layers
	@bash scripts/lint

golden: setup ## rewrite the golden files of the tests; review the difference
	@GUREUM_GOLDEN=write $(PY) -m pytest tests -q -k golden

bench: setup ## measure (root; nothing else should run)
	@$(PY) -m bench

clean: ## remove the Python environment, the clients of the tests, and caches
	@rm -rf .venv .clients .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
