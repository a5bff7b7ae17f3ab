package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// namespaceOf reads a namespace field. Absent, it is the catalog's own. The specification leaves open how a tuple becomes a
// string, so every join of the catalog's namespace that publishers write means the catalog's; anything else is split at "/"
// exactly if the catalog's namespace has several fields. Cloudflare's moq-pub puts a "/" in front, and no field is empty. An array
// of strings is a tuple as it stands.
func namespaceOf(f fields, field string, own []string) []string {
	var tuple []string
	if f.has(field) && json.Unmarshal(f[field], &tuple) == nil && len(tuple) > 0 {
		return tuple
	}
	s, ok := f.text(field)
	if !ok || s == "" || isJoin(s, own) {
		return own
	}
	if s = strings.TrimPrefix(s, "/"); isJoin(s, own) {
		return own
	}
	if len(own) > 1 {
		return strings.Split(s, "/")
	}
	return []string{s}
}

func isJoin(s string, own []string) bool {
	return slices.ContainsFunc([]string{"/", "-", " ", "."}, func(sep string) bool { return s == strings.Join(own, sep) }) ||
		s == escape(own)
}

// escape is the tuple in the string encoding of MoQ URLs (draft-ietf-moq-msf, "MSF Namespace-Name String Encoding").
func escape(tuple []string) string {
	var b strings.Builder
	for i, field := range tuple {
		if i > 0 {
			b.WriteByte('-')
		}
		for _, c := range []byte(field) {
			if c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, ".%02x", c)
			}
		}
	}
	return b.String()
}
