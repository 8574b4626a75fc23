# Everything a developer runs. "make help" lists it.

.DEFAULT_GOAL := help

BIN := bin/linkspan

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the program into bin/
	@test -e $(BIN) || echo 'Building Linkspan. The first time this takes a minute or two.' >&2
	CGO_ENABLED=0 go build -trimpath -o $(BIN) ./cmd/linkspan

.PHONY: run
run: build ## Build and run the server on http://localhost:3003 (ARGS="--rate-limit 200" adds flags)
	@scripts/run.sh $(ARGS)

.PHONY: demo
demo: build ## See the whole loop with a demo provider (ONCE=1 goes through it by itself; ARGS="--no-open" adds flags)
	@ONCE="$(ONCE)" scripts/demo.sh $(ARGS)

.PHONY: test
test: ## Every check and every test, installing what is missing
	@scripts/test.sh

.PHONY: test-race
test-race: ## Only the Go tests, with the race detector, on SQLite and PostgreSQL
	scripts/with-postgres.sh scripts/race.sh ./...

.PHONY: lint
lint: ## Lint
	@scripts/tools.sh
	.cache/bin/golangci-lint run --allow-parallel-runners ./...

.PHONY: fmt
fmt: ## Format
	@scripts/tools.sh
	.cache/bin/golangci-lint fmt ./...

.PHONY: generate
generate: ## Make the generated files again
	go generate ./...

.PHONY: verify
verify: ## Check that generated files and go.mod are current
	@scripts/verify.sh

.PHONY: quickjs
quickjs: ## Fetch the JavaScript engine of the sandbox again and compare
	@scripts/quickjs.sh

.PHONY: fuzz
fuzz: ## Run every fuzz test for FUZZTIME (30s)
	@scripts/fuzz.sh

.PHONY: bench
bench: build ## Measure start-up, memory and throughput (ARGS="-duration 10s" adds flags)
	go run ./e2e/bench -binary $(BIN) $(ARGS)

.PHONY: cover
cover: ## Show the coverage of each function
	scripts/with-postgres.sh go test -coverprofile=coverage.out -coverpkg=./... ./...
	go tool cover -func=coverage.out

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin .cache coverage.out
