package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// secret is a text that must not be printed, and what to print instead.
type secret struct {
	text, name string
	// plain: it is in a field in which nobody keeps a secret. What is wrong with it might be that somebody did, so that errors hide
	// it all the same.
	plain bool
}

// minSecret is the length from which on a text is worth hiding: shorter ones are no secret, and hiding them garbles messages.
const minSecret = 4

// spell appends the spellings in which the text may turn up in a message, each with what to print instead.
func (s secret) spell(pairs []string) []string {
	if len(s.text) < minSecret {
		return pairs
	}
	quoted := strconv.Quote(s.text)
	return append(pairs, s.text, s.name, quoted[1:len(quoted)-1], s.name,
		url.QueryEscape(s.text), s.name, url.PathEscape(s.text), s.name)
}

// maxText bounds a value after expansion.
const maxText = 64 << 10

// expand replaces ${NAME} by the variable and $$ by $. It goes over s once: what a variable holds is not expanded again.
func expand(s string, env func(string) (string, bool)) (string, []secret, error) {
	if !strings.Contains(s, "$") {
		return s, nil, nil
	}
	var b strings.Builder
	var secrets []secret
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String(), secrets, nil
		}
		if rest, ok := strings.CutPrefix(after, "$"); ok {
			b.WriteByte('$')
			s = rest
			continue
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		if !strings.HasPrefix(after, "{") || !closed || !isName(name) {
			return "", nil, fmt.Errorf("a $ that begins no ${NAME}: write $$ for the sign itself")
		}
		value, ok := env(name)
		if !ok {
			return "", nil, fmt.Errorf("the environment variable %s is not set", cut(name))
		}
		if b.WriteString(value); b.Len() > maxText {
			return "", nil, fmt.Errorf("with ${%s} it is longer than %d bytes", cut(name), maxText)
		}
		secrets = append(secrets, secret{text: value, name: "${" + name + "}"})
		s = rest
	}
}

// isName reports whether s may be the name of an environment variable (POSIX 8.1).
func isName(s string) bool {
	for i, c := range []byte(s) {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// hidden are the parts of a URL that may be credentials: user and password, all of the query but our own draft=, and a fragment, which
// has no meaning here.
func hidden(s string) []secret {
	var out []secret
	s, fragment, _ := strings.Cut(s, "#")
	out = append(out, secret{text: fragment, name: "***"})
	rest, query, _ := strings.Cut(s, "?")
	if _, after, ok := strings.Cut(rest, "://"); ok {
		host, _, _ := strings.Cut(after, "/")
		if at := strings.LastIndex(host, "@"); at > 0 {
			out = append(out, secret{text: host[:at], name: "***"})
		}
	}
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); key != "draft" && key != "transport" {
			out = append(out, secret{text: value, name: "***"})
		}
	}
	return out
}
