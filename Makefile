# Everything that is made lies in .venv and build; `make clean` takes both away.
PYTHON ?= python3

PREFIX ?= $(CURDIR)/build/library

VENV   := .venv
# --no-build-isolation shares one build folder between installs and tests, so that a changed
# file costs seconds; these are what it needs.
TOOLS  := pip meson-python meson ninja numpy
INSIDE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1
SOURCES := pyproject.toml meson.build meson.options fortran python/fmdn \
           $(shell find fortran python/fmdn -type f ! -name '*.pyc')

# A .venv that was moved, or whose Python has gone, is made anew.
$(shell $(VENV)/bin/python -c 'import sys; sys.exit(open("$(VENV)/.tools").read().strip() != "$(CURDIR)")' \
        2>/dev/null || rm -rf $(VENV)/.tools build/release build/debug build/native)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(VENV)/.with-examples ## the compiler if it is missing, .venv, and the package in it

demo: install ## from GNSS offsets to posteriors of an earthquake: table and figure
	@$(INSIDE) python examples/el_mayor.py

test: $(VENV)/.with-test build/debug/build.ninja ## every test, on samples of moderate size
	@$(INSIDE) meson test -C build/debug --print-errorlogs
	@$(INSIDE) meson test -C build/release --print-errorlogs
	@$(INSIDE) pytest

test-long: ## the same tests on ten times the samples
	@FMDN_TEST_SCALE=10 $(MAKE) --no-print-directory test

gallery: install ## every example in full, its figure and page, docs/gallery.md
	@$(INSIDE) python scripts/gallery.py

bench: $(VENV)/.with-bench ## speed, beside JAX and PyTorch
	@$(INSIDE) meson compile -C build/release speed_kernels speed_posterior
	@$(INSIDE) python benchmarks/speed.py

accuracy: $(VENV)/.with-test ## how good, beside what is wanted: a report in three minutes
	@rm -f build/accuracy.jsonl
	@$(INSIDE) python benchmarks/accuracy.py --quick --results build/accuracy.jsonl

lint: $(VENV)/.with-test ## ruff and fortitude
	@$(INSIDE) ruff check
	@$(INSIDE) ruff format --check
	@$(INSIDE) fortitude check

format: $(VENV)/.with-test ## let ruff and fortitude mend what they can
	@$(INSIDE) ruff check --fix
	@$(INSIDE) ruff format
	@$(INSIDE) fortitude check --fix

install-native: $(VENV)/.tools ## libfmdn for Fortran and C programs, into PREFIX (build/library)
	@$(INSIDE) meson setup build/native --prefix="$(PREFIX)" --libdir=lib \
	    $(if $(wildcard build/native/build.ninja),--reconfigure)
	@$(INSIDE) meson install -C build/native
	@echo 'Compile with: export PKG_CONFIG_PATH="$(PREFIX)/lib/pkgconfig"'
	@echo '              gfortran program.f90 $$(pkg-config --cflags --libs fmdn) -Wl,-rpath,"$(PREFIX)/lib"'

clean: ## remove .venv, build and caches
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp is written last: whatever was interrupted is done again.
$(VENV)/.tools:
	@scripts/toolchain.sh "$(PYTHON)"
	@echo "Making $(VENV)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(INSIDE) python -m pip install --quiet --upgrade $(TOOLS)
	@echo "$(CURDIR)" > $@

$(VENV)/.with-%: $(VENV)/.tools $(SOURCES)
	@scripts/toolchain.sh "$(PYTHON)"
	@echo "Building and installing fmdn[$*]"
	@$(INSIDE) python -m pip install --quiet --no-build-isolation -Cbuild-dir=build/release '.[$*]'
	@touch $@

# Run-time checks, floating-point traps, and every warning an error.
build/debug/build.ninja: $(VENV)/.tools
	@$(INSIDE) meson setup build/debug --werror -Dbuildtype=debug

.PHONY: help install demo test test-long gallery bench accuracy lint format install-native clean
.DELETE_ON_ERROR:
