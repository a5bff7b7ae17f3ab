package archive

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/storage"
)

func subtitleInit(t testing.TB, config string) *media.Init {
	init := mp4.CreateEmptyInit()
	must(t, init.AddEmptyTrack(1000, "wvtt", "en").SetWvttDescriptor(config))
	var b bytes.Buffer
	must(t, init.Encode(&b))
	m, err := mux.ParseInit(b.Bytes())
	must(t, err)
	return m
}

func TestSubtitlesAreArchivedAsTextToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 8, "v", "s"), newBucket(t)
		a := start(t, b, Config{Name: "s3", Store: s})
		b.start(begin)
		b.live(begin, begin+3)
		time.Sleep(time.Second)
		name := manifest.Name{Kind: manifest.WebVTT, Channel: "demo", Track: "s", N: begin + 1}
		blob, err := s.Memory.Get(t.Context(), name.Key())
		if err != nil || blob.ContentType != "text/vtt" {
			t.Fatalf("%s: %q, %v", name.Key(), blob.ContentType, err)
		}
		if text := string(bytes.Join(blob.Pieces, nil)); !strings.Contains(text, "00:00:00.000 --> 00:00:02.000\n897620401\n") {
			t.Errorf("%q", text)
		}
		a.stop(t)
	})
}

func TestRetentionDeletesTheTextOfSubtitles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		k, _ := keeperOf(r.store, "c", Retain{})
		name := manifest.Name{Kind: manifest.WebVTT, Channel: "c", Track: "s", N: 512}
		must(t, r.store.Put(t.Context(), name.Key(), storage.Blob{Pieces: [][]byte{[]byte("WEBVTT")}}))
		must(t, k.deleteChunk(t.Context(), &Head{Tracks: []Track{{Track: media.Track{Name: "s", Kind: media.Text}}}}, 512))
		if _, err := r.store.Get(t.Context(), name.Key()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s is still there: %v", name.Key(), err)
		}
	})
}
