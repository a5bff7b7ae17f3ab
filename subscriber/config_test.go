package subscriber

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func validConfig() Config {
	c := DefaultConfig()
	c.Relay, c.Namespace = "moqt://relay.example.com/live", []string{"demo"}
	return c
}

func TestParseRelay(t *testing.T) {
	for s, want := range map[string]relay{
		"moqt://relay.example.com":                    {addr: "relay.example.com:443"},
		"moqt://relay.example.com:4443/a%20b?x=1":     {addr: "relay.example.com:4443", path: "/a%20b?x=1"},
		"moqt://[::1]:4443/":                          {addr: "[::1]:4443", path: "/"},
		"moqt://r/live?token=a%26b&draft=18":          {addr: "r:443", path: "/live?token=a%26b", drafts: []string{"moqt-18"}},
		"moqt://r/live?draft=moqt-16":                 {addr: "r:443", path: "/live", drafts: []string{"moqt-16"}},
		"moqt://r/live?draft=14":                      {addr: "r:443", path: "/live", drafts: []string{"moq-00"}},
		"moqt://r/live?draft=22":                      {addr: "r:443", path: "/live", drafts: []string{"moqt-22"}},
		"moqt://relay.example.com:4443/live?b=2&a=1#": {addr: "relay.example.com:4443", path: "/live?b=2&a=1"},
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

func TestParseRelayRefuses(t *testing.T) {
	for _, s := range []string{
		"", "relay:4443", "https://relay/", "moqt:///path", "moqt://relay:0", "moqt://relay:70000", "moqt://user@relay",
		"moqt://relay/#catalog", "moqt://relay?draft=", "moqt://relay?draft=new", "moqt://relay?a=%zz", "moqt://re lay",
	} {
		if r, err := parseRelay(s); err == nil {
			t.Errorf("%q is %+v", s, r)
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
	c.Relay, c.Namespace = "http://relay", nil
	c.TLS = TLS{Fingerprint: "abc", Insecure: true, Roots: x509.NewCertPool()}
	c.Backfill, c.Repair, c.Patience, c.Stall, c.Groups, c.Bytes = 1e6, -1, 0, time.Millisecond, 0, 0
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"relay", "namespace", "tls:", "tls.fingerprint", "backfill", "repair", "patience", "stall", "groups", "bytes"} {
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
