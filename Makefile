# make demo    protects the bundled people and writes out/demo/report.html
# make test    runs the tests that take seconds
# make test-all   runs those too that take longer
# make reproduce  makes the figures of the reproduction on the bundled people, with few iterations
# make parity  runs the comparisons with PyTorch, which it installs
# make scoreboard   protection beside what is seen of it, of all methods, by all judges: hours, or
#              with QUICK=1 minutes; LFW=lfw.tgz ROLES=protocol.json takes LFW, too, and
#              DOCS=docs/protection.md writes its tables into that file
# make programs  installs whole programs to judge by, apart, into .venv-programs
# make docs    builds the documentation as a site, out/docs/index.html
# make lint    checks style, and that the layers are kept
# Each sets up .venv first. PYTHON=python3.12 make demo chooses another interpreter.

PYTHON ?= python3
BIN := .venv/bin
DEMO ?= out/demo
PROGRAMS := tipim_jax/evaluate/programs/requirements.txt
# A process a core, each with whole files of tests, and without PyTorch, which takes memory.
TESTS := -n auto --dist loadfile --ignore tests/parity

.PHONY: demo test test-all parity reproduce scoreboard programs docs lint clean

demo: .venv/installed
	$(BIN)/python -m tipim_jax.attack --output $(DEMO)

test: .venv/installed-test
	$(BIN)/python -m pytest $(TESTS)

test-all: .venv/installed-test
	$(BIN)/python -m pytest $(TESTS) -m 'not parity and not slow'

parity: .venv/installed-parity
	$(BIN)/python -m pytest -m parity

reproduce: .venv/installed
	$(BIN)/python -m tipim_jax.sweep configs/sweeps/reproduction.toml --output out/reproduction --probes 20 --iterations 10

scoreboard: .venv/installed-scoreboard
	$(BIN)/python -m benchmarks.scoreboard $(if $(QUICK),--quick) $(if $(LFW),--lfw $(LFW)) \
	    $(if $(ROLES),--roles $(ROLES)) $(if $(DOCS),--docs $(DOCS))

programs: .venv-programs/installed

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-programs out

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
	    f"tipim_jax needs Python 3.11 or newer, {sys.executable} is {v[0]}.{v[1]}; run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/installed-%: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@ .venv/installed

# Without their dependencies: see the file.
.venv-programs/installed: $(PROGRAMS)
	$(PYTHON) -m venv .venv-programs
	.venv-programs/bin/python -m pip install --quiet --no-deps --requirement $(PROGRAMS)
	@touch $@
