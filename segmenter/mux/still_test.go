package mux_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// canonical is what the segmenter makes of a publisher's header and objects: the header, and all of them as one part.
func canonical(t testing.TB, init []byte, objects [][]byte) (header, part []byte) {
	t.Helper()
	m, err := mux.ParseInit(init)
	if err != nil {
		t.Fatal(err)
	}
	if part, err = mux.Fragment(1, samples(t, init, objects)); err != nil {
		t.Fatal(err)
	}
	return m.Bytes, part
}

func TestAStillIsTheLastPictureThatStandsByItself(t *testing.T) {
	const from, until = 1 << 40, 1<<40 + 25600
	clips := map[string][2][]byte{}
	for _, name := range []string{"h264-2997", "hevc-25", "av1-25", "vp9-25"} {
		init, objects := file(t, name+".mp4")
		header, part := canonical(t, init, objects)
		clips[name] = [2][]byte{header, part}
	}
	for _, scheme := range []string{"cenc", "cbcs"} {
		init, objects := encrypt(t, "h264-2997", scheme)
		header, part := canonical(t, init, objects)
		clips[scheme] = [2][]byte{header, part}
	}
	for name, clip := range clips {
		t.Run(name, func(t *testing.T) {
			var want media.Sample
			for _, s := range samples(t, clip[0], [][]byte{clip[1]}) {
				if s.Sync {
					want = s
				}
			}
			want.DTS, want.CTO, want.Dur = from, 0, until-from
			got, err := mux.Still(clip[0], bytes.Clone(clip[1]), 7, from, until)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]media.Sample{want}, samples(t, clip[0], [][]byte{got})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhereNoPictureCanBeShown(t *testing.T) {
	init, objects := file(t, "h264-2997.mp4")
	video, part := canonical(t, init, objects)
	rest := slices.DeleteFunc(samples(t, init, objects), func(s media.Sample) bool { return s.Sync })
	dependent, err := mux.Fragment(1, rest)
	if err != nil {
		t.Fatal(err)
	}
	init, objects = file(t, "aac-44100.mp4")
	audio, sound := canonical(t, init, objects)
	for name, tt := range map[string]struct {
		init, clip []byte
		until      int64
	}{
		"sound":                     {audio, sound, 100},
		"nothing before":            {video, nil, 100},
		"pictures that need others": {video, dependent, 100},
		"no time":                   {video, part, 10},
		"more time than fits":       {video, part, 10 + math.MaxUint32 + 1},
	} {
		if _, err := mux.Still(tt.init, tt.clip, 1, 10, tt.until); !errors.Is(err, mux.ErrNoPicture) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mux.Still(video, part[:len(part)-1], 1, 0, 100); err == nil || errors.Is(err, mux.ErrNoPicture) {
		t.Errorf("a torso: %v", err)
	}
}
