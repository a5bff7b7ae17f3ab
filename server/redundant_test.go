package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/manifest"
)

// pair is a show with another instance, and with a bucket.
type pair struct {
	*show
	doubt  string
	bucket string
}

func (p *pair) Doubt() string { return p.doubt }

func (p *pair) Elsewhere(key string) string {
	name, err := manifest.Parse(key)
	if err != nil || p.bucket == "" || name.N >= first+3 {
		return ""
	}
	return p.bucket + key
}

func TestDocumentsDoNotListWhatMayBeGone(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+5)
	s := newServer(t, Config{}, show)
	urls := []string{"/demo/v/index.m3u8", "/demo/v/legacy.m3u8", "/demo/legacy.mpd"}
	before := map[string]string{}
	for _, url := range urls {
		before[url] = get(s, url).Body.String()
	}
	show.from.Store(first + 2)
	for _, url := range urls[:2] {
		body := get(s, url).Body.String()
		if !strings.Contains(before[url], fmt.Sprintf("#EXT-X-MEDIA-SEQUENCE:%d\n", first)) ||
			!strings.Contains(body, fmt.Sprintf("#EXT-X-MEDIA-SEQUENCE:%d\n", first+2)) ||
			strings.Contains(body, fmt.Sprintf("\n%d.m4s\n", first+1)) || !strings.Contains(body, fmt.Sprintf("\n%d.m4s\n", first+2)) {
			t.Errorf("%s from slot %d on:\n%s", url, first+2, body)
		}
	}
	if body := get(s, urls[2]).Body.String(); !strings.Contains(body, fmt.Sprintf(`startNumber="%d"`, first+2)) {
		t.Errorf("%s from slot %d on:\n%s", urls[2], first+2, body)
	}
}

func TestAnInstanceInDoubtSendsViewersAway(t *testing.T) {
	p := &pair{show: newShow(t)}
	p.segments(first, first+5)
	s := newServer(t, Config{}, p)
	documents := []string{"/demo/index.m3u8", "/demo/index.mpd", "/demo/legacy.mpd", "/demo/v/index.m3u8?_HLS_msn=904", "/demo/a/legacy.m3u8"}
	for _, url := range append(documents, "/readyz", "/healthz/demo") {
		if w := get(s, url); w.Code != 200 {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
	p.doubt = Stale
	for _, url := range documents {
		w := get(s, url)
		expect(t, w, 503, "public, max-age=1")
		if w.Header().Get("X-Moqpack-Reason") != "stale" {
			t.Errorf("%s: reason %q", url, w.Header().Get("X-Moqpack-Reason"))
		}
	}
	for _, url := range []string{"/readyz", "/healthz/demo"} {
		expect(t, get(s, url), 503, "no-store")
	}
	// Media that was promised is served all the same, and the process is alive.
	for _, url := range []string{"/demo/v/903.m4s", "/demo/v/init-0123abcd.mp4", "/livez", "/healthz"} {
		if w := get(s, url); w.Code != 200 {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
	expect(t, get(s, "/healthz/nobody"), 404, "public, max-age=10")
}

func TestOneChannelInDoubtLeavesTheOthersReady(t *testing.T) {
	p := &pair{show: newShow(t), doubt: Stale}
	other := &renamed{newShow(t), "other"}
	expect(t, get(newServer(t, Config{}, p, other), "/readyz"), 200, "no-store")
	expect(t, get(newServer(t, Config{}, p), "/readyz"), 503, "no-store")
}

// renamed is a show under another name.
type renamed struct {
	*show
	name string
}

func (r *renamed) Status() Status { return Status{Name: r.name, State: Waiting} }

func TestOlderMediaIsRedirected(t *testing.T) {
	p := &pair{show: newShow(t), bucket: "https://cdn.example/b/"}
	p.segments(first, first+5)
	s := newServer(t, Config{}, p)
	w := get(s, "/demo/v/901.m4s")
	expect(t, w, 307, "public, max-age=60")
	if got := w.Header().Get("Location"); got != "https://cdn.example/b/demo/v/901.m4s" {
		t.Errorf("redirected to %q", got)
	}
	if w := get(s, "/demo/v/904.m4s"); w.Code != 200 {
		t.Errorf("new media: %d", w.Code)
	}
}
