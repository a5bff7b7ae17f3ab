package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// begin runs the command until the test ends, but not for longer than that, and returns what it prints. It must end without an error.
func begin(t *testing.T, atMost time.Duration, args ...string) (context.Context, io.Reader) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), atMost)
	out, in := io.Pipe()
	c := root()
	c.SetArgs(args)
	c.SetOut(in)
	done := make(chan error, 1)
	go func() { done <- c.ExecuteContext(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ctx, out
}

// The demo is the whole product over real sockets: this is the one test outside a bubble that takes real time.
func TestDemoServesPlayableMedia(t *testing.T) {
	ctx, out := begin(t, 30*time.Second, "demo", "--http", "127.0.0.1:0")

	base := firstMatch(t, out, `LL-HLS +(http://\S+/)index\.m3u8`)
	multivariant := get(t, ctx, base+"index.m3u8")
	for _, want := range []string{"video-360/index.m3u8", "video-270/index.m3u8", "video-180/index.m3u8", "audio-en", "audio-sv"} {
		if !strings.Contains(multivariant, want) {
			t.Errorf("index.m3u8 lacks %s:\n%s", want, multivariant)
		}
	}
	media := get(t, ctx, base+"video-360/index.m3u8")
	for _, pattern := range []string{`EXT-X-MAP:URI="([^"]+)"`, `EXT-X-PART:[^\n]*URI="([^"]+)"`, `(?m)^(\d+\.m4s)$`} {
		m := regexp.MustCompile(pattern).FindStringSubmatch(media)
		if m == nil {
			t.Fatalf("the playlist has no %s:\n%s", pattern, media)
		}
		if body := get(t, ctx, base+"video-360/"+m[1]); len(body) < 500 || body[4:8] != "ftyp" && body[4:8] != "moof" {
			t.Errorf("%s is no CMAF: %d bytes", m[1], len(body))
		}
	}
	for _, mpd := range []string{"index.mpd", "legacy.mpd"} {
		if body := get(t, ctx, base+mpd); !strings.Contains(body, "</MPD>") {
			t.Errorf("%s is no MPD:\n%s", mpd, body)
		}
	}
}

// firstMatch reads lines until one matches, and goes on reading so that the writer is never blocked.
func firstMatch(t *testing.T, r io.Reader, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for s := bufio.NewScanner(r); s.Scan(); {
		if m := re.FindStringSubmatch(s.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the test's process at the latest
			return m[1]
		}
	}
	t.Fatalf("nothing matches %s", pattern)
	return ""
}

// get asks until there is an answer: a channel that has just begun answers 404.
func get(t *testing.T, ctx context.Context, url string) string {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == http.StatusOK {
			return string(body)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s: %s: %s", url, res.Status, body)
		}
	}
}
