# Each sets up what it needs:
#   make run     opens the editor
#   make check   lint, format, import rules, types; of the scripts of the page too, where node is there
#   make test    the same, then all tests; with ARGS only the tests they name
#   make steady  the browser tests RUNS times beside a process that keeps a core busy
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
ARGS ?=
RUNS ?= 10

.PHONY: run check check-page test steady clean

run: $(VENV)/.ready
	$(BIN)/python app.py $(ARGS)

# The newest numpy that Python 3.10 can have wants its arrays' types spelt out.
MYPY = $$($(BIN)/python -c 'import sys; print("--allow-any-generics" * (sys.version_info < (3, 11)))')
check: $(VENV)/.ready-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m mypy $(MYPY)
	$(MAKE) --no-print-directory check-page

# eslint and the type checker run on node, which nothing else here needs.
NODE_IS_NEW = node -e 'process.exit(process.versions.node.localeCompare("20.19", "en", { numeric: true }) < 0 ? 1 : 0)'
check-page:
	@if ! command -v npm >/dev/null || ! $(NODE_IS_NEW) 2>/dev/null; \
	then echo "The page's scripts are not checked: that takes npm, and node 20.19 or newer."; \
	elif ! $(MAKE) --silent node_modules/.package-lock.json; \
	then echo "The page's scripts are not checked: npm could not fetch eslint and typescript."; \
	else npm run --silent check; fi

node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund --silent --fetch-retries=1 --fetch-timeout=30000
	touch $@

# First what minds no neighbour, two files at a time, in their order: else the files with few tests, the longest among
# them, would come last. Then two browsers, of which each waits half of the time; then what looks at the clock or
# memory.
ALONE = tests/test_soak.py tests/app/test_kill.py tests/app/test_main.py tests/batch/test_ray.py
BY_TWO = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
test: $(VENV)/.ready-test
ifeq ($(ARGS),)
	$(MAKE) check
	$(BY_TWO) --ignore=tests/browser $(ALONE:%=--ignore=%)
	$(BY_TWO) tests/browser
	$(BIN)/python -m pytest $(ALONE)
else
	$(BIN)/python -m pytest $(ARGS)
endif

steady: $(VENV)/.ready-test
	@$(BIN)/python -c 'while True: pass' & busy=$$!; trap "kill $$busy" EXIT INT TERM; green=0; \
	for run in $$(seq $(RUNS)); do \
		$(BIN)/python -m pytest -q tests/browser $(ARGS) && green=$$((green + 1)); \
		echo "$$green of $$run runs were green."; \
	done; test $$green = $(RUNS)

# pip compiles one module after the other, this does on all cores; torch carries one for newer Pythons only.
$(VENV)/.ready: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, this is " + sys.version) if sys.version_info < (3, 10) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@

# The browser tests drive Debian's chromium where there is one, else Playwright's own.
$(VENV)/.ready-test: requirements-test.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
		|| { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
		|| $(BIN)/python -m playwright install chromium
	touch $@

clean:
	rm -rf $(VENV) node_modules
