# The targets are the commands that README.md and CONTRIBUTING.md name.
.PHONY: demo test race long model bench bench-peers lint cross fuzz rename

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME   ?= 20s

demo:  ## the main job: two processes, one ring, real telemetry
	go run ./cmd/ringway demo

test:  ## all tests, under two minutes
	go test ./...

race:  ## the same under the race detector
	go test -race ./...

long:  ## the long kill, cancel and creator runs
	RINGWAY_LONG=1 RINGWAY_KILLS=1000 go test -count=1 -v -run 'Kill|Race|Cancel|Idle' ./ring ./shm

model: ## the Promela model of the exchange ring and its mutants; installs spin if it is missing
	docs/model/run

bench: ## two pinned processes, Ringway beside C and C++, interleaved
	go test -run '^$$' -bench . ./bench

bench-peers: ## Ringway beside C, C++, Go and system peers; goes on where it was stopped
	$(MAKE) -C bench/peers

lint:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go run $(STATICCHECK) ./...

golangci:
	go run $(GOLANGCI) run

cross: ## everything builds elsewhere; 32 bits are refused by the compiler
	GOOS=darwin go build ./...
	GOOS=windows go build ./...
	GOARCH=arm64 go build ./...
	GOARCH=arm64 go vet ./...
	@out=$$(GOARCH=386 go build ./layout 2>&1); case "$$out" in \
	*ringway_needs_a_64_bit_little_endian_platform*) echo "386: refused, as it should be" ;; \
	*) echo "386 was not refused: $$out"; exit 1 ;; esac

fuzz:  ## every fuzz target for FUZZTIME
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep ^Fuzz); do \
	echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

rename: ## make rename MODULE=example.org/ringway
	@test -n "$(MODULE)" || { echo "usage: make rename MODULE=example.org/ringway"; exit 2; }
	old=$$(go list -m) && go mod edit -module "$(MODULE)" && \
	grep -rlF "$$old/" --include='*.go' --include='*.md' --include='*.yml' --include=Makefile . | \
	xargs sed -i "s#\(^\|[\"\` ,\[(]\)$$old/#\1$(MODULE)/#g"
