# Shorthands. .ci/run is what decides; see .ci/README.md.
.PHONY: build test race lint page demo e2e interop bench fuzz

build: page
	go build -o moqpack ./cmd/moqpack

test:
	go test ./...

race:
	go test -race -shuffle=on ./...

lint:
	.ci/run format vet lint

# Bring hls.js and Shaka from npm, to be embedded by the next build.
page:
	server/page/vendor.sh

demo:
	go run ./cmd/moqpack demo

e2e:
	.ci/run install e2e interop

# moqpack against software that others wrote; rewrites the table of docs/INTEROP.md.
interop:
	.ci/run peers

# The numbers of docs/PERFORMANCE.md, with COUNT=3. The last two take their time: they watch a broadcast.
COUNT ?= 1
bench:
	go test -run '^$$' -bench . -skip 'LivePath|Channels' -benchmem -count $(COUNT) ./...
	go test -run '^$$' -bench LivePath -benchtime 120x -count $(COUNT) ./internal/channel
	go test -run '^$$' -bench Channels -benchtime 3x -count $(COUNT) ./cmd/moqpack

fuzz:
	.ci/run fuzz
