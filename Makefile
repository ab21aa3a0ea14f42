# make demo         convert an image there and back, and prove that nothing changed
# make demo-registry  the same inside a registry, which is started for it, with every request
# make test         everything that must pass: ruff, mypy, pytest
# make lint         ruff and mypy alone
# make suite        pytest alone
# make types        check with pyright that every public type is complete
# make docs         build the documentation into build/site; a warning is an error
# make screenshots  take the pictures in docs/images from real runs
# make man          write the manual pages and completions in share/ from the command's own help
# make pages        write again what pages show: outputs of commands, generated pages, pictures
# make dist         build and try what a release consists of, in dist/
# make cut          cut the changelog and the version for a release: make cut VERSION=0.1.0
# make bench        measure against skopeo, and write docs/performance.md; against others with
#                   PEERS="skopeo=/path regctl=/path"
# make clean        remove what these made
#
# Needs Python 3.11 or newer with venv; another one is named by: make PYTHON=python3.13 VENV=.venv-3.13 …

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
DEMO   := build/demo
PAGES  := $(VENV)/ready-for-docs
TYPES  := $(VENV)/ready-for-types
TOOLS  := build/release-tools

.PHONY: demo demo-registry test lint suite types docs screenshots pages dist cut man ci-tools bench clean
.DEFAULT_GOAL := test

demo: $(READY)
	rm -rf $(DEMO) && mkdir -p $(DEMO)
	$(BIN)/oci-convert convert testdata/docker-dir oci:$(DEMO)/oci:demo
	$(BIN)/oci-convert inspect oci:$(DEMO)/oci:demo
	$(BIN)/oci-convert verify oci:$(DEMO)/oci:demo
	$(BIN)/oci-convert convert oci:$(DEMO)/oci:demo dir:$(DEMO)/back --to docker
	$(BIN)/oci-convert verify dir:$(DEMO)/back --same-as testdata/docker-dir

demo-registry: $(READY)
	$(BIN)/python tests/registry/demo.py

test: lint suite

suite: $(READY)
	$(BIN)/pytest -n auto

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	cd fuzz && MYPYPATH=../src:../tests:. ../$(BIN)/mypy --strict .

types: $(TYPES)
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes oci_convert --ignoreexternal

# Not with --quiet, which hides warnings from --strict, too.
docs: $(PAGES)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python docs/check_links.py build/site
	@echo build/site/index.html

screenshots: $(READY)
	$(BIN)/python docs/screenshots.py

man: $(READY)
	$(BIN)/python docs/manuals.py

pages: screenshots man
	$(BIN)/pytest -n auto --regenerate-golden tests/test_docs.py tests/test_notebooks.py tests/test_pages.py

dist: $(TOOLS)/ready
	$(TOOLS)/bin/python release/dist.py

cut:
	$(PYTHON) release/cut.py $(VERSION)

# Linters of what runs on machines of others, and Jupyter; without them, those tests are skipped.
ci-tools: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ci]'

bench: $(READY)
	PEERS="$(PEERS)" $(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv .venv-* build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Made again when pyproject.toml changes.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@

# What builds the site is heavy, and nothing else needs it.
$(PAGES): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

# pyright brings a Node.js of 200 MB with it.
$(TYPES): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[types]'
	@touch $@

# The tools of a release have pins, and an environment of their own: nothing else needs them.
$(TOOLS)/ready: release/requirements.txt
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
