package segmenter

import (
	"errors"
	"fmt"
	"time"
)

// Config is what an operator may choose. It must be equal on all instances of a channel: the bytes depend on it.
type Config struct {
	// Target is the segment duration to come near to: segments last a whole number of groups.
	Target time.Duration
	// Part is the part duration wanted. Parts are whole frames of nearly equal duration, so they may be a frame longer.
	Part time.Duration
	// Window is the number of full segments that a timeline keeps at least.
	Window int
	// DVR is the stretch of time for which viewers may go back: the timeline keeps as many segments as fill it. 0: Window alone
	// decides.
	DVR time.Duration
	// Patience is how long the plan waits for a track that stays silent.
	Patience time.Duration
	// HoldBytes bounds the media held until the plan is fixed.
	HoldBytes int
}

// DefaultConfig suits broadcasts with groups of one or two seconds.
func DefaultConfig() Config {
	return Config{
		Target:    2 * time.Second,
		Part:      334 * time.Millisecond, // a third of a second holds 10 frames of 29.97 fps only if it is rounded up
		Window:    30,
		Patience:  2 * time.Second,
		HoldBytes: 64 << 20,
	}
}

// Validate reports every value that is out of range.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s must be %s", field, want))
		}
	}
	check(c.Target >= 500*time.Millisecond && c.Target <= time.Minute, "target", "between 500ms and 1m")
	check(c.Part >= 50*time.Millisecond && c.Part <= c.Target, "part", "between 50ms and target")
	check(c.Window >= 3 && c.Window <= maxWindow, "window", "between 3 and 1048576 segments")
	check(c.DVR >= 0 && c.DVR <= 31*24*time.Hour, "dvr", "between 0s and 744h")
	check(c.Patience >= 0 && c.Patience <= time.Minute, "patience", "between 0s and 1m")
	check(c.HoldBytes >= 1<<20, "hold_bytes", "at least 1 MiB")
	return errors.Join(errs...)
}
