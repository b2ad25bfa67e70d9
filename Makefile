# make demo and make test are complete on a fresh machine: each sets everything up first.

PYTHON ?= python3
CASE ?= demo_case
SCAN ?= sample_volumes/synthetic_liver_ct.nii.gz
TORCH_INDEX ?=

BIN := .venv/bin
READY := .venv/.ready

.PHONY: help install demo test check view bench clean FORCE

help:
	@echo "make demo      run the sample scan through to a report in $(CASE)/"
	@echo "make test      run all tests"
	@echo "make install   only set up: .venv with surgplan and CPU torch"
	@echo "               (GPU: make install TORCH_INDEX=https://download.pytorch.org/whl/cu128)"
	@echo "make check     lint, format, types, import direction, spelling"
	@echo "make view      open $(CASE)/ in napari"
	@echo "make bench     run every benchmark"
	@echo "make clean     remove what the above made, .venv excepted"

install: $(READY)

$(READY): pyproject.toml scripts/setup $(if $(TORCH_INDEX),FORCE)
	@TORCH_INDEX="$(TORCH_INDEX)" $(PYTHON) scripts/setup
	@touch $@

demo: install
	$(BIN)/surgplan run $(SCAN) $(CASE)
	@echo
	@echo "The report is $(abspath $(CASE))/report.html"
	@echo "Open it in a browser: file://$(abspath $(CASE))/report.html"
	@echo "See it in 3D: make view"

test: install
	@scripts/test

check: install
	@scripts/check

view: install
	$(BIN)/surgplan view $(CASE)

bench: install
	@set -e; for file in $(wildcard benchmarks/bench_*.py); do \
		echo "== $$file"; $(BIN)/python "$$file"; \
	done

clean:
	rm -rf demo_case build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find surgplan plugins scripts tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
