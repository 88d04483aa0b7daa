# make run    set everything up and run the main job
# make test   run the tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help run test lint bench clean

help:
	@sed -n 's/^# make/make/p' Makefile

# PyTorch first and alone: with its version settled, nothing else pulls another build of it.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

run: $(READY)
	$(BIN)/asha-nas asha --data digits -r 1 -R 16 --eta 4 --configs 64 --workers 2

test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# make lint   check style, types and formatting
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make bench  run the benchmarks, as far as their peers are installed
bench: $(READY)
	$(BIN)/python benchmarks/decisions.py
	$(BIN)/python benchmarks/job_overhead.py
	$(BIN)/python benchmarks/driver_memory.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/hashing.py
	$(BIN)/python benchmarks/table.py
	$(BIN)/python benchmarks/side_by_side.py
	$(BIN)/python benchmarks/search_steps.py
	$(BIN)/python benchmarks/simulated_trials.py
	$(BIN)/python benchmarks/repeats.py
	$(BIN)/python benchmarks/quality.py --repeats 8 --lines random evolution reinforce hyperband bohb
	$(BIN)/python benchmarks/promotion.py
	$(BIN)/python benchmarks/suggestions.py
	$(BIN)/python benchmarks/store_writers.py
	$(BIN)/python benchmarks/node_loss.py
	$(BIN)/python benchmarks/crash_matrix.py

# make clean  remove the environment and what tools left
clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
