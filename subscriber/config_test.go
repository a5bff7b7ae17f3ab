package subscriber

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

func validConfig() Config {
	c := DefaultConfig()
	c.Relays, c.Namespace = []string{"moqt://relay.example.com/live"}, []string{"demo"}
	return c
}

func TestParseRelay(t *testing.T) {
	for s, want := range map[string]relay{
		"moqt://relay.example.com":                    {scheme: "moqt", addr: "relay.example.com:443"},
		"moqt://relay.example.com:4443/a%20b?x=1":     {scheme: "moqt", addr: "relay.example.com:4443", path: "/a%20b?x=1"},
		"moqt://[::1]:4443/":                          {scheme: "moqt", addr: "[::1]:4443", path: "/"},
		"moqt://r/live?token=a%26b&draft=18":          {scheme: "moqt", addr: "r:443", path: "/live?token=a%26b", drafts: []string{"moqt-18"}},
		"moqt://r/live?draft=moqt-16":                 {scheme: "moqt", addr: "r:443", path: "/live", drafts: []string{"moqt-16"}},
		"moqt://relay.example.com:4443/live?b=2&a=1#": {scheme: "moqt", addr: "relay.example.com:4443", path: "/live?b=2&a=1"},
		"moqt://r/live?draft=14":                      {scheme: "moqt", addr: "r:443", path: "/live", drafts: []string{"moq-00"}},
		"moqt://r/live?draft=22":                      {scheme: "moqt", addr: "r:443", path: "/live", drafts: []string{"moqt-22"}},
		"https://r/anon?jwt=e30.x+y&transport=quic&b": {scheme: "https", addr: "r:443", path: "/anon?jwt=e30.x+y&b", only: "quic"},
		"https://r?transport=wt&draft=lite-05":        {scheme: "https", addr: "r:443", only: "wt", drafts: []string{"moq-lite-05"}},
	} {
		got, err := parseRelay(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(relay{})); diff != "" {
			t.Errorf("%s: -want +got:\n%s", s, diff)
		}
	}
}

func TestWhatIsOffered(t *testing.T) {
	want := []string{
		"moqt-18", "moqt-19", "moqt-16", "moqt-17", "moqt-15", "moqt-22", "moqt-20", "moq-lite-05", "moq-lite-04", "moq-lite-03", "moq-00",
	}
	if diff := cmp.Diff(want, protocols()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(append(want, "moqt-21"), acceptable()); diff != "" {
		t.Errorf("who connects to us: -want +got:\n%s", diff)
	}
}

func TestParseRelayRefuses(t *testing.T) {
	for _, s := range []string{
		"", "relay:4443", "http://relay/", "moqt:///path", "moqt://relay:0", "moqt://relay:70000", "moqt://user@relay",
		"moqt://relay/#catalog", "moqt://relay/#msf:a--catalog", "moqt://relay?draft=", "moqt://relay?draft=new", "moqt://relay?a=%zz", "moqt://re lay",
		"moqt://relay?transport=tcp", "https://relay?transport",
	} {
		if r, err := parseRelay(s); err == nil {
			t.Errorf("%q is %+v", s, r)
		}
	}
}

func TestWhereASessionLeadsTo(t *testing.T) {
	at := relay{scheme: "https", addr: "a:443", path: "/x", drafts: []string{"moqt-18"}}
	far := at
	far.hops = maxHops
	goaway := func(uri string) error { return &moqt.SessionError{URI: uri, Err: moqt.ErrGoingAway} }
	redirect := func(uri string) error {
		return fmt.Errorf("subscribe: %w", &moqt.RequestError{Kind: moqt.ErrRedirected, Redirect: &dialect.Redirect{URI: uri}})
	}
	b := relay{scheme: "https", addr: "b:443", path: "/y", drafts: []string{"moqt-18"}, hops: 1}
	for name, v := range map[string]struct {
		at   relay
		err  error
		want relay
		ok   bool
	}{
		"a goaway":                {at, goaway("https://b/y"), b, true},
		"a goaway to the same":    {at, goaway(""), at, true},
		"a redirection":           {at, redirect("https://b/y"), b, true},
		"to another track":        {at, redirect(""), at, false},
		"less secret":             {at, goaway("moqt://b/y"), at, false},
		"too many":                {far, goaway("https://b/y"), far, false},
		"nonsense":                {at, goaway("ftp://b"), at, false},
		"the end of a session":    {at, &moqt.SessionError{Err: moqt.ErrClosed}, at, false},
		"something else entirely": {at, ErrStalled, at, false},
	} {
		got, ok := v.at.moved(v.err)
		if diff := cmp.Diff(v.want, got, cmp.AllowUnexported(relay{})); diff != "" || ok != v.ok {
			t.Errorf("%s: %v, -want +got:\n%s", name, ok, diff)
		}
	}
}

func TestParseNamespace(t *testing.T) {
	for s, want := range map[string][]string{
		"demo":             {"demo"},
		"/live/show/":      {"live", "show"},
		"cmsf%2Fclear":     {"cmsf/clear"},
		"conference/a%20b": {"conference", "a b"},
	} {
		got, err := ParseNamespace(s)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v, -want +got:\n%s", s, err, diff)
		}
	}
	for _, s := range []string{"", "/", "a//b", "a/%zz", strings.Repeat("a/", 32) + "a", strings.Repeat("a", 4097)} {
		if got, err := ParseNamespace(s); err == nil {
			t.Errorf("%.20q is %q", s, got)
		}
	}
}

func TestValidateJoinsAllFaults(t *testing.T) {
	if err := validConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	c := validConfig()
	c.Relays, c.Namespace = []string{"http://relay"}, nil
	c.TLS = TLS{Fingerprint: "abc", Insecure: true, Roots: x509.NewCertPool()}
	c.Backfill, c.Repair, c.Patience, c.Stall, c.Bytes = 1e6, -1, 0, time.Millisecond, 0
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"relay", "namespace", "tls:", "tls.fingerprint", "backfill", "repair", "patience", "stall", "bytes"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named in:\n%v", field, err)
		}
	}
}

func TestNewReadsTheCertificates(t *testing.T) {
	c := validConfig()
	c.TLS.CA = "config_test.go"
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Errorf("a file without certificates: %v", err)
	}
	c.TLS.CA = "no such file"
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "tls.ca") {
		t.Errorf("no file: %v", err)
	}
}

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	b := backoff{first: 100, max: 500}
	for _, limit := range []time.Duration{100, 200, 400, 500, 500} {
		if d := b.next(); d < 0 || d >= limit || b.limit != limit {
			t.Errorf("%d of %d, want below %d", d, b.limit, limit)
		}
	}
	b.reset()
	if b.next(); b.limit != 100 {
		t.Errorf("after reset: %d", b.limit)
	}
}
