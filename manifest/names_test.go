package manifest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moqpack/moqpack/internal/media"
)

func names() map[string]Name {
	return map[string]Name{
		"demo/index.m3u8":              {Kind: Multivariant, Channel: "demo"},
		"demo/legacy.m3u8":             {Kind: LegacyMultivariant, Channel: "demo"},
		"demo/index.mpd":               {Kind: MPD, Channel: "demo"},
		"demo/legacy.mpd":              {Kind: LegacyMPD, Channel: "demo"},
		"demo/v1/index.m3u8":           {Kind: MediaPlaylist, Channel: "demo", Track: "v1"},
		"demo/v1/legacy.m3u8":          {Kind: LegacyPlaylist, Channel: "demo", Track: "v1"},
		"demo/v1/init-0123abcd.mp4":    {Kind: Init, Channel: "demo", Track: "v1", Digest: "0123abcd"},
		"demo/v1/897587127.m4s":        {Kind: Segment, Channel: "demo", Track: "v1", N: 897587127},
		"demo/sv/897587127.vtt":        {Kind: WebVTT, Channel: "demo", Track: "sv", N: 897587127},
		"demo/v1/897587127.0.m4s":      {Kind: Part, Channel: "demo", Track: "v1", N: 897587127},
		"demo/v1/0.12.m4s":             {Kind: Part, Channel: "demo", Track: "v1", Part: 12},
		"live~2feu/~2e~2e/index.m3u8":  {Kind: MediaPlaylist, Channel: "live/eu", Track: ".."},
		"~/~/legacy.m3u8":              {Kind: LegacyPlaylist},
		"a~7eb/~24Number~24/7.m4s":     {Kind: Segment, Channel: "a~b", Track: "$Number$", N: 7},
		"index~2em3u8/index.m3u8":      {Kind: Multivariant, Channel: "index.m3u8"},
		"a~20b/~c3~a9_-Z9/1.2.m4s":     {Kind: Part, Channel: "a b", Track: "é_-Z9", N: 1, Part: 2},
		"x/y/18446744073709551615.m4s": {Kind: Segment, Channel: "x", Track: "y", N: 1<<64 - 1},
	}
}

func TestEveryNameRendersToItsKeyAndBack(t *testing.T) {
	for key, n := range names() {
		if got := n.Key(); got != key {
			t.Errorf("Key(%+v) = %q, want %q", n, got, key)
		}
		for _, path := range []string{key, "/" + key} {
			got, err := Parse(path)
			if err != nil {
				t.Errorf("Parse(%q): %v", path, err)
			} else if d := cmp.Diff(n, got); d != "" {
				t.Errorf("Parse(%q): %s", path, d)
			}
		}
	}
}

func TestParseTakesOnlyTheCanonicalSpelling(t *testing.T) {
	for _, path := range []string{
		"", "/", "demo", "demo/", "/demo/index.m3u", "//demo/index.m3u8", "demo//index.m3u8", "demo/v1/", "demo/v1/x/1.m4s",
		"demo/v1/01.m4s", "demo/v1/+1.m4s", "demo/v1/-1.m4s", "demo/v1/1_0.m4s", "demo/v1/1.00.m4s", "demo/v1/1.2.3.m4s",
		"demo/v1/1..m4s", "demo/v1/.m4s", "demo/v1/.1.m4s", "demo/v1/18446744073709551616.m4s", "demo/v1/1.2147483648.m4s",
		"demo/1.m4s", "demo/v1/index.mpd", "demo/v1/init-0123ABCD.mp4", "demo/v1/init-0123abc.mp4", "demo/v1/0123abcd.mp4",
		"de.mo/index.m3u8", "de~6do/index.m3u8", "de~2Fmo/index.m3u8", "de~2/index.m3u8", "~~/index.m3u8", "de mo/index.m3u8",
		"demo/index.m3u8/", "demo/index.m3u8?x", "demo/v1/1.m4s\n", "demo/é/1.m4s",
		"demo/1.vtt", "demo/sv/1.2.vtt", "demo/sv/01.vtt", "demo/sv/.vtt",
	} {
		if n, err := Parse(path); !errors.Is(err, ErrName) {
			t.Errorf("Parse(%q) = %+v, %v", path, n, err)
		}
	}
}

