# Two commands for a fresh machine: `make app` serves the studio with its demo, `make test` runs the suite.
# Needs python3 (3.11 or newer) and nothing else but pip's package index. No AVION_HOME: everything goes to ~/.avion.

PYTHON ?= python3
BIN := .venv/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A pinned list, by uv, which takes less than half of pip's time and asks the index that pip is set to; by pip itself
# where uv cannot be had or does not get through.
define install
	@index=$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2> /dev/null)}; \
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $${index:+--default-index "$$index"} \
		--require-hashes -r $(1) \
		|| $(BIN)/python -m pip install --quiet --require-hashes -r $(1)
endef

.PHONY: app check test lint docs bench lock

app: .venv/installed
	$(BIN)/avion demo
	$(BIN)/avion app

# A process more than two cores have, of one thread each: those with a browser wait more than they compute. A file's
# tests stay together, so that its models are made once.
test: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Lint, types, floors, and the tests that need nothing but this process and no home: minutes, where all tests take half
# an hour.
check: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "$(FAST)" --hypothesis-profile=quick $(PYTEST_ARGS)

FAST := not slow and not cuda and not browser and not process and not app and not home and not long

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	$(BIN)/lint-imports

# The engine's reference from its docstrings, in build/api. What cannot be read or imported is an error; but for named
# tuples, whose own annotations pdoc looks up in the wrong module.
docs: .venv/installed-dev
	$(BIN)/python -W error::UserWarning -W "ignore:Error parsing type annotation ForwardRef" -m pdoc avion_core \
		'!avion_core.cli' '!avion_core.store.migrations' --docformat google --no-show-source -o build/api

# All of them, also after one that fails. BENCH_ARGS=--quick: a look whether they run, minutes in all.
bench: .venv/installed-dev
	@failed=; for file in benchmarks/*.py; do \
		name=$$(basename $$file .py); echo "== $$name"; \
		$(BIN)/python -m benchmarks.$$name $(BENCH_ARGS) || failed="$$failed $$name"; \
	done; test -z "$$failed" || { echo "Failed:$$failed" >&2; exit 1; }

# The pinned lists, resolved for every platform and Python from the ranges in pyproject.toml: what is pinned stays, unless
# UPGRADE=1 asks for the newest. They name extras, for without them an older pip asks the index for the newest release of
# such a package, and refuses it for want of a hash.
lock: .venv/installed-dev
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 \
		--no-strip-extras --generate-hashes pyproject.toml -o requirements.txt
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 \
		--no-strip-extras --generate-hashes --group dev -c requirements.txt -o requirements-dev.txt

# Each stamp is newer than what it was made from, so a second call installs nothing.
.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "AVION Studio needs Python 3.11 or newer, as in: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv
	@awk '/^[^ ]/ { keep = /^uv==/ } keep' requirements-dev.txt > .venv/uv.txt
	-$(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt
	@touch $@

.venv/installed: requirements.txt pyproject.toml .venv/created
	$(call install,requirements.txt)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(call install,requirements-dev.txt)
	@touch $@
