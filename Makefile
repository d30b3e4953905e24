# Every target sets up its own environment first: Python 3.11 or newer is all that must be there.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# One process of tests a core, as long as that is few; what several of them need is made once
PYTEST = pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.PHONY: help figures all report plots redraw crate check lint test test-faults test-slurm test-extras bench
.DEFAULT_GOAL := help

help:
	@echo "make figures   the paper's four figures, from nothing"
	@echo "make all       everything: figures, all seeds, evaluation"
	@echo "make report    all of it in one page, after 'make all' or 'dvc pull'"
	@echo "make plots     training curves and measures beside those of OLD (a revision; HEAD), on a page without a network"
	@echo "make test      lint and tests"
	@echo "make test-faults   what takes too long for that: each fault, and each change by itself"
	@echo "make test-slurm    the whole DAG through a real Slurm, set up on this machine for it (root; Debian's slurm-wlm, munge, bindfs)"
	@echo "make test-extras   what optional packages do, which it installs: results shared through S3, models as ONNX files, the run as an RO-Crate"
	@echo "make bench     how fast it is, beside what else one would run and what the machine can do"
	@echo "make check     are the committed figures and metrics those of this tree?"
	@echo "make redraw    draw the figures from the data that git holds, and compare them with the committed ones"
	@echo "make crate     the committed run as a Workflow Run RO-Crate: results, and the jobs behind them, for archives and other programs"

TOO_OLD = $(PYTHON) is Python %d.%d, and npvae needs 3.11 or newer: name one, as in make PYTHON=python3.12

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v < (3, 11) and sys.exit("$(TOO_OLD)" % v)'
	$(PYTHON) -m venv .venv
	pip install --requirement requirements.txt
	pip install --no-deps --editable .
	touch $@

figures: .venv/installed
	snakemake figures --cores all

all: .venv/installed
	snakemake --cores all

check: .venv/installed
	npvae check

report: .venv/installed
	snakemake --report results/report.zip --report-stylesheet workflow/report/report.css
	rm -rf results/report && python -m zipfile -e results/report.zip results
	@echo "open results/report/report.html; results/report.zip is all of it in one file"

# Snakemake's own copy of Vega, put where the page (.dvc/plots/page.html) looks for it first. The sweep may not have run.
OLD ?= HEAD
plots: .venv/installed
	mkdir -p dvc_plots
	cp -r "$$(python -c 'import snakemake.assets as a; print(*a.__path__)')"/data/vega* dvc_plots
	dvc plots diff $(OLD) --targets 'results/(?!sweep)'

redraw: .venv/installed
	dvc repro --force --single-item figure1 figure2 figure3 figure4 figure2_advised figure3_advised figure4_advised evidence
	npvae compare HEAD --same --page results/compare.html

crate: .venv/installed
	pip install --constraint requirements.txt --editable '.[crate]'
	rm -rf results/crate results/crate.zip
	npvae crate --output results/crate
	cd results/crate && python -m zipfile -c ../crate.zip *
	@echo "results/crate.zip is all of it in one file; results/crate/ro-crate-metadata.json says what it is"

lint: .venv/installed
	ruff check .
	ruff format --check .
	snakefmt --check workflow
	mypy

test: lint
	$(PYTEST)

test-faults: .venv/installed
	$(PYTEST) -m faults

# One process: all its tests share a cluster
test-slurm: .venv/installed
	pip install --constraint requirements.txt --editable '.[cluster]'
	pytest -m slurm tests/slurm

test-extras: .venv/installed
	pip install --requirement tests/extras.txt
	$(PYTEST) tests/pipeline/test_remote.py tests/pipeline/test_crate.py tests/unit/test_onnx.py

# pythae and pykeops are compared with where they install: one line at a time, and no matter if one fails
bench: .venv/installed
	-grep -v '^#' benchmarks/requirements.txt | xargs -n 1 pip install --constraint requirements.txt
	dvc repro --single-item data
	python -m benchmarks
