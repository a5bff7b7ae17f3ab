package server

import (
	"bytes"
	"strings"
	"testing"
)

func TestAPressMakesTheSameOfTheSameHoweverOftenItWasUsed(t *testing.T) {
	var used press
	for _, body := range []string{strings.Repeat("#EXTINF:2.000000,\n", 1000), "", "short", strings.Repeat("long", 100_000)} {
		var fresh press
		if got, want := used.gzip([]byte(body)), fresh.gzip([]byte(body)); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d bytes from a used press, %d from a fresh one", len(body), len(got), len(want))
		}
	}
}
