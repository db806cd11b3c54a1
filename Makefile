# Parley's front door. Each target first installs what it needs and this machine lacks (tools/install-deps
# says what), then lets Meson do the work.
#
#     make build    build/parley                   make test         every test, under every sanitizer
#     make demo     build it and look around       make lint         formatting, static analysis, layering
#     make install  onto this machine              make fuzz         each target for FUZZ_SECONDS (60)
#     make clean    as if never built              make coverage     which lines the tests reach
#     make bench    all measurements               make bench-quick  the ones that take seconds
#     make soak     SOAK_SECONDS (1800) of load, faults and restarts; then all books must balance
.PHONY: build demo test lint fuzz coverage bench bench-quick soak install clean help
.DEFAULT_GOAL := build

JOBS ?= 2

build:
	@tools/install-deps build
	@tools/configure build
	@ninja -C build -j $(JOBS) parley

demo: build
	@build/parley demo

test:
	@tools/install-deps build test postgres
	@tools/run-tests

lint:
	@tools/install-deps build lint
	@tools/lint

fuzz:
	@tools/install-deps build fuzz
	@tools/run-fuzz

coverage:
	@tools/install-deps build test coverage
	@tools/coverage

bench: build
	@tools/install-deps bench
	@bench/run

bench-quick: build
	@tools/install-deps bench
	@bench/run --quick

soak: build
	@tools/install-deps bench
	@node bench/soak.mjs

# DESTDIR and PREFIX as usual.
PREFIX ?= /usr/local
install: build
	@meson configure build -Dprefix='$(abspath $(PREFIX))'
	@ninja -C build -j $(JOBS) parley
	@meson install -C build --no-rebuild --quiet $(if $(DESTDIR),--destdir '$(abspath $(DESTDIR))')

clean:
	rm -rf build build-asan build-tsan build-cov build-fuzz third_party/*/
