package vod_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/vod"
)

func demuxer(t testing.TB, init []byte) *demux.CMAF {
	t.Helper()
	c, err := demux.NewCMAF(init)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ignore(int64) {}

// movie is an MP4 file as mp4ff reads it.
type movie struct {
	*mp4.File
	moov *mp4.MoovBox
	body []byte
}

func (w *world) movie(m *vod.Movie, fragmented bool) *movie {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "out.mp4")
	if err := m.File(w.t.Context(), path, fragmented, false, ignore); err != nil {
		w.t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	if fragmented {
		return &movie{f, f.Init.Moov, b}
	}
	return &movie{f, f.Moov, b}
}

// sample is one of a file, at its presentation time in the media.
type sample struct {
	pts, dur int64
	sync     bool
	data     []byte
}

// samples of the track with the index, in decode order.
func (m *movie) samples(t testing.TB, track int) (all []sample) {
	t.Helper()
	trak := m.moov.Traks[track]
	if !m.IsFragmented() {
		stbl := trak.Mdia.Minf.Stbl
		for n := uint32(1); n <= stbl.Stsz.GetNrSamples(); n++ {
			dts, dur := stbl.Stts.GetDecodeTime(n)
			s := sample{pts: int64(dts), dur: int64(dur), sync: stbl.Stss == nil || stbl.Stss.IsSyncSample(n)}
			if stbl.Ctts != nil {
				s.pts += int64(stbl.Ctts.GetCompositionTimeOffset(n))
			}
			chunk, first, err := stbl.Stsc.ChunkNrFromSampleNr(int(n))
			if err != nil {
				t.Fatal(err)
			}
			at, err := stbl.Co64.GetOffset(chunk)
			if err != nil {
				t.Fatal(err)
			}
			for k := first; k < int(n); k++ {
				at += uint64(stbl.Stsz.GetSampleSize(k))
			}
			s.data = m.body[at:][:stbl.Stsz.GetSampleSize(int(n))]
			all = append(all, s)
		}
		return all
	}
	for _, segment := range m.Segments {
		for _, f := range segment.Fragments {
			if f.Moof.Traf.Tfhd.TrackID != uint32(track+1) {
				continue
			}
			samples, err := f.GetFullSamples(m.moov.Mvex.Trexs[track])
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				all = append(all, sample{int64(s.DecodeTime) + int64(s.CompositionTimeOffset), int64(s.Dur), s.IsSync(), s.Data})
			}
		}
	}
	return all
}

// edit is the stretch of the track that is presented, in seconds of the movie, and the first tick of it.
func (m *movie) edit(track int) (delay, dur float64, start int64) {
	entries := m.moov.Traks[track].Edts.Elst[0].Entries
	scale := float64(m.moov.Mvhd.Timescale)
	if len(entries) == 2 {
		delay, entries = float64(entries[0].SegmentDuration)/scale, entries[1:]
	}
	return delay, float64(entries[0].SegmentDuration) / scale, entries[0].MediaTime
}

func near(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }

// check holds a track of the file against the frames that were sent: those from start on, before end, both ticks of Unix time.
func (w *world) check(m *movie, index int, track string, start, end int64, exact bool) {
	w.t.Helper()
	frames, scale := w.sent(track)
	delay, dur, first := m.edit(index)
	all := m.samples(w.t, index)
	if len(all) == 0 || !all[0].sync || all[0].pts > first {
		w.t.Fatalf("%s: %d samples, and the first cannot be what presentation begins with", track, len(all))
	}
	last := first + int64(dur*float64(scale)+.5)
	all = slices.DeleteFunc(all, func(s sample) bool { return s.pts+s.dur <= first || s.pts >= last })
	slices.SortFunc(all, func(a, b sample) int { return int(a.pts - b.pts) })
	frames = slices.DeleteFunc(frames, func(f frame) bool { return f.pts >= end || (f.pts < start && (!exact || f.pts+f.dur <= start)) })
	if len(all) != len(frames) {
		w.t.Fatalf("%s: %d frames are presented, want %d", track, len(all), len(frames))
	}
	zero := start
	if !exact {
		zero = frames[0].pts
	}
	for i, s := range all {
		if f := frames[i]; s.pts-first != f.pts-zero-int64(delay*float64(scale)+.5) || len(s.data) != f.size || s.dur < f.dur {
			w.t.Fatalf("%s: frame %d at %d lasts %d and has %d bytes, want %+v", track, i, s.pts-first, s.dur, len(s.data), f)
		}
	}
}

func TestMoviesHoldExactlyTheFramesThatWereAskedFor(t *testing.T) {
	holdsExactly(t, broadcast(t, 20), "video-360", "audio-en")
	holdsExactly(t, record(t, 20, reordered(t)), "v", "a")
}

