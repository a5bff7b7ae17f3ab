package manifest

import "strings"

// A channel or track name becomes one path element that needs no further escaping anywhere: letters, digits, '-' and '_'
// stay, every other byte is '~' and two lower-case hex digits, and the empty name is a lone '~'. All of these are
// unreserved in URLs (RFC 3986 2.3), so that no client, proxy or S3 signer respells them; there is no '.', which the files
// have, no '/', and no '$' to disturb a DASH template.

// Escape is the path element of a channel or track name. It is reversible: no two names share one.
func Escape(name string) string { return string(appendEscaped(nil, name)) }

func appendEscaped(b []byte, name string) []byte {
	const hex = "0123456789abcdef"
	if name == "" {
		return append(b, '~')
	}
	for _, c := range []byte(name) {
		if isPlain(c) {
			b = append(b, c)
		} else {
			b = append(b, '~', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// Unescape is the inverse of Escape; ok is false for an element that Escape does not write.
func Unescape(element string) (name string, ok bool) {
	if element == "~" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(element); i++ {
		c := element[i]
		if c == '~' {
			if i+2 >= len(element) {
				return "", false
			}
			hi, lo := hexDigit(element[i+1]), hexDigit(element[i+2])
			if c = hi<<4 | lo; hi|lo > 15 || isPlain(c) {
				return "", false
			}
			i += 2
		} else if !isPlain(c) {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), b.Len() > 0
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// hexDigit is the value of a lower-case hex digit, or 255.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