func TestURIsAreRelativeToTheDocument(t *testing.T) {
	for _, tt := range []struct {
		doc, to Name
		want    string
	}{
		{Name{Kind: Multivariant}, Name{Kind: MediaPlaylist, Track: "v.1"}, "v~2e1/index.m3u8"},
		{Name{Kind: MPD}, Name{Kind: Init, Track: "v1", Digest: "0123abcd"}, "v1/init-0123abcd.mp4"},
		{Name{Kind: MediaPlaylist, Track: "v1"}, Name{Kind: Part, Track: "v1", N: 4, Part: 2}, "4.2.m4s"},
		{Name{Kind: MediaPlaylist, Track: "v1"}, Name{Kind: MediaPlaylist, Track: "a1"}, "../a1/index.m3u8"},
		{Name{Kind: MediaPlaylist, Track: "v1"}, Name{Kind: Multivariant}, "../index.m3u8"},
		{Name{Kind: MPD}, Name{Kind: LegacyMPD}, "legacy.mpd"},
		{Name{Kind: LegacyPlaylist, Track: "v1"}, Name{Kind: Segment, Channel: "a/b", Track: "v1", N: 4}, "../../a~2fb/v1/4.m4s"},
		{Name{Kind: LegacyMPD, Channel: "c"}, Name{Kind: Init, Channel: "d", Track: "v1", Digest: "0123abcd"}, "../d/v1/init-0123abcd.mp4"},
	} {
		if got := tt.to.URI(tt.doc); got != tt.want {
			t.Errorf("from %+v to %+v: %q, want %q", tt.doc, tt.to, got, tt.want)
		}
	}
}

func TestContentTypes(t *testing.T) {
	for kind, want := range map[Kind]string{
		Multivariant: "application/vnd.apple.mpegurl", LegacyPlaylist: "application/vnd.apple.mpegurl",
		MPD: "application/dash+xml", LegacyMPD: "application/dash+xml", Init: "audio/mp4", Segment: "audio/mp4", Part: "audio/mp4",
		WebVTT: "text/vtt",
	} {
		if got := (Name{Kind: kind}).ContentType(media.Audio); got != want {
			t.Errorf("kind %d: %q, want %q", kind, got, want)
		}
	}
}

// FuzzParse: whatever parses renders to exactly what was parsed.
func FuzzParse(f *testing.F) {
	for key := range names() {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, path string) {
		n, err := Parse(path)
		if err != nil {
			return
		}
		if got := n.Key(); got != strings.TrimPrefix(path, "/") {
			t.Fatalf("Parse(%q) = %+v renders to %q", path, n, got)
		}
	})
}

// FuzzEscape: every name is one clean path element, and comes back.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "~", ".", "..", "a/b", "$RepresentationID$", "index.m3u8", "é\x00\xff", "Video_1-a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		e := Escape(name)
		if e == "" || strings.ContainsAny(e, "./$%\\ ") {
			t.Fatalf("Escape(%q) = %q", name, e)
		}
		if back, ok := Unescape(e); !ok || back != name {
			t.Fatalf("Escape(%q) = %q, which comes back as %q, %v", name, e, back, ok)
		}
		n := Name{Kind: Part, Channel: name, Track: name, N: 1}
		if back, err := Parse(n.Key()); err != nil || back != n {
			t.Fatalf("%+v -> %q -> %+v, %v", n, n.Key(), back, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("/demo/video_720p/897587127.5.m4s"); err != nil {
			b.Fatal(err)
		}
	}
}