// holdsExactly makes movies of random ranges.
func holdsExactly(t *testing.T, w *world, video, audio string) {
	t.Helper()
	r := w.open()
	random := rand.New(rand.NewPCG(3, 4))
	_, as := w.sent(audio)
	for i := range 40 {
		span := r.Last - r.First
		start := r.First + random.Int64N(span-1e9)
		end := start + 1e8 + random.Int64N(r.Last-start-1e8)
		if i%2 == 0 { // where frames of 25 per second begin and end
			start, end = start/4e7*4e7+4e7, end/4e7*4e7
		}
		m, err := r.Movie(t.Context(), vod.Range{Start: start, End: end, AskedStart: true, AskedEnd: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := w.movie(m, random.IntN(2) == 0)
		frames, vs := w.sent(video)
		frames = slices.DeleteFunc(frames, func(f frame) bool { return ticksBefore(f.pts, vs, start) || !ticksBefore(f.pts, vs, end) })
		first, last := frames[0].pts, frames[len(frames)-1].pts+frames[len(frames)-1].dur
		w.check(f, 0, video, first, last, false)
		w.check(f, 1, audio, first*as/vs, (last*as+vs-1)/vs, true)
		if _, dur, _ := f.edit(0); !near(dur, float64(last-first)/float64(vs)) || !near(dur, float64(f.moov.Mvhd.Duration)/float64(f.moov.Mvhd.Timescale)) {
			t.Fatalf("the movie lasts %f s, want %d ticks", dur, last-first)
		}
	}
}

// ticksBefore reports whether tick t is before an instant, without rounding.
func ticksBefore(t, scale, nanos int64) bool {
	if s := nanos / 1e9; t/scale != s {
		return t/scale < s
	}
	return t%scale*1e9 < nanos%1e9*scale
}

func TestAGapIsKeptAsTime(t *testing.T) {
	w := broadcast(t, 20)
	w.lose("video-360", 3)
	w.lose("audio-en", 0, 5)
	r := w.open()
	for _, fragmented := range []bool{false, true} {
		m, err := r.Movie(t.Context(), w.cutOut(r, "", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		f := w.movie(m, fragmented)
		frames, vs := w.sent("video-360")
		last := frames[len(frames)-1]
		w.check(f, 0, "video-360", frames[0].pts, last.pts+last.dur, false)
		w.check(f, 1, "audio-en", frames[0].pts*48000/vs, (last.pts+last.dur)*48000/vs, true)
		if text := strings.Join(m.Lines, "\n"); strings.Count(text, "is missing from") != 2 || !strings.Contains(text, "audio-en begins at") {
			t.Errorf("the report says:\n%s", text)
		}
	}
}

// renew makes the entries of all tracks from index i on those of a new epoch.
func (w *world) renew(i int, digest string) {
	for t := range w.head.Tracks {
		track := &w.head.Tracks[t]
		e := track.Epochs[0]
		init := *e.Init
		if digest != "" {
			init.Digest = digest
		}
		n := w.entries[track.Name][i].N
		track.Epochs = append(track.Epochs, timeline.Epoch{Index: 1, First: n, Origin: e.Origin, Init: &init, Frame: e.Frame})
		for k := i; k < len(w.entries[track.Name]); k++ {
			w.entries[track.Name][k].Epoch = 1
		}
	}
	w.save()
}

func TestAFileDoesNotReachOverAnotherHeader(t *testing.T) {
	w := broadcast(t, 20)
	w.renew(5, "01234567")
	r := w.open()
	_, err := r.Movie(t.Context(), w.cutOut(r, "", ""), nil)
	var b *vod.BreakError
	if !errors.As(err, &b) || b.N != w.entries["video-360"][5].N || !strings.Contains(err.Error(), "--end 2026-11-21T10:00:12.000Z") {
		t.Fatalf("%v", err)
	}
	m, err := r.Movie(t.Context(), w.cutOut(r, "", "2026-11-21T10:00:12Z"), nil)
	if err != nil {
		t.Fatalf("what lies before it: %v", err)
	}
	w.movie(m, false)
}

func TestAFileReachesOverANewEpochThatGoesOn(t *testing.T) {
	w := broadcast(t, 20)
	w.renew(5, "")
	r := w.open()
	m, err := r.Movie(t.Context(), w.cutOut(r, "", ""), []string{"video-180"})
	if err != nil {
		t.Fatal(err)
	}
	frames, _ := w.sent("video-180")
	w.check(w.movie(m, false), 0, "video-180", frames[0].pts, frames[len(frames)-1].pts+1, false)
}

func TestDamageIsNamed(t *testing.T) {
	w := broadcast(t, 20)
	e := &w.entries["audio-en"][4]
	key := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: "audio-en", N: e.N}.Key()
	if err := w.store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	r := w.open()
	out := filepath.Join(t.TempDir(), "a.mp4")
	write := func() error {
		m, err := r.Movie(t.Context(), w.cutOut(r, "", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		return m.File(t.Context(), out, false, false, ignore)
	}
	if err := write(); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a segment that is gone: %v", err)
	}
	if err := w.store.Put(t.Context(), key, storage.Blob{Pieces: [][]byte{[]byte("other")}}); err != nil {
		t.Fatal(err)
	}
	if err := write(); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a segment that has changed: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) > 0 {
		t.Errorf("a file that failed left %v, %v", left, err)
	}
}

func TestAFileIsReplacedOnlyIfAsked(t *testing.T) {
	w := broadcast(t, 6)
	r := w.open()
	out := filepath.Join(t.TempDir(), "a.mp4")
	for i, want := range []error{nil, vod.ErrExists, nil} {
		m, err := r.Movie(t.Context(), w.cutOut(r, "", ""), []string{"audio-en"})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.File(t.Context(), out, false, i == 2, ignore); !errors.Is(err, want) {
			t.Errorf("time %d: %v", i, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	if _, err := r.Movie(ctx, w.cutOut(r, "", ""), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without time: %v", err)
	}
	if _, err := r.Movie(t.Context(), w.cutOut(r, "", ""), []string{"x"}); err == nil || !strings.Contains(err.Error(), "video-360, video-270") {
		t.Errorf("an unknown track: %v", err)
	}
}
