package manifest_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/manifest/manifesttest"
)

var update = flag.Bool("update", false, "write the goldens anew")

const golden = "../testdata/golden/manifest"

// render writes every document that there is of p, by file name.
func render(t testing.TB, p manifest.Presentation) map[string]string {
	docs := make(map[string]string)
	add := func(file string, d manifest.Document, err error) {
		switch {
		case errors.Is(err, manifest.ErrNotYet):
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		default:
			docs[file] = string(d.Body)
		}
	}
	d, err := legacy.Multivariant(p)
	add("legacy.m3u8", d, err)
	d, err = dash.Legacy(p)
	add("legacy.mpd", d, err)
	for _, r := range p.Renditions {
		d, err = legacy.Media(p, r.Track.Name)
		add(manifest.Escape(r.Track.Name)+".legacy.m3u8", d, err)
	}
	if p.Media != "" { // nobody writes the others of a clip
		return docs
	}
	d, err = hls.Multivariant(p)
	add("index.m3u8", d, err)
	d, err = dash.Live(p)
	add("index.mpd", d, err)
	for _, r := range p.Renditions {
		name := manifest.Escape(r.Track.Name)
		d, err = hls.Media(p, r.Track.Name, hls.Options{})
		add(name+".index.m3u8", d, err)
		d, err = hls.Media(p, r.Track.Name, hls.Options{Skip: true})
		add(name+".index.skip.m3u8", d, err)
	}
	return docs
}

func TestGoldens(t *testing.T) {
	for _, s := range manifesttest.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			docs := render(t, s.Presentation)
			if *update {
				if err := os.RemoveAll(filepath.Join(golden, s.Name)); err != nil {
					t.Fatal(err)
				}
			}
			for file, got := range docs {
				path := filepath.Join(golden, s.Name, file)
				if *update {
					write(t, path, got)
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatalf("%v: run with -update to write it", err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Errorf("%s (-want +got):\n%s", path, d)
				}
			}
			if files, err := os.ReadDir(filepath.Join(golden, s.Name)); err != nil || len(files) != len(docs) {
				t.Errorf("%d goldens for %d documents: run with -update", len(files), len(docs))
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
