package subscriber

import (
	"slices"
	"strings"
	"testing"
)

func TestAURLMayNameTheBroadcast(t *testing.T) {
	for s, want := range map[string]struct {
		relay     string
		namespace []string
	}{
		"moqt://r/live?a=1&b=2":                                   {"moqt://r/live?a=1&b=2", nil},
		"moqt://r/live?a=1#msf:customer-livestream-123--catalog":  {"moqt://r/live?a=1", []string{"customer", "livestream", "123"}},
		"moqt://r#msf:a.2db.2f_c--catalog":                        {"moqt://r", []string{"a-b/_c"}},
		"moqt://r#msf:c.c3.a4.20%3F%2d--catalog":                  {"moqt://r", []string{"cä ?-"}},
		"moqt://r/p#msf:a-b--catalog&connection=wt":               {"moqt://r/p?transport=wt", []string{"a", "b"}},
		"moqt://r/p?x=%23&y#msf:a--catalog&connection=q&other=z-": {"moqt://r/p?x=%23&y&transport=quic", []string{"a"}},
		"moqt://r/p#msf:a--catalog&":                              {"moqt://r/p", []string{"a"}},
	} {
		relay, namespace, err := SplitURL(s)
		if err != nil || relay != want.relay || !slices.Equal(namespace, want.namespace) {
			t.Errorf("%s: %q, %q, %v", s, relay, namespace, err)
		}
	}
}

func TestAFragmentThatCannotBeFollowedSaysWhy(t *testing.T) {
	for fragment, want := range map[string]string{
		"":                                    "leave it out",
		"t=10":                                "#msf:NAMESPACE--catalog",
		"msf:a-b":                             "not of the form",
		"msf:a--video":                        `"video"`,
		"msf:a--":                             "names the track",
		"msf:--catalog":                       "a field is empty",
		"msf:a.2--catalog":                    "invalid URL escape",
		"msf:a%--catalog":                     "invalid URL escape",
		"msf:a--catalog&connection":           "neither q nor wt",
		"msf:a--catalog&c4m=gqhk":             "--token",
		"msf:a--catalog&location-range=34-64": "part of a recording",
	} {
		s := "moqt://r/p#" + fragment
		if relay, _, err := SplitURL(s); err == nil || relay != s || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", s, relay, err)
		}
	}
}

// A name that is in a fragment comes out as it was put in.
func FuzzSplitURL(f *testing.F) {
	f.Add("customer-livestream-123--catalog&connection=q")
	f.Add("a.2d%3f--catalog")
	f.Fuzz(func(t *testing.T, fragment string) {
		relay, namespace, err := SplitURL("moqt://r/p#msf:" + fragment)
		if err != nil {
			return
		}
		if err := validNamespace(namespace); err != nil {
			t.Errorf("%q: %v", namespace, err)
		}
		if _, err := parseRelay(relay); err != nil {
			t.Errorf("%q: %v", relay, err)
		}
	})
}
