package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// fields is one JSON object, read field by field so that one odd value costs no more than itself. Names are case-sensitive.
type fields map[string]json.RawMessage

// has reports whether the field is there and not null.
func (f fields) has(name string) bool {
	return len(f[name]) > 0 && !bytes.Equal(f[name], []byte("null"))
}

// text is a string, or a number in its own spelling.
func (f fields) text(name string) (string, bool) {
	if !f.has(name) {
		return "", false
	}
	var s string
	if json.Unmarshal(f[name], &s) == nil {
		return s, true
	}
	var n json.Number
	if json.Unmarshal(f[name], &n) == nil {
		return n.String(), true
	}
	return "", false
}

// flag is a boolean, or a string that spells one; false when it is neither.
func (f fields) flag(name string) bool {
	s := strings.Trim(string(f[name]), `"`)
	return s == "true"
}

// number is a number, or a string that spells one; 0 when it is neither, not finite, negative, or not below 2^53.
func (f fields) number(name string) int64 {
	s, _ := f.text(name)
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(n >= 0 && n < 1<<53) {
		return 0
	}
	return int64(math.Round(n))
}

// decimal is a positive number in the publisher's spelling, such as "29.97"; empty when it is none.
func (f fields) decimal(name string) string {
	s, _ := f.text(name)
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err != nil || !(n > 0 && n < 1<<31) || strings.Trim(s, "0123456789.") != "" {
		return ""
	}
	return s
}

// millis is a number of milliseconds.
func (f fields) millis(name string) time.Duration {
	return time.Duration(min(f.number(name), 1<<40)) * time.Millisecond
}

// object is a nested JSON object; nil when it is none.
func (f fields) object(name string) fields {
	var o fields
	if json.Unmarshal(f[name], &o) != nil {
		return nil
	}
	return o
}

// list is an array; nil when it is none.
func (f fields) list(name string) (list []json.RawMessage) {
	if json.Unmarshal(f[name], &list) != nil {
		return nil
	}
	return list
}

// texts are the strings of an array, or the one that stands in its place.
func (f fields) texts(name string) (all []string) {
	for _, r := range f.list(name) {
		if s, ok := (fields{"": r}).text(""); ok && len(all) < maxRefs {
			all = append(all, s)
		}
	}
	if s, ok := f.text(name); ok {
		all = append(all, s)
	}
	return all
}

// filled reports whether the field holds anything but null, "", {} or [].
func (f fields) filled(name string) bool {
	switch strings.Join(strings.Fields(string(f[name])), "") {
	case "", "null", `""`, "{}", "[]":
		return false
	}
	return true
}

// objects is an array of at most limit JSON objects; none when the field is absent. path leads to f.
func (f fields) objects(path, name string, limit int) ([]fields, error) {
	if !f.has(name) {
		return nil, nil
	}
	path += name
	var raw []json.RawMessage
	if err := json.Unmarshal(f[name], &raw); err != nil {
		return nil, syntax(path, err)
	}
	if len(raw) > limit {
		return nil, &Error{Path: path, Err: ErrTooLarge, Detail: fmt.Sprintf("%d entries, %d are allowed", len(raw), limit)}
	}
	out := make([]fields, len(raw))
	for i, r := range raw {
		if err := json.Unmarshal(r, &out[i]); err != nil {
			return nil, syntax(fmt.Sprintf("%s[%d]", path, i), err)
		}
		if out[i] == nil {
			return nil, &Error{Path: fmt.Sprintf("%s[%d]", path, i), Err: ErrSyntax, Detail: "unexpected JSON null"}
		}
	}
	return out, nil
}
