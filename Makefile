# What you can do here; `make` alone lists it. Everything that is fetched or built goes into .cache/ and bin/, which git ignores.

# Versions of what is fetched.
CHDB_VERSION := 26.7.3-stable.1
LINT_VERSION := v2.15.0
KAFKA_VERSION ?= 4.1.1

GO         ?= go
CACHE      := $(CURDIR)/.cache
FUZZTIME   ?= 10s
BENCHTIME  ?= 1s
BENCH      ?= .
SEED       ?= 1
VENV       := $(CACHE)/venv
VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILDFLAGS := -trimpath -ldflags '-X main.version=$(VERSION)'

# Packages in which goroutines share data: they are tested again with the race detector. Folders that do not exist are left out.
RACE_DIRS  ?= actuator collector features ingest internal lab/ledger lab/process lab/tap lab/xds store/embedded torture/proxy
RACE       := $(patsubst %/,./%/...,$(wildcard $(addsuffix /,$(RACE_DIRS))))

# The ClickHouse engine as a library, per platform. Elsewhere, set WEIR_CHDB_LIBRARY to a libchdb of your own.
PLATFORM   := $(shell $(GO) env GOOS GOARCH | paste -s -d- -)
CHDB_linux-amd64  := linux-x64-gnu
CHDB_linux-arm64  := linux-arm64-gnu
CHDB_darwin-arm64 := darwin-arm64
CHDB_darwin-amd64 := darwin-x64
CHDB_NAME  := $(CHDB_$(PLATFORM))
CHDB_DIR   := $(CACHE)/chdb/$(CHDB_VERSION)
CHDB       := $(CHDB_DIR)/node_modules/@chdb/lib-$(CHDB_NAME)/libchdb.so
export WEIR_CHDB_LIBRARY ?= $(CHDB)
export WEIR_BIN ?= $(CURDIR)/bin/weir

# Apache Kafka, for tests and the torture: its jars. APACHE_KAFKA_JARS is a folder that holds them.
KAFKA_DIR  := $(CACHE)/kafka/$(KAFKA_VERSION)
export APACHE_KAFKA_JARS ?= $(KAFKA_DIR)

LINT       := $(CACHE)/bin/golangci-lint-$(LINT_VERSION)

.DEFAULT_GOAL := help
.PHONY: help build rules clickhouse kafka demo lab lab-tools lab-build e2e torture torture-mixed torture-build seeds notebooks test race fuzz lint bench cover generate clean tidy-check

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/weir and bin/weir-recording
	$(GO) build $(BUILDFLAGS) -o bin/weir ./cmd/weir
	$(GO) build $(BUILDFLAGS) -o bin/weir-recording ./cmd/weir-recording

clickhouse: $(WEIR_CHDB_LIBRARY) ## fetch the embedded ClickHouse engine (0.55 GB, once)
	@mkdir -p bin
	@ln -sfn '$(abspath $(WEIR_CHDB_LIBRARY))' bin/libchdb.so

# Beside itself and then renamed, so that an interrupted fetch is never taken for a finished one.
$(CHDB):
	@[ -n '$(CHDB_NAME)' ] || { echo 'make: no ready-made ClickHouse library for $(PLATFORM): set WEIR_CHDB_LIBRARY to a libchdb of your own' >&2; exit 1; }
	@command -v npm >/dev/null || { echo 'make: npm is missing; it fetches the ClickHouse library: install Node.js, or set WEIR_CHDB_LIBRARY to a libchdb of your own' >&2; exit 1; }
	rm -rf '$(CHDB_DIR).part'
	mkdir -p '$(CHDB_DIR).part'
	npm install --no-save --no-audit --no-fund --prefix '$(CHDB_DIR).part' '@chdb/lib-$(CHDB_NAME)@$(CHDB_VERSION)'
	test -s '$(CHDB_DIR).part/node_modules/@chdb/lib-$(CHDB_NAME)/libchdb.so'
	rm -rf '$(CHDB_DIR)'
	mv '$(CHDB_DIR).part' '$(CHDB_DIR)'

kafka: $(KAFKA_DIR) ## fetch Apache Kafka for the tests that use it (45 MB, once; needs Java 17 and Maven)

$(KAFKA_DIR): torture/apache/pom.xml
	@command -v mvn >/dev/null || { echo 'make: mvn is missing; it fetches Apache Kafka: install Maven and Java 17, or set APACHE_KAFKA_JARS to a folder with its jars' >&2; exit 1; }
	rm -rf '$(KAFKA_DIR).part'
	mvn -q -B -f torture/apache/pom.xml -Dkafka.version='$(KAFKA_VERSION)' -DincludeScope=runtime -DoutputDirectory='$(KAFKA_DIR).part' dependency:copy-dependencies
	test -s '$(KAFKA_DIR).part/kafka_2.13-$(KAFKA_VERSION).jar'
	rm -rf '$(KAFKA_DIR)'
	mv '$(KAFKA_DIR).part' '$(KAFKA_DIR)'
	@touch '$(KAFKA_DIR)'

# Starts from nothing each time; what it leaves in .cache/demo can be asked afterwards. SEED=7 shows another mesh, another day.
demo: build clickhouse ## watch Weir at work on a simulated mesh, in about a minute (SEED=1)
	@rm -rf '$(CACHE)/demo'
	@bin/weir demo --seed '$(SEED)' --data-dir .cache/demo/data

# The lab's third-party programs go into the user's cache folder, where every checkout that pins the same versions finds them.
lab: lab-tools lab-build clickhouse ## a real Istio mesh on this machine, with Weir beside it (the first time: some 15 minutes of building)
	@bin/weir lab up

lab-tools: ## build or fetch what the lab runs: Kubernetes, Istio, Envoy
	@lab/tools/build.sh

