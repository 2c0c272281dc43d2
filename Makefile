# modelwatch: `make` lists what can be made.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
PACKAGE  := github.com/modelwatch/modelwatch/app
LDFLAGS  := -s -w -X $(PACKAGE).version=$(VERSION) -X $(PACKAGE).revision=$(REVISION) \
            -X github.com/prometheus/common/version.Version=$(VERSION) -X github.com/prometheus/common/version.Revision=$(REVISION)
TOOLS    := $(CURDIR)/.tools
VENV     := $(CURDIR)/.venv

LINT_VERSION := v2.15.0
LINT     := $(TOOLS)/golangci-lint-$(LINT_VERSION)

.PHONY: help browser screenshots screenshots-readme build demo test check bench bench-spine bench-logs bench-ingest bench-drift bench-ui clean python

help: ## List what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ui/dist/index.html ## Build bin/modelwatch, with its pages.
	CGO_ENABLED=1 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/modelwatch ./cmd/modelwatch

demo: build ## Watch an AI service slow down, and the mail that says so.
	./bin/modelwatch demo

test: browser build python ## Run every test, with the race detector; the pages in a real browser.
	@PATH="$(VENV)/bin:$$PATH" MODELWATCH_BINARY=$(CURDIR)/bin/modelwatch go test -race -timeout 20m ./...
	cd client && go test -race -timeout 5m ./...
	$(VENV)/bin/python -m unittest discover -s client/python
	cd ui && MODELWATCH_BINARY=$(CURDIR)/bin/modelwatch npm run --silent test:browser

check: $(LINT) ui/node_modules/.done ## Format, lint, layering, generated files.
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "not formatted (run gofmt -w):"; echo "$$files"; exit 1; }
	go mod verify >/dev/null
	$(LINT) run ./...
	cd client && $(LINT) run -c ../.golangci.yml ./...
	cd ui && npm run --silent check

bench: bench-spine bench-logs bench-ingest bench-drift bench-ui ## Measure against peers; figures are kept in bench/*/results.md.

bench-spine: build
	go run ./bench/spine -binary bin/modelwatch

bench-logs:
	go run ./bench/logs

bench-ingest: build
	go run ./bench/ingest -binary bin/modelwatch

bench-drift:
	./bench/drift/run.sh

bench-ui: browser build
	MODELWATCH_BINARY=$(CURDIR)/bin/modelwatch node bench/ui/main.mjs

clean: ## Remove what was built.
	rm -rf bin dist $(TOOLS) $(VENV) ui/node_modules
	git clean -qfX ui/dist

ui/node_modules/.done: ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

ui/dist/index.html: ui/node_modules/.done api/openapi.yaml $(shell find ui/src ui/public ui/scripts ui/index.html ui/vite.config.ts -type f 2>/dev/null)
	cd ui && npm run --silent build
	@touch $@

browser:
	@command -v "$(or $(CHROMIUM),/usr/bin/chromium)" >/dev/null || { echo "The tests of the pages need a Chromium: install it (Debian: apt-get install chromium), or name one by CHROMIUM=/path/to/it."; exit 1; }

screenshots: browser build ## Pictures of every page with the demo's data, in screenshots/; look at them.
	cd ui && MODELWATCH_BINARY=$(CURDIR)/bin/modelwatch node scripts/screenshots.mjs ../screenshots

screenshots-readme: browser build ## The pictures that README shows.
	cd ui && README=1 MODELWATCH_BINARY=$(CURDIR)/bin/modelwatch node scripts/screenshots.mjs ../docs/images

python: $(VENV)/.done

$(VENV)/.done: test/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r test/requirements.txt
	@touch $@

$(LINT):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(TOOLS)/golangci-lint $@
