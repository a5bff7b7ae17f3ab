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

// relay is a parsed URL of Config.Relays.
type relay struct {
	scheme string
	addr   string   // host:port
	path   string   // with query
	drafts []string // nil: any
	only   string   // "quic" or "wt"; empty: either

	hops int // redirections that led here
	home int // which of the configured ones they began at
}

func parseRelay(s string) (r relay, err error) {
	u, err := url.Parse(s)
	if err != nil {
		return r, err
	}
	switch {
	case u.Scheme != "moqt" && u.Scheme != "https":
		return r, fmt.Errorf("%q is not of the form moqt://host:port/path or https://host:port/path", s)
	case u.Hostname() == "":
		return r, fmt.Errorf("%q names no host", s)
	case u.User != nil:
		return r, fmt.Errorf("%q: a user has no meaning here", u.Redacted())
	case u.Fragment != "":
		return r, disagrees(s)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return r, fmt.Errorf("port %q is not between 1 and 65535", port)
	}
	r.scheme, r.addr, r.path = u.Scheme, net.JoinHostPort(u.Hostname(), port), u.EscapedPath()
	_, err = url.Parse("//" + r.addr) // "moqt://::" has no such address
	if _, _, bad := net.SplitHostPort(r.addr); err != nil || bad != nil {
		return r, fmt.Errorf("%q is no address: %w", r.addr, errors.Join(err, bad))
	}
	query, err := r.query(u.RawQuery)
	if query != "" {
		r.path += "?" + query
	}
	return r, err
}

// query takes what is ours out of a query, and leaves the rest, such as a relay's token, exactly as it is.
func (r *relay) query(raw string) (rest string, err error) {
	if _, err := url.ParseQuery(raw); err != nil {
		return "", err
	}
	var kept []string
	for _, item := range strings.Split(raw, "&") {
		switch key, value, _ := strings.Cut(item, "="); key {
		case "draft":
			if r.drafts, err = protocolsOf(value); err != nil {
				return "", err
			}
		case "transport":
			if r.only = value; value != "quic" && value != "wt" {
				return "", fmt.Errorf("transport %q is neither quic nor wt", value)
			}
		default:
			kept = append(kept, item)
		}
	}
	return strings.Join(kept, "&"), nil
}

// protocolsOf are the protocols that a draft is called by in a handshake: "18" and "moqt-18" are moqt-18, "lite-05" is
// moq-lite-05, and 14 is moq-00.
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

// maxHops bounds how often one may be sent elsewhere.
const maxHops = 3

// moved is the relay to connect to when err, of a session with r, says so; ok is false if it does not: only a GOAWAY or a
// redirection leads elsewhere (moq-transport, "GOAWAY", "REQUEST_ERROR").
func (r relay) moved(err error) (to relay, ok bool) {
	uri, ok := destination(err)
	if !ok || uri == "" {
		return r, ok
	}
	to, err = parseRelay(uri)
	if err != nil || r.hops == maxHops || r.scheme == "https" && to.scheme != "https" {
		return r, false
	}
	if to.hops, to.home = r.hops+1, r.home; to.drafts == nil {
		to.drafts = r.drafts
	}
	return to, true
}

// destination is where err leads; an empty URI is where one is.
func destination(err error) (uri string, ok bool) {
	if s, is := errors.AsType[*moqt.SessionError](err); is {
		return s.URI, errors.Is(s, moqt.ErrGoingAway)
	}
	if r, is := errors.AsType[*moqt.RequestError](err); is && r.Redirect != nil {
		return r.Redirect.URI, r.Redirect.URI != ""
	}
	return "", false
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
