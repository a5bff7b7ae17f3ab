package hls

import (
	"strconv"
	"time"
)

// appendDecimal appends v/10^digits with all its digits.
func appendDecimal(b []byte, v int64, digits int) []byte {
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	unit := int64(1)
	for range digits {
		unit *= 10
	}
	b = strconv.AppendInt(b, v/unit, 10)
	b = append(b, '.')
	for rest := v % unit; unit > 1; rest %= unit {
		unit /= 10
		b = append(b, byte('0'+rest/unit))
	}
	return b
}

// appendSeconds appends d in seconds with millisecond digits.
func appendSeconds(b []byte, d time.Duration) []byte { return appendDecimal(b, d.Milliseconds(), 3) }

// appendAttr appends a quoted attribute with a comma before it, unless the value is empty.
func appendAttr(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',')
	b = append(b, name...)
	b = append(b, `="`...)
	b = append(b, value...)
	return append(b, '"')
}

func yesNo(yes bool) string {
	if yes {
		return "YES"
	}
	return "NO"
}
