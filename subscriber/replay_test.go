package subscriber_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/tape"
)

// record has the world's broadcast recorded for a while, and returns what the receiver saw.
func record(t *testing.T, path string, w *world, during func()) *recorder {
	t.Helper()
	out, err := tape.Create(path, w.cfg.Namespace, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.Record = out
	r := newRecorder(t)
	src, err := subscriber.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- src.Run(ctx, r) }()
	during()
	cancel()
	<-ran
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

// play has a recording played to its end.
func play(t *testing.T, path string) *recorder {
	t.Helper()
	cfg := subscriber.DefaultConfig()
	cfg.Namespace, cfg.Replay = []string{"demo"}, path
	src, err := subscriber.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	if err := src.Run(t.Context(), r); err != nil {
		t.Errorf("a replay ends as a broadcast does, not with %v", err)
	}
	return r
}

func sameObjects(t *testing.T, want, got *recorder) {
	t.Helper()
	for _, track := range names() {
		a, b := want.objects[track], got.objects[track]
		if len(a) == 0 || len(b) < len(a) { // the last ones may have been on their way to the receiver
			t.Errorf("%s: %d objects were recorded, %d are played", track, len(a), len(b))
			continue
		}
		if !reflect.DeepEqual(a, b[:len(a)]) { // which compares payloads a hundred times as fast
			t.Errorf("%s: %.600s", track, cmp.Diff(a, b[:len(a)]))
		}
	}
}

func TestAReplayBringsWhatWasRecorded(t *testing.T) {
	for file, delivery := range map[string]live.Delivery{"groups": live.Groups, "streams.gz": live.Streams, "datagrams": live.Datagrams} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), file)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, delivery)}})
				elapse(700 * time.Millisecond)
				want := record(t, path, w, func() { elapse(3 * time.Second) })
				began := time.Now()
				got := play(t, path)
				if took := time.Since(began); took < 2900*time.Millisecond || took > 6*time.Second {
					t.Errorf("3 s were played in %v", took)
				}
				sameObjects(t, want, got)
				if s := got.state(); s.Phase != subscriber.Ended {
					t.Errorf("state %+v", s)
				}
			})
		})
	}
}

func TestAReplayReconnectsWhereTheRecordingDid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "16", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		want := record(t, path, w, func() {
			elapse(3 * time.Second)
			w.pub.Kill()
			elapse(time.Second)
			w.serve()
			elapse(12 * time.Second)
		})
		sameObjects(t, want, play(t, path))
	})
}

func TestARecordingIsReadableWithoutUs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		record(t, path, w, func() { elapse(time.Second) })
	})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"format":"moqpack-recording","version":1,"namespace":["demo"],`, `"what":"session","draft":"moqt-18"`,
		`"what":"accepted","track":"catalog","largest":`, `"what":"object","track":"video-360",`, `"what":"stream","track":"video-360"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in it", want)
		}
	}
}

func TestABrokenRecordingIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "no recording",
		"{}\n":                  "its format is",
		`{"format":"x"}` + "\n": "its format is",
		`{"format":"moqpack-recording","version":9}` + "\n":                                     "version 9",
		`{"format":"moqpack-recording","version":1}` + "\n":                                     "holds nothing",
		`{"format":"moqpack-recording","version":1}` + "\n" + `{"us":1,"what":"object"}` + "\n": "begins with a session",
		`{"format":"moqpack-recording","version":1}` + "\n" + "nonsense\n":                      "line 2",
	} {
		path := filepath.Join(t.TempDir(), "r")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			cfg := subscriber.DefaultConfig()
			cfg.Namespace, cfg.Replay = []string{"demo"}, path
			src, err := subscriber.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err = src.Run(ctx, newRecorder(t))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
		})
	}
}
