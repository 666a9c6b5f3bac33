# Two commands do everything on a fresh Debian or Ubuntu with Python 3.11 or newer:
#   make demo   the whole job on the sample, pictures and numbers in demo_output/
#   make test   lint, types, import contracts, manifest, all tests
# and one more makes the pictures of the docs: make screenshots
# Both make their own virtual environment in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# A screen: an X or Wayland display, or a Mac. Elsewhere a virtual one.
SCREEN := $(if $(filter Darwin,$(shell uname -s)),yes,$(DISPLAY)$(WAYLAND_DISPLAY))
VIRTUAL_SCREEN := xvfb-run --auto-servernum --server-args="-screen 0 1920x1200x24"

.PHONY: demo screenshots test install system lint types contracts manifest pytest clean
.NOTPARALLEL:

demo: install
	$(if $(SCREEN),,$(VIRTUAL_SCREEN)) $(BIN)/napari-calm demo --out demo_output $(if $(SCREEN),--keep-open)

screenshots: install
	$(if $(shell command -v xvfb-run),$(VIRTUAL_SCREEN)) $(BIN)/python scripts/screenshots.py --docs docs/screenshots

test: install lint types contracts manifest pytest

install: system $(STAMP)

system:
	@sh scripts/system_libraries.sh

# torch comes first and pinned: left to itself, pip may fetch gigabytes of CUDA libraries.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable ".[all,cluster]"
	touch $(STAMP)

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

manifest:
	$(BIN)/npe2 validate napari-calm

# Test files are dealt to as many processes as there are cores, each with a virtual screen of its
# own where Xvfb is installed: tests press real buttons. Files of minutes go first, so that no
# process is left alone with one. The networks of the tests are so small that a second thread
# costs more than it brings.
pytest:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile \
		--no-loadscope-reorder --durations=25 \
		tests/test_demo.py tests/widgets tests/train tests/decoding tests src

clean:
	rm -rf $(VENV) demo_output screenshots .mypy_cache .ruff_cache .pytest_cache
