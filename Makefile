# `make demo` and `make test` on a fresh machine; both set up .venv first, as `make setup` alone does.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
# Further flags for the demo's training, for example DEMO_FLAGS="--precision float32".
DEMO_FLAGS ?=

.PHONY: setup demo test quick lint docs clean-demo

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints/cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints/cpu.txt -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/kpdetect toy --count 4000 --size 32 --seed 0 --out $(DEMO)/unlabelled
	$(BIN)/kpdetect toy --count 1000 --size 32 --seed 1 --out $(DEMO)/annotated
	$(BIN)/kpdetect run $(DEMO)/unlabelled/images --out $(DEMO)/project --method gan --size 32 --minutes 4.5 $(DEMO_FLAGS) \
		--set "generator.model.widths=[48,32]" --set "generator.model.background_widths=[24,16]" \
		--set "generator.optimiser.discriminator_widths=[16,32,64]" \
		--set detector.model.input_size=64 --set detector.batch=16 --set detector.warmup=50 --set refine.warmup=20 \
		--set detector.augment.photometric=0.5 --set detector.augment.occlusion=0.15
	$(BIN)/kpdetect benchmark toy --model $(DEMO)/project --data $(DEMO)/annotated
	$(BIN)/kpdetect report $(DEMO)/project

test: setup
	$(BIN)/python -m pytest

# The tests that are not slow: under 90 s on two idle cores.
quick: setup
	$(BIN)/python -m pytest -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html docs docs/_build/html
	@echo "documentation: docs/_build/html/index.html"

clean-demo:
	rm -rf $(DEMO)
