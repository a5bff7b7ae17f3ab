# Shorthands. .ci/run is what decides; see .ci/README.md.
.PHONY: build test race lint page demo e2e bench fuzz

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

bench:
	go test -run '^$$' -bench . -benchmem ./...

fuzz:
	.ci/run fuzz
