package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage"
)

// probePatience is how long a bucket may take for all that is asked of it.
const probePatience = 20 * time.Second

// tryBucket puts, replaces, lists and deletes an object, and looks at what the endpoint honours.
func tryBucket(ctx context.Context, c config.S3) []finding {
	what := "bucket " + c.URL
	store, err := openBucket(ctx, c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return []finding{{levelFail, what, err.Error(), ""}}
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	can, err := store.Probe(ctx, probeID())
	if err != nil {
		next := "docs/storage.md says what a bucket needs, and what must be allowed"
		if errors.Is(err, storage.ErrUnavailable) {
			next = "is the endpoint right, does the store run, does the network let moqpack through?"
		}
		return []finding{{levelFail, what, err.Error(), next}}
	}
	all := []finding{{levelOK, what, fmt.Sprintf("can be written, read, listed and deleted from; its clock is %s ahead", can.Skew), ""}}
	if can.Skewed() {
		all[0].Level, all[0].Next = levelWarn, "synchronize the clocks (NTP): requests are signed with the time, and players go by it"
	}
	for _, line := range can.Missing() {
		all = append(all, finding{levelWarn, what, line, ""})
	}
	return all
}
