# `make demo` and `make test` on a fresh machine; both set up .venv first, as `make setup` alone does.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.PHONY: setup demo test lint clean-demo

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints/cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints/cpu.txt -e ".[dev]"
	touch $@

demo: setup
	$(BIN)/kpdetect toy --count 4000 --size 32 --out $(DEMO)/toy
	$(BIN)/kpdetect run $(DEMO)/toy/images --out $(DEMO)/project --exclude-list $(DEMO)/toy/fit.txt \
		--exclude-list $(DEMO)/toy/test.txt --size 32 --minutes 4 --set pairs.count=8000
	$(BIN)/kpdetect benchmark toy --model $(DEMO)/project --data $(DEMO)/toy
	$(BIN)/kpdetect report $(DEMO)/project

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean-demo:
	rm -rf $(DEMO)
