# Two environments: .venv holds what serves (and its tests), .venv-training adds torch. A third looks
# at them from outside.
PYTHON ?= python3
PIP_INSTALL = -m pip install --quiet --constraint constraints.txt
FIFTEEN_VENV = .venv
TRAINING_VENV = .venv-training
AUDIT_VENV = .venv-audit
# By all processors; a file's tests stay together, since they share what it takes long to make.
PYTEST = pytest --numprocesses auto --dist loadfile

.PHONY: serve test test-slow check train example openapi client pictures benchmark torture audit sbom sbom-image clean

serve: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m service

test: $(FIFTEEN_VENV)/.test $(TRAINING_VENV)/.all
	$(FIFTEEN_VENV)/bin/python -m $(PYTEST) -m "not slow"
	$(TRAINING_VENV)/bin/python -m $(PYTEST) -m "not slow" tests/training

# Clusters, load, benchmarks in their smallest form: two minutes more.
test-slow: $(FIFTEEN_VENV)/.test $(TRAINING_VENV)/.all
	$(FIFTEEN_VENV)/bin/python -m $(PYTEST) -m slow
	$(TRAINING_VENV)/bin/python -m $(PYTEST) -m slow tests/training

check: $(TRAINING_VENV)/.all
	$(TRAINING_VENV)/bin/ruff check
	$(TRAINING_VENV)/bin/ruff format --check
	$(TRAINING_VENV)/bin/mypy
	$(TRAINING_VENV)/bin/lint-imports

# A model from a corpus: make train CORPUS=folder CONFIG=mine.toml MODELS=folder
WORK ?= trained
train: $(TRAINING_VENV)/.all
	$(TRAINING_VENV)/bin/python -m training prepare $(CORPUS) $(WORK)/prepared
	$(TRAINING_VENV)/bin/python -m training train $(CONFIG) $(WORK)/prepared $(WORK)/runs
	$(TRAINING_VENV)/bin/python -m training evaluate $(WORK)/prepared $(WORK)/runs
	model=$$($(TRAINING_VENV)/bin/python -m training export $(CONFIG) $(WORK)/prepared $(WORK)/runs $(MODELS)) && \
	$(TRAINING_VENV)/bin/python -m training report "$$model" $(WORK)/prepared $(WORK)/runs

$(FIFTEEN_VENV)/.serve: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(FIFTEEN_VENV)
	$(FIFTEEN_VENV)/bin/python $(PIP_INSTALL) --editable .
	touch $@

$(FIFTEEN_VENV)/.test: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python $(PIP_INSTALL) --editable ".[test]"
	touch $@

$(TRAINING_VENV)/.all: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TRAINING_VENV)
	$(TRAINING_VENV)/bin/python $(PIP_INSTALL) --editable ".[training,test,check]"
	touch $@

# The answer that the README and the OpenAPI document show, after a change of the model.
example: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m tools.example

# The OpenAPI document, after a change of the interface.
openapi: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m tools.openapi

# What the client's files say of each other, after a change of one of them.
client: $(FIFTEEN_VENV)/.test
	$(FIFTEEN_VENV)/bin/python -m tools.client_files

# The README's pictures of the client, after a change of its looks or of the model; it
# needs Roboto, Debian's fonts-roboto-unhinted.
pictures: $(FIFTEEN_VENV)/.test
	$(FIFTEEN_VENV)/bin/python -m tools.pictures

# What an analysis costs, and so what many need: writes docs/PERFORMANCE.md and docs/SCALING.md.
# The rivals need Debian's ffmpeg.
benchmark: $(TRAINING_VENV)/.all
	$(TRAINING_VENV)/bin/python $(PIP_INSTALL) --editable ".[benchmark]"
	$(TRAINING_VENV)/bin/python -m tests.benchmarks

# Damaged recordings by the ten thousand, bombs, and twice the load that can be answered, for ten
# minutes; TORTURE="--decoded 2000 --seconds 30" for less.
torture: $(FIFTEEN_VENV)/.test
	$(FIFTEEN_VENV)/bin/python -m tools.torture $(TORTURE)

# What is known against the pinned dependencies, by a network; fails where that cannot be said.
audit: $(AUDIT_VENV)/.audit
	$(AUDIT_VENV)/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

# What is installed to serve: writes sbom.json, CycloneDX.
sbom: $(AUDIT_VENV)/.audit $(FIFTEEN_VENV)/.serve
	$(AUDIT_VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file sbom.json $(FIFTEEN_VENV)/bin/python

# What an image has of Debian's packages: writes sbom-image.cdx.json. IMAGE is the folder where it is
# mounted, or the archive of `docker export`.
sbom-image: $(AUDIT_VENV)/.audit
	$(AUDIT_VENV)/bin/debsbom generate --root $(IMAGE) --sbom-type cdx --out sbom-image

$(AUDIT_VENV)/.audit: constraints.txt
	$(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python $(PIP_INSTALL) cyclonedx-bom debsbom pip-audit
	touch $@

clean:
	rm -rf $(FIFTEEN_VENV) $(TRAINING_VENV) $(AUDIT_VENV) sbom.json sbom-image.cdx.json build *.egg-info .mypy_cache .pytest_cache .ruff_cache