lab-build: build
	$(GO) build $(BUILDFLAGS) -o bin/weir-lab ./cmd/weir-lab

# E2E=weights runs one part; WEIR_LAB_E2E_KEEP=1 leaves the lab running.
e2e: lab-tools lab-build clickhouse ## the lab against Weir: every fault, weights, kills; under 15 minutes (E2E=part)
	WEIR_LAB_E2E=1 $(GO) test -count 1 -v -timeout 25m -run 'TestE2E/$(E2E)' ./lab/e2e

torture-build: build
	$(GO) build $(BUILDFLAGS) -o bin/weir-torture ./cmd/weir-torture

# On the embedded broker, then on Apache Kafka; KAFKA=embedded or KAFKA=apache runs one of them. CALLS and KILLS hold for what runs.
# What it leaves when something is wrong is in .cache/torture; see docs/torture.md.
torture: torture-build clickhouse ## hurt everything while it counts, and compare (SEED CALLS KILLS KAFKA), some half an hour
	@rm -rf '$(CACHE)'/torture/*-'$(SEED)'
	@[ '$(KAFKA)' = apache ] || bin/weir-torture --seed '$(SEED)' --calls '$(or $(CALLS),5000000)' --kills '$(or $(KILLS),100)' \
		--out '$(CACHE)/torture/embedded-$(SEED)'
	@[ '$(KAFKA)' = embedded ] || { $(MAKE) --no-print-directory KAFKA= kafka && bin/weir-torture --seed '$(SEED)' --kafka apache \
		--calls '$(or $(CALLS),1000000)' --kills '$(or $(KILLS),20)' --out '$(CACHE)/torture/apache-$(SEED)'; }

# Another version's binary, built from what git holds of it.
torture-mixed: torture-build clickhouse ## the same with two versions side by side (PREVIOUS=git ref, SEED CALLS KILLS)
	@[ -n '$(PREVIOUS)' ] || { echo 'make: say which version to mix in: make torture-mixed PREVIOUS=v1.0' >&2; exit 1; }
	@rm -rf '$(CACHE)/previous' '$(CACHE)/torture/mixed-$(SEED)' && mkdir -p '$(CACHE)/previous'
	@git archive '$(PREVIOUS)' | tar -x -C '$(CACHE)/previous'
	cd '$(CACHE)/previous' && $(GO) build -trimpath -ldflags '-X main.version=$(PREVIOUS)' -o weir ./cmd/weir
	@ln -sfn '$(abspath $(WEIR_CHDB_LIBRARY))' '$(CACHE)/previous/libchdb.so'
	bin/weir-torture --seed '$(SEED)' --calls '$(or $(CALLS),1000000)' --kills '$(or $(KILLS),30)' --previous '$(CACHE)/previous/weir' \
		--out '$(CACHE)/torture/mixed-$(SEED)'

# Every seed through the whole loop: that the fault is found and that a healthy mesh stays quiet. Some ten minutes.
seeds: build clickhouse ## five seeds with a fault and five without, through the whole loop
	@deploy/seeds.sh '$(CACHE)/seeds'

notebooks: build clickhouse $(VENV)/ready ## run the notebooks headless on the data of a demo
	@[ -d '$(CACHE)/demo/data' ] || bin/weir demo --data-dir .cache/demo/data >/dev/null
	@mkdir -p '$(CACHE)/notebooks'
	WEIR_BIN='$(CURDIR)/bin/weir' WEIR_DATA_DIR='$(CACHE)/demo/data' '$(VENV)/bin/python' notebooks/run.py '$(CACHE)/notebooks' notebooks/*.ipynb

$(VENV)/ready: notebooks/requirements.txt
	python3 -m venv '$(VENV)'
	'$(VENV)/bin/pip' install --quiet --disable-pip-version-check -r notebooks/requirements.txt
	@touch '$@'

# Go's race detector needs a C compiler on Linux. Somebody without one still gets an answer from `make test`, with a note; .ci/run insists.
test: build clickhouse ## all tests, then those of shared data with the race detector
	$(GO) test -timeout 30m ./...
	@if command -v "$$($(GO) env CC)" >/dev/null; then $(MAKE) --no-print-directory race; \
	else echo 'make: NOT RUN: the race detector needs a C compiler, and there is none' >&2; fi

race: build clickhouse ## tests of packages in which goroutines share data, with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 30m $(RACE)

fuzz: ## every fuzz target for FUZZTIME each (10s)
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "fuzz $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		done; \
	done

lint: $(LINT) ## static checks, as in .golangci.yml
	'$(LINT)' run ./...

$(LINT):
	@mkdir -p '$(CACHE)/bin'
	GOBIN='$(CACHE)/bin' GOFLAGS= $(GO) install -trimpath github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv '$(CACHE)/bin/golangci-lint' '$@'

rules: ## check the alert rules and run their unit tests (needs promtool, of the package prometheus)
	@command -v promtool >/dev/null || { echo 'make: promtool is missing: install the package prometheus' >&2; exit 1; }
	promtool check rules deploy/prometheus/rules.yaml
	promtool test rules deploy/prometheus/rules.test.yaml

bench: build clickhouse ## benchmarks (BENCH=regexp BENCHTIME=1s)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

cover: build clickhouse ## test coverage per function, and the total
	$(GO) test -coverprofile coverage.out -coverpkg ./... ./...
	$(GO) tool cover -func coverage.out

generate: ## write generated files anew (the Istio schemas)
	$(GO) generate ./...

tidy-check: ## fail when go.mod or go.sum would change
	$(GO) mod tidy -diff
	$(GO) mod verify

clean: ## remove what was built (what was fetched stays in .cache)
	rm -rf bin coverage.out
