# The set-up on a fresh machine: `make serve` and `make test`. `make help` lists the rest.

PYTHON ?= python3
PORT ?= 6379
HOST ?= 127.0.0.1
DATA ?= ./data
ARGS ?=
REPORT ?= report.html
BIN := .venv/bin
PURE := .venv-pure/bin
WHEEL := PATH=.venv-wheel/bin:$$PATH .venv-wheel/bin
SOURCES := $(shell find src build_backend -name '*.py') setup.py pyproject.toml
ABREAST := -n auto --dist loadfile  # tests of one file share a server
TOOLS := --disable-pip-version-check --quiet
# what the named extras of pyproject.toml ask for, so that they can be had without Kveik itself
extras = $$($(PYTHON) -c 'import sys, tomllib; \
	found = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*(need.replace(" ", "") for name in sys.argv[1:] for need in found[name]))' $(1))

.DEFAULT_GOAL := help
.PHONY: help serve test quick lint bench report wheel docs clean

help: ## list what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

serve: .venv/installed ## install into .venv and serve ./data on 127.0.0.1:6379 (PORT=... DATA=... ARGS=...)
	@exec $(BIN)/kveik serve --host $(HOST) --port $(PORT) --data-dir $(DATA) $(ARGS)

test: .venv/tested .venv-pure/tested ## install what tests need and run every test, on both flavours
	KVEIK_EXPECT=compiled $(BIN)/python -m pytest $(ABREAST) tests
	KVEIK_EXPECT=pure $(PURE)/python -m pytest $(ABREAST) tests

quick: .venv/tested ## the tests that take less than a minute, on the compiled flavour
	KVEIK_EXPECT=compiled $(BIN)/python -m pytest $(ABREAST) tests -m "not slow" -x

lint: .venv/tested ## ruff, mypy and the import contracts
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy src bench && $(BIN)/lint-imports

bench: .venv/tested ## side by side with redis-server (ARGS="--rounds 3 --only SET")
	$(BIN)/python -m bench.redis_compare $(ARGS)

report: .venv/tested ## a short run of every benchmark, as a page (REPORT=report.html)
	$(BIN)/kveik bench all --quick --report $(REPORT) $(ARGS)

wheel: .venv-wheel/installed ## build into dist/: a source package, and from it a compiled wheel and a pure one
	@rm -rf dist build
	$(WHEEL)/python -m build .
	for wheel in dist/*-linux_*.whl; do $(WHEEL)/auditwheel repair -w dist $$wheel && rm $$wheel; done
	KVEIK_PURE=1 $(WHEEL)/pip wheel $(TOOLS) --no-deps --wheel-dir dist dist/kveik-*.tar.gz
	@ls dist

docs: .venv-docs/installed ## build the documentation into site/, for any web server
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet
	@echo "to look at it: $(PYTHON) -m http.server --directory site"

clean: ## remove what was made, but never data
	rm -rf .venv .venv-* build dist site src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/installed: $(SOURCES)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing Kveik into .venv (compiling takes two or three minutes)"
	@rm -rf build && $(BIN)/pip install $(TOOLS) .
	@$(BIN)/kveik --version
	@touch $@

.venv/tested: .venv/installed
	@$(BIN)/pip install $(TOOLS) $(call extras,test lint bench docs)
	@touch $@

.venv-pure/tested: $(SOURCES)
	@test -x $(PURE)/python || $(PYTHON) -m venv .venv-pure
	@echo "installing the pure flavour, with nothing beside it, into .venv-pure"
	@rm -rf build && KVEIK_PURE=1 $(PURE)/pip install $(TOOLS) --force-reinstall --no-deps .
	@$(PURE)/kveik --version
	@$(PURE)/pip install $(TOOLS) $(call extras,test)
	@touch $@

.venv-wheel/installed .venv-docs/installed: .venv-%/installed: pyproject.toml
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install $(TOOLS) $(call extras,$*)
	@touch $@
