package vod

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrRange says that what was asked for is not what is kept.
var ErrRange = errors.New("outside of what is kept")

// ErrTime says that a text is no time.
var ErrTime = errors.New("not a time: write 2006-01-02T15:04:05Z, 15:04:05 (UTC, on the day of the recording), +90s (from the " +
	"start of the recording) or media:12.5 (seconds of media time)")

// maxSeconds bounds times to those before the year 2106, so that arithmetic on them cannot overflow.
const maxSeconds = 1 << 32

// When is a point of a recording as a person writes it. The zero When stands for the beginning, or the end.
type When struct {
	base  base
	nanos int64 // since the base
}

type base uint8

const (
	open      base = iota
	unix           // since 1970
	clock          // since midnight, UTC
	relative       // since the recording began
	mediaTime      // of media time
)

// ParseWhen reads what ErrTime says.
func ParseWhen(s string) (When, error) {
	if s == "" {
		return When{}, nil
	}
	if rest, ok := strings.CutPrefix(s, "media:"); ok {
		return parse(s, mediaTime, rest)
	}
	if rest, ok := strings.CutPrefix(s, "+"); ok {
		return parse(s, relative, rest)
	}
	if t, err := time.Parse("2006-01-02T15:04:05Z07:00", s); err == nil {
		if t.Unix() < 0 || t.Unix() >= maxSeconds {
			return When{}, fmt.Errorf("%.100q: %w", s, ErrTime)
		}
		return When{unix, t.UnixNano()}, nil
	}
	if t, err := time.Parse("15:04:05", s); err == nil {
		return When{clock, t.Sub(t.Truncate(24 * time.Hour)).Nanoseconds()}, nil
	}
	return When{}, fmt.Errorf("%.100q: %w", s, ErrTime)
}

// parse reads seconds, or what Go calls a duration.
func parse(s string, b base, text string) (When, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d < 0 || d >= maxSeconds*time.Second {
		return When{}, fmt.Errorf("%.100q: %w", s, ErrTime)
	}
	return When{b, d.Nanoseconds()}, nil
}

const day = 24 * int64(time.Hour)

// at is the instant in nanoseconds of Unix time that w means in a recording. An end is looked for after the start, which is that of
// the recording while the start is looked for itself.
func (w When) at(k *Kept, start int64, isEnd bool) (int64, error) {
	switch w.base {
	case unix:
		return w.nanos, nil
	case relative:
		return k.First + w.nanos, nil
	case clock:
		return w.onDay(k, start, isEnd)
	case mediaTime:
		return k.ofMedia(w.nanos)
	}
	if isEnd {
		return k.Last, nil
	}
	return k.First, nil
}

// onDay is the first time that a clock shows w within the recording, or after the start of what is asked for.
func (w When) onDay(k *Kept, start int64, isEnd bool) (int64, error) {
	if isEnd {
		at := start/day*day + w.nanos
		if at <= start {
			at += day
		}
		return at, nil
	}
	first := k.First/day*day + w.nanos
	if first < k.First && first+day < k.Last {
		first += day
	}
	if first >= k.First && first+day < k.Last {
		return 0, fmt.Errorf("%s is on several days of the recording, which lasts from %s to %s: write the day, too", time.Duration(w.nanos),
			Stamp(k.First), Stamp(k.Last))
	}
	return first, nil
}

// Stamp writes an instant for people, to the millisecond.
func Stamp(nanos int64) string { return time.Unix(0, nanos).UTC().Format("2006-01-02T15:04:05.000Z") }

// Span writes a span for people, to the millisecond.
func Span(nanos int64) string {
	return fmt.Sprintf("%d.%03d s", nanos/int64(time.Second), nanos/int64(time.Millisecond)%1000)
}
