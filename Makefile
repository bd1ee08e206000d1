# Two environments: .venv has the service and its tests, .venv-training adds torch. A third,
# .venv-audit, checks the dependencies of both.
PYTHON ?= python3
PIP_INSTALL = -m pip install --quiet --constraint constraints.txt
FIFTEEN_VENV = .venv
TRAINING_VENV = .venv-training
AUDIT_VENV = .venv-audit
# On all processors. The tests of one file run in one process, because they share slow fixtures.
PYTEST = pytest --numprocesses auto --dist loadfile

.PHONY: serve test test-slow check dist docs train student example figures openapi client pictures device site benchmark torture audit sbom sbom-image clean

serve: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m service

test: $(FIFTEEN_VENV)/.test $(TRAINING_VENV)/.all
	$(FIFTEEN_VENV)/bin/python -m $(PYTEST) -m "not slow"
	$(TRAINING_VENV)/bin/python -m $(PYTEST) -m "not slow" tests/training

# Browsers, several processes, slow clients, decompression bombs, a Ray cluster, load, the benchmarks
# and studies in their smallest form: a quarter of an hour.
test-slow: $(FIFTEEN_VENV)/.test $(TRAINING_VENV)/.all
	$(FIFTEEN_VENV)/bin/python -m $(PYTEST) -m slow
	$(TRAINING_VENV)/bin/python -m $(PYTEST) -m slow tests/training

check: $(TRAINING_VENV)/.all
	$(TRAINING_VENV)/bin/ruff check
	$(TRAINING_VENV)/bin/ruff format --check
	$(TRAINING_VENV)/bin/mypy
	$(TRAINING_VENV)/bin/lint-imports

# Write dist/: the wheel, which has the service and the command fifteen, and its source.
dist: $(FIFTEEN_VENV)/.test
	rm -rf dist
	$(FIFTEEN_VENV)/bin/python -m build --outdir dist
	$(FIFTEEN_VENV)/bin/python -m twine check --strict dist/*

# Build the documentation as a site, build/site/html; fails if a link leads nowhere. The pages need a
# server: .venv/bin/python -m http.server --directory build/site/html
docs: $(FIFTEEN_VENV)/.test
	$(FIFTEEN_VENV)/bin/python -m tools.docs_site

# Train a model on a corpus: make train CORPUS=folder CONFIG=mine.toml MODELS=folder
# With STUDENT=file, the heads read another student than the shipped one. `make student` trains one.
WORK ?= trained
STUDENT ?= training/student.pt
train: $(TRAINING_VENV)/.all
	$(TRAINING_VENV)/bin/python -m training prepare $(CORPUS) $(WORK)/prepared
	$(TRAINING_VENV)/bin/python -m training train $(CONFIG) $(WORK)/prepared $(WORK)/runs --student $(STUDENT)
	$(TRAINING_VENV)/bin/python -m training evaluate $(WORK)/prepared $(WORK)/runs
	model=$$($(TRAINING_VENV)/bin/python -m training export $(CONFIG) $(WORK)/prepared $(WORK)/runs $(MODELS)) && \
	$(TRAINING_VENV)/bin/python -m training report "$$model" $(WORK)/prepared $(WORK)/runs

# Train a student: make student CORPUS=folder TEACHERS=folder CONFIG=mine.toml
student: $(TRAINING_VENV)/.all
	$(TRAINING_VENV)/bin/python -m training prepare $(CORPUS) $(WORK)/prepared
	$(TRAINING_VENV)/bin/python -m training distill $(CONFIG) $(WORK)/prepared $(TEACHERS) $(WORK)/student

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

# Write the example answer of the pages and the OpenAPI document; after a change of the model.
example: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m tools.example

# Write the figures in the README; after a change of the model or a benchmark.
figures: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m tools.figures

# Write openapi.json; after a change of the API.
openapi: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m tools.openapi

# Write the generated files of the web app; after a change of one of its files or of the API.
client: $(FIFTEEN_VENV)/.test
	$(FIFTEEN_VENV)/bin/python -m tools.client_files

# Write device/, with which the web app answers on a phone itself; `FIFTEEN_DEVICE=device make serve`
# serves it. npm brings ONNX Runtime Web.
device: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m tools.device device

# Write site/: the web app alone, for a static host. It answers on the phone, without any service.
site: $(FIFTEEN_VENV)/.serve
	$(FIFTEEN_VENV)/bin/python -m tools.site site

# Take the README's pictures of the web app, and the screenshots of its manifest (those alone:
# python -m tools.pictures --install); after a change of its looks or of the model. Then make client.
# Needs the font Roboto (Debian: fonts-roboto-unhinted).
pictures: $(FIFTEEN_VENV)/.test
	$(FIFTEEN_VENV)/bin/python -m tools.pictures

# Measure the cost of an analysis; write docs/PERFORMANCE.md and docs/SCALING.md.
# The comparison with other software needs ffmpeg (Debian: ffmpeg).
benchmark: $(TRAINING_VENV)/.all
	$(TRAINING_VENV)/bin/python $(PIP_INSTALL) --editable ".[benchmark]"
	$(TRAINING_VENV)/bin/python -m tools.benchmarks

# Ten minutes of damaged recordings, decompression bombs and double the possible load;
# TORTURE="--decoded 2000 --seconds 30" for a shorter run.
torture: $(FIFTEEN_VENV)/.test
	$(FIFTEEN_VENV)/bin/python -m tools.torture $(TORTURE)

# Look up known vulnerabilities of the pinned dependencies. Needs a network, and fails without one.
audit: $(AUDIT_VENV)/.audit
	$(AUDIT_VENV)/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

# Write sbom.json (CycloneDX), the packages of the service.
sbom: $(AUDIT_VENV)/.audit $(FIFTEEN_VENV)/.serve
	$(AUDIT_VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file sbom.json $(FIFTEEN_VENV)/bin/python

# Write sbom-image.cdx.json, the Debian packages of an image. IMAGE is the folder where the image is
# mounted, or the archive of `docker export`.
sbom-image: $(AUDIT_VENV)/.audit
	$(AUDIT_VENV)/bin/debsbom generate --root $(IMAGE) --sbom-type cdx --out sbom-image

$(AUDIT_VENV)/.audit: constraints.txt
	$(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python $(PIP_INSTALL) cyclonedx-bom debsbom pip-audit
	touch $@

clean:
	rm -rf $(FIFTEEN_VENV) $(TRAINING_VENV) $(AUDIT_VENV) sbom.json sbom-image.cdx.json build dist device site *.egg-info .venv-typescript .mypy_cache .pytest_cache .ruff_cache
