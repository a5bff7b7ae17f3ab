package subscriber

import (
	"net"
	"slices"
	"testing"
)

// FuzzRelay: a relay, which a peer may name too, is an address and what is asked for there, and says both when it is read again.
func FuzzRelay(f *testing.F) {
	f.Add("moqt://relay.example/live?draft=18&jwt=a%20b")
	f.Add("https://[::1]:4443/a%2Fb?transport=wt")
	f.Add("moqt://h:0?&&=")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRelay(s)
		if err != nil {
			return
		}
		if host, port, err := net.SplitHostPort(r.addr); err != nil || host == "" || port == "" {
			t.Fatalf("%q: address %q: %v", s, r.addr, err)
		}
		again, err := parseRelay(r.scheme + "://" + r.addr + r.path)
		if err != nil || again.addr != r.addr || again.path != r.path || again.scheme != r.scheme {
			t.Fatalf("%q is %+v, which is %+v: %v", s, r, again, err)
		}
	})
}

// FuzzNamespace: what is read of a command line is written so that it is read again.
func FuzzNamespace(f *testing.F) {
	f.Add("live/studio1")
	f.Add("cmsf%2Fclear/%00")
	f.Add("/a//b/")
	f.Fuzz(func(t *testing.T, s string) {
		fields, err := ParseNamespace(s)
		if err != nil {
			return
		}
		again, err := ParseNamespace(FormatNamespace(fields))
		if err != nil || !slices.Equal(again, fields) {
			t.Fatalf("%q is %q, then %q: %v", s, fields, again, err)
		}
	})
}
