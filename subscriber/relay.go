package subscriber

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// relay is a parsed Config.Relay.
type relay struct {
	addr   string   // host:port
	path   string   // with query
	drafts []string // nil: any
}

func parseRelay(s string) (r relay, err error) {
	u, err := url.Parse(s)
	if err != nil {
		return r, err
	}
	switch {
	case u.Scheme != "moqt":
		return r, fmt.Errorf("%q is not of the form moqt://host:port/path", s)
	case u.Hostname() == "":
		return r, fmt.Errorf("%q names no host", s)
	case u.User != nil, u.Fragment != "":
		return r, fmt.Errorf("%q: neither user nor fragment has a meaning here", u.Redacted())
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return r, fmt.Errorf("port %q is not between 1 and 65535", port)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return r, err
	}
	if query.Has("draft") {
		if r.drafts, err = protocolsOf(query.Get("draft")); err != nil {
			return r, err
		}
		query.Del("draft")
		u.RawQuery = query.Encode()
	}
	r.addr = net.JoinHostPort(u.Hostname(), port)
	if r.path = u.EscapedPath(); u.RawQuery != "" {
		r.path += "?" + u.RawQuery
	}
	return r, nil
}

// protocolsOf are the protocols that a draft is called by in a handshake: "18" and "moqt-18" are moqt-18, and 14 is moq-00.
func protocolsOf(draft string) ([]string, error) {
	var known, experimental []string
	for _, e := range engines() {
		known, experimental = append(known, e.protocols...), append(experimental, e.experimental...)
	}
	known = append(known, experimental...)
	for i, p := range known {
		short := strings.TrimPrefix(p, "moq-")
		if d := dialect.ByALPN(p); d != nil {
			short = strconv.Itoa(d.Number)
		}
		if draft == p || draft == short || draft == "moqt-"+short {
			return []string{p}, nil
		}
		known[i] = short
	}
	return nil, fmt.Errorf("draft %q is not one of %s", draft, strings.Join(known, ", "))
}

// after is the relay to connect to when a session with r has ended with err. Only a GOAWAY leads elsewhere, or has us stay
// where one led (moq-transport, "GOAWAY"); any other end leads home.
func (r relay) after(err error, home relay) relay {
	var s *moqt.SessionError
	if !errors.As(err, &s) || !errors.Is(s, moqt.ErrGoingAway) {
		return home
	}
	if s.URI == "" {
		return r
	}
	to, err := parseRelay(s.URI)
	if err != nil {
		return home
	}
	if to.drafts == nil {
		to.drafts = home.drafts
	}
	return to
}

// ParseNamespace reads a namespace tuple from its spelling on a command line: fields separated by "/". A field may hold any
// byte as %xx, so "cmsf%2Fclear" is the one field "cmsf/clear".
func ParseNamespace(s string) ([]string, error) {
	fields := strings.Split(strings.Trim(s, "/"), "/")
	for i, f := range fields {
		var err error
		if fields[i], err = url.PathUnescape(f); err != nil {
			return nil, fmt.Errorf("namespace %q: %w", s, err)
		}
	}
	if err := validNamespace(fields); err != nil {
		return nil, fmt.Errorf("namespace %q: %w", s, err)
	}
	return fields, nil
}

// FormatNamespace is the spelling that ParseNamespace reads.
func FormatNamespace(fields []string) string {
	escaped := make([]string, len(fields))
	for i, f := range fields {
		escaped[i] = url.PathEscape(f)
	}
	return strings.Join(escaped, "/")
}

// validNamespace applies the bounds of draft-ietf-moq-transport, "Track Naming".
func validNamespace(fields []string) error {
	if len(fields) == 0 || len(fields) > 32 {
		return fmt.Errorf("%d fields, 1 to 32 are allowed", len(fields))
	}
	size := 0
	for _, f := range fields {
		if f == "" {
			return errors.New("a field is empty")
		}
		size += len(f)
	}
	if size > 4096 {
		return fmt.Errorf("%d bytes, 4096 are allowed", size)
	}
	return nil
}
