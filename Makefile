# `make` alone lists the targets.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

UV_VERSION := 0.13.9
BIN := .venv/bin
PYTHON_RUN := PYTHONPATH=dev $(BIN)/python
UNIT := $(BIN)/python -m pytest -q -rs -n auto --dist worksteal
# Tests start the command line a hundred times: it is not to be compiled each time.
unexport PYTHONDONTWRITEBYTECODE
STEP := @PYTHONPATH=dev sh dev/tools/step.sh

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environment ---------------------------------------------------------------------------------

# From the lock alone, every file by its hash. Anew when the lock changes, so that nothing old stays in.
.venv/locked: requirements/dev.txt
	@python=$$(sh dev/tools/prerequisites.sh) && "$$python" -m venv --clear .venv
	$(STEP) "install the lock" $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/stamp: .venv/locked pyproject.toml
	$(STEP) "install cluster-audit" $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-index --no-build-isolation --editable .
	@touch $@

.PHONY: setup
setup: .venv/stamp ## make .venv with everything that the other targets need

.PHONY: lock
lock: ## pin requirements/*.txt anew from pyproject.toml (UPGRADE=1: newest versions)
	@python=$$(sh dev/tools/prerequisites.sh) && "$$python" -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(STEP) "run.txt" $(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(STEP) "dev.txt" $(COMPILE) pyproject.toml --group dev --constraint requirements/run.txt \
	  --output-file requirements/dev.txt
	$(STEP) "build.txt" $(COMPILE) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	$(STEP) "sbom.txt" $(COMPILE) --group sbom --output-file requirements/sbom.txt
	$(STEP) "fuzz.txt" $(COMPILE) pyproject.toml --group fuzz --constraint requirements/dev.txt \
	  --output-file requirements/fuzz.txt

# One version of each for every Python and system; no addresses, so that it works through any index.
COMPILE = .venv-lock/bin/uv pip compile --quiet --no-header --generate-hashes --universal \
  --python-version 3.11 --fork-strategy fewest --no-emit-index-url --no-emit-find-links --no-strip-extras \
  $(if $(UPGRADE),--upgrade)

# --- checks --------------------------------------------------------------------------------------

.PHONY: check
check: .venv/stamp ## all that needs no cluster and no patience, within two minutes
	$(STEP) "format" $(BIN)/ruff format --quiet --check .
	$(STEP) "lint" $(BIN)/ruff check --quiet .
	$(STEP) "types" $(BIN)/mypy --no-error-summary
	$(STEP) "imports" $(BIN)/lint-imports
	$(STEP) "generated files" $(BIN)/python -m tools.generate --check
	$(STEP) "unit tests" $(UNIT) -m "not controlplane and not helm and not slow"

.PHONY: test
test: check ## check, then what takes longer, the chart, and the suite against the local control plane
	$(STEP) "slow unit tests" $(UNIT) -m "slow and not controlplane and not helm"
	$(STEP) "chart tests" $(BIN)/python -m pytest -q -m helm
	$(STEP) "bill of materials" $(MAKE) sbom
	$(STEP) "control plane tests" $(BIN)/python -m pytest -q -rs -m controlplane

build/fuzz/stamp: requirements/fuzz.txt
	@rm -rf build/fuzz && python=$$(sh dev/tools/prerequisites.sh) && "$$python" -m venv build/fuzz
	$(STEP) "the fuzzer" build/fuzz/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --requirement requirements/fuzz.txt
	@touch $@

.PHONY: fuzz
fuzz: build/fuzz/stamp ## fuzz each target, or TARGET=, for MINUTES= (1); what is found stays in build/corpus
	@for target in $(or $(TARGET),decoder quantity selector reader); do \
	  PYTHONPATH=operator:tests build/fuzz/bin/python -m fuzz $$target build/corpus/$$target \
	    -max_total_time=$$(($(or $(MINUTES),1) * 60)) -timeout=20 -rss_limit_mb=2000 -max_len=6000 \
	    -artifact_prefix=build/corpus/crash-$$target- -print_final_stats=1 || exit 1; \
	done

.PHONY: coverage
coverage: .venv/stamp ## unit tests with branch coverage
	$(STEP) "coverage" $(UNIT) -m "not controlplane and not helm" --cov

.PHONY: format
format: .venv/stamp ## format, and repair what the linter can
	$(STEP) "repair" $(BIN)/ruff check --quiet --fix-only .
	$(STEP) "format" $(BIN)/ruff format --quiet .

.PHONY: generate
generate: .venv/stamp ## write the files that are made from declarations
	$(STEP) "generated files" $(BIN)/python -m tools.generate

# --- cluster and demo ----------------------------------------------------------------------------

.PHONY: demo demo-needs
demo: demo-needs .venv/stamp ## break a local cluster and see the audit name the cause (KEEP=1: leave it up)
	@KEEP=$(KEEP) $(PYTHON_RUN) -m demo

demo-needs:
	@echo "The demo fetches Go 1.26 if there is none. First time: 7 GB of disk, 10 minutes on two cores; later:" \
	  "0.5 GB, half a minute. Ctrl-C at any time leaves nothing running."

.PHONY: cluster-up cluster-down cluster-status
cluster-up: .venv/stamp ## start the local control plane
	@$(PYTHON_RUN) -m controlplane up

cluster-down: .venv/stamp ## stop it
	@$(PYTHON_RUN) -m controlplane down

cluster-status: .venv/stamp ## tell whether it runs, and how to reach it
	@$(PYTHON_RUN) -m controlplane status

# --- benchmark -----------------------------------------------------------------------------------

.PHONY: bench bench-full
bench: .venv/stamp ## measure the operator on clusters of 1,000 and 10,000 pods, beside the budgets (10 min)
	@$(PYTHON_RUN) -m scale 1000 10000 --seconds 40

bench-full: .venv/stamp ## the same up to 150,000 pods (12 GiB of memory, an hour and a half)
	@$(PYTHON_RUN) -m scale 1000 10000 50000 150000 --seconds 600

# --- image ---------------------------------------------------------------------------------------

.PHONY: image
image: .venv/stamp ## build the container image with Docker or buildah (TAG=, BASE=: another base)
	@TAG=$(TAG) BASE=$(BASE) $(PYTHON_RUN) -m image

# --- bill of materials ---------------------------------------------------------------------------

# What is shipped and no more: the locked packages in an environment of their own, as the image has them.
build/shipped/stamp: .venv/stamp requirements/run.txt requirements/sbom.txt
	@rm -rf build/shipped && $(BIN)/python -m venv --without-pip build/shipped/packages && \
	  $(BIN)/python -m venv build/shipped/generator
	$(STEP) "what is shipped" $(BIN)/python -m pip --python build/shipped/packages install --quiet \
	  --disable-pip-version-check --require-hashes --requirement requirements/run.txt
	$(STEP) "the generator" build/shipped/generator/bin/python -m pip install --quiet \
	  --disable-pip-version-check --require-hashes --requirement requirements/sbom.txt
	@touch $@

.PHONY: sbom
sbom: build/shipped/stamp ## what is shipped and by which licences: build/sbom.json (CycloneDX), build/licences.md
	@build/shipped/generator/bin/cyclonedx-py environment build/shipped/packages/bin/python \
	  --pyproject pyproject.toml --output-reproducible --output-file build/sbom.json
	@$(PYTHON_RUN) -m tools.sbom build/sbom.json requirements/run.txt build/licences.md

# -------------------------------------------------------------------------------------------------

.PHONY: clean
clean: ## remove what was built here: environments, caches, coverage
	@rm -rf .venv .venv-lock build dist .coverage* .hypothesis .*_cache
	@find operator dev tests -name __pycache__ -type d -prune -exec rm -rf {} +
