package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that may be written with days, "30d" or "1d12h". It is never negative.
type Duration time.Duration

// maxDays is more than a century.
const maxDays = 40_000

// ParseDuration reads one.
func ParseDuration(s string) (Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as 10s, 4h or 30d", cut(s))
	var total time.Duration
	days, rest, found := strings.Cut(s, "d")
	if found {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > maxDays {
			return 0, bad
		}
		total = time.Duration(n) * 24 * time.Hour
	} else {
		rest = s
	}
	if rest != "" || !found {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || d > maxDays*24*time.Hour {
			return 0, bad
		}
		total += d
	}
	return Duration(total), nil
}

// String is the shortest form that ParseDuration reads.
func (d Duration) String() string {
	t := time.Duration(d)
	if t >= 24*time.Hour && t%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", t/(24*time.Hour))
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Set is for flags.
func (d *Duration) Set(s string) (err error) {
	*d, err = ParseDuration(s)
	return err
}

// Type is for flags.
func (d *Duration) Type() string { return "duration" }

// Size is a number of bytes, written with a unit: "1GiB", "500MB". It is never negative.
type Size int64

type unit struct {
	name  string
	bytes int64
}

// units are the largest first, binary before decimal.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
	}
}

// ParseSize reads one.
func ParseSize(s string) (Size, error) {
	digits := strings.TrimRight(s, "BKMGTik")
	n, err := strconv.ParseUint(digits, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%q is more than can be", cut(s))
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number with a unit, such as 512MiB, 50GiB or 1TB", cut(s))
	}
	if n == 0 && digits == s {
		return 0, nil
	}
	for _, u := range units() {
		if s[len(digits):] != u.name {
			continue
		}
		if n > uint64(math.MaxInt64/u.bytes) {
			return 0, fmt.Errorf("%q is more than can be", cut(s))
		}
		return Size(int64(n) * u.bytes), nil
	}
	return 0, fmt.Errorf("%q has no unit: write 512MiB, 50GiB or 1TB", cut(s))
}

// String is exact, in the unit that makes it shortest.
func (z Size) String() string {
	if z == 0 {
		return "0"
	}
	best := unit{"B", 1}
	for _, u := range units() {
		if int64(z)%u.bytes == 0 && u.bytes > best.bytes {
			best = u
		}
	}
	return fmt.Sprintf("%d%s", int64(z)/best.bytes, best.name)
}

// Set is for flags.
func (z *Size) Set(s string) (err error) {
	*z, err = ParseSize(s)
	return err
}

// Type is for flags.
func (z *Size) Type() string { return "size" }

// cut is s, short enough for an error message.
func cut(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
