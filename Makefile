# Each target creates the virtual environment that it needs. None calls apt; only arm64 needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-output
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo check test docs faults soak lint wheel wheel-no-starter test-tflite-runtime resolve arm64 \
        arm64-season clean

demo: $(VENV)/.train
	$(BIN)/python tools/demo.py $(DEMO)

# What to run before each commit: lint, types, contracts and the quick tests.
check: lint
	$(BIN)/python -m pytest -q -n 2 -m 'not train and not slow and not real'

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2

# The documents as a site, in site/; no TensorFlow.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The faults that a station must survive; needs the packages of tools/system.sh.
faults: $(VENV)/toy.birdfield
	PYTHONPATH=tests/support $(BIN)/python tests/faults/faults.py $<
	PYTHONPATH=tests/support $(BIN)/python tests/faults/reloads.py 500 $<

# A day of scene time; tools/soak.py takes --hours.
soak: $(VENV)/toy.birdfield
	$(BIN)/python tools/soak.py $<

$(VENV)/toy.birdfield: $(VENV)/.dev
	$(BIN)/python tools/toy_bundle.py $@

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# wheel contains the starter model if birdfield/starter exists; wheel-no-starter never does.
wheel: $(VENV)/.build
	$(BIN)/python -m build --wheel --outdir dist

wheel-no-starter: $(VENV)/.build
	BIRDFIELD_NO_STARTER=1 $(BIN)/python -m build --wheel --outdir dist/no-starter

# Tests with the older runtime, which needs Python 3.11 and an older NumPy; no TensorFlow.
OLD := .venv-tflite-runtime
test-tflite-runtime: $(VENV)/.dev
	$(PYTHON) -m venv $(OLD)
	$(OLD)/bin/pip install --quiet -e '.[tflite-runtime,birdnet]' pytest hypothesis
	BIRDFIELD_RUNTIME=tflite-runtime $(OLD)/bin/python -m pytest tests/model/test_frontends.py tests/model/test_birdnet.py \
	    tests/model/test_bundle.py tests/recognise/test_identify.py tests/recognise/test_enrol.py \
	    tests/evaluate/test_scores.py tests/watch/test_scene.py

# Checks that every dependency has wheels for each supported Python and machine.
resolve:
	$(PYTHON) tools/resolve.py

# Checks that the package gives the same answers on emulated arm64; as root, on x86-64.
arm64:
	$(PYTHON) tools/arm64/roots.py
	$(MAKE) wheel
	$(BIN)/python tools/arm64/check.py

# Follows the guide's season on an emulated arm64 machine; as root, on x86-64.
arm64-season:
	$(MAKE) wheel
	$(BIN)/python tools/arm64/season.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Enough to build a wheel: no TensorFlow.
$(VENV)/.build: | $(BIN)/python
	$(BIN)/pip install --quiet 'build>=1.2'
	touch $@

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet 'pip>=25.1'
	$(BIN)/pip install --quiet --group docs
	touch $@

$(VENV)/.train: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[train]'
	touch $@

$(VENV)/.dev: $(VENV)/.train
	$(BIN)/pip install --quiet 'pip>=25.1'
	$(BIN)/pip install --quiet --group dev
	touch $@

clean:
	rm -rf $(VENV) $(OLD) $(DEMO)
