# Thin: makes its own nox and calls it. `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
NOX := .make/bin/nox

.PHONY: demo test lint docs bench clean

demo: $(NOX)
	$(NOX) -s demo

test: $(NOX)
	$(NOX)

lint: $(NOX)
	$(NOX) -s lint types

docs: $(NOX)
	$(NOX) -s docs

bench: $(NOX)
	$(NOX) -s bench

$(NOX):
	$(PYTHON) -m venv .make
	.make/bin/pip install --quiet "nox>=2025.5"

clean:
	rm -rf .make .nox build dist
