package mux_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// oneTrack is a movie of a track that is presented from the tick start of its media on.
func oneTrack(t testing.TB, start int64) *mux.Movie {
	t.Helper()
	init, _ := file(t, "h264-2997.mp4")
	m, err := mux.ParseInit(init)
	if err != nil {
		t.Fatal(err)
	}
	movie, err := mux.NewMovie(m.Timescale, mux.MovieTrack{Init: m, Dur: 5005, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	return movie
}

func TestMovieTimescale(t *testing.T) {
	for want, tracks := range map[uint32][]uint32{
		12800:    {12800},
		192000:   {12800, 48000},
		4410000:  {30000, 44100},
		90000:    {90000, 45000},
		10000019: {10000019, 9999991}, // nothing reasonable fits both
	} {
		if got := mux.MovieTimescale(tracks...); got != want {
			t.Errorf("%v: %d, want %d", tracks, got, want)
		}
	}
}

func TestAMovieBeyond4GiBIsAddressedWith64Bits(t *testing.T) {
	m, big := oneTrack(t, 0), make([]byte, 1<<20)
	for i := range 5000 {
		if err := m.Add(0, []media.Sample{{DTS: int64(i) * 1001, Dur: 1001, Sync: i%30 == 0, Data: big}}); err != nil {
			t.Fatal(err)
		}
	}
	head, err := m.Header()
	if err != nil {
		t.Fatal(err)
	}
	tail := head[len(head)-16:]
	if binary.BigEndian.Uint32(tail) != 1 || string(tail[4:8]) != "mdat" || binary.BigEndian.Uint64(tail[8:]) != 5000<<20+16 {
		t.Errorf("mdat begins with %x", tail)
	}
	box, err := mp4.DecodeFile(bytes.NewReader(head[:len(head)-16]))
	if err != nil {
		t.Fatal(err)
	}
	stbl := box.Moov.Trak.Mdia.Minf.Stbl
	if at := stbl.Co64.ChunkOffset; len(at) != 5000 || at[4999] != 4999<<20+uint64(len(head)) {
		t.Errorf("%d chunks, the last one at %d", len(at), at[len(at)-1])
	}
	if len(stbl.Stsc.Entries) != 1 || len(stbl.Stss.SampleNumber) != 167 || stbl.Ctts != nil {
		t.Errorf("stsc %v, %d sync samples, ctts %v", stbl.Stsc.Entries, len(stbl.Stss.SampleNumber), stbl.Ctts)
	}
}

func TestASampleLastsUntilTheNextOne(t *testing.T) {
	m := oneTrack(t, -2002)
	samples := []media.Sample{
		{DTS: 9000, CTO: -2002, Dur: 1001, Sync: true, Data: []byte{1}},
		{DTS: 10001, CTO: 1001, Dur: 1001, Data: []byte{2}},
		{DTS: 50001, CTO: -1001, Dur: 1001, Data: []byte{3}}, // after a hole
	}
	for i := range samples {
		if err := m.Add(0, samples[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	head, err := m.Header()
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(append(head, 1, 2, 3)))
	if err != nil {
		t.Fatal(err)
	}
	trak := f.Moov.Trak
	stbl := trak.Mdia.Minf.Stbl
	for i, want := range []struct{ dur, cto int64 }{{1001, 0}, {40000, 3003}, {1001, 1001}} {
		_, dur := stbl.Stts.GetDecodeTime(uint32(i + 1))
		if cto := stbl.Ctts.GetCompositionTimeOffset(uint32(i + 1)); int64(dur) != want.dur || int64(cto) != want.cto {
			t.Errorf("sample %d lasts %d, offset %d, want %+v", i, dur, cto, want)
		}
	}
	if e := trak.Edts.Elst[0].Entries; len(e) != 1 || e[0].MediaTime != 0 || e[0].SegmentDuration != 5005 || trak.Mdia.Mdhd.Duration != 42002 {
		t.Errorf("edits %+v of %d ticks", e, trak.Mdia.Mdhd.Duration)
	}
	if err := m.Add(0, samples[:1]); err == nil {
		t.Error("time went back and nobody minded")
	}
	init, _ := file(t, "h264-2997.mp4")
	if p, err := mux.ParseInit(init); err == nil {
		if _, err = mux.NewMovie(1, mux.MovieTrack{Init: p, Start: math.MinInt64}); err == nil {
			t.Error("a start before all time")
		}
	}
}
