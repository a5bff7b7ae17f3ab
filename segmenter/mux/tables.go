package mux

import (
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// tables are the sample tables of one track (ISO/IEC 14496-12, 8.6 and 8.7).
type tables struct {
	durations runs[uint32]
	offsets   runs[int32]
	negative  bool // some offset is
	syncs     []uint32
	sizes     []uint32
	chunks    []uint64 // offsets in the media
	perChunk  []mp4.StscEntry
	last      media.Sample // without Data; its duration is not in the table yet
}

// runs is a table of equal values that follow each other.
type runs[T comparable] struct {
	counts []uint32
	values []T
}

func (r *runs[T]) add(v T) {
	if n := len(r.values); n > 0 && r.values[n-1] == v {
		r.counts[n-1]++
		return
	}
	r.counts, r.values = append(r.counts, 1), append(r.values, v)
}

// chunk begins a chunk of so many samples.
func (t *tables) chunk(at uint64, samples int) {
	t.chunks = append(t.chunks, at)
	if n := len(t.perChunk); n == 0 || t.perChunk[n-1].SamplesPerChunk != uint32(samples) {
		t.perChunk = append(t.perChunk, mp4.StscEntry{
			FirstChunk: uint32(len(t.chunks)), SamplesPerChunk: uint32(samples), FirstSampleNr: uint32(len(t.sizes) + 1),
		})
	}
}

func (t *tables) add(s *media.Sample) error {
	if len(t.sizes) > 0 {
		d := s.DTS - t.last.DTS
		if d <= 0 || d > math.MaxUint32 {
			return fmt.Errorf("decode time %d follows %d", s.DTS, t.last.DTS)
		}
		t.durations.add(uint32(d))
	}
	if len(t.sizes) == math.MaxUint32 {
		return fmt.Errorf("more than %d samples", len(t.sizes))
	}
	t.offsets.add(s.CTO)
	t.negative = t.negative || s.CTO < 0
	t.sizes = append(t.sizes, uint32(len(s.Data)))
	if s.Sync {
		t.syncs = append(t.syncs, uint32(len(t.sizes)))
	}
	t.last = *s
	t.last.Data = nil
	return nil
}

// fill puts the tables into a track whose file has its media at base.
func (t *tables) fill(trak *mp4.TrakBox, base uint64) {
	stts := &mp4.SttsBox{SampleCount: t.durations.counts, SampleTimeDelta: t.durations.values}
	if len(t.sizes) > 0 {
		all := t.durations // the last sample is not for good: more may be added
		all.counts, all.values = append([]uint32{}, all.counts...), append([]uint32{}, all.values...)
		all.add(t.last.Dur)
		stts.SampleCount, stts.SampleTimeDelta = all.counts, all.values
	}
	var total uint64
	for i, n := range stts.SampleCount {
		total += uint64(n) * uint64(stts.SampleTimeDelta[i])
	}
	trak.Mdia.Mdhd.Version, trak.Mdia.Mdhd.Duration = 1, total

	stbl := mp4.NewStblBox()
	stbl.AddChild(trak.Mdia.Minf.Stbl.Stsd)
	stbl.AddChild(stts)
	if len(t.offsets.values) > 1 || len(t.offsets.values) == 1 && t.offsets.values[0] != 0 {
		stbl.AddChild(t.ctts())
	}
	if len(t.syncs) < len(t.sizes) {
		stbl.AddChild(&mp4.StssBox{SampleNumber: t.syncs})
	}
	stsc := &mp4.StscBox{Entries: t.perChunk}
	stsc.SetSingleSampleDescriptionID(1)
	stbl.AddChild(stsc)
	stbl.AddChild(&mp4.StszBox{SampleNumber: uint32(len(t.sizes)), SampleSize: t.sizes})
	co64 := &mp4.Co64Box{ChunkOffset: make([]uint64, len(t.chunks))}
	for i, at := range t.chunks {
		co64.ChunkOffset[i] = base + at
	}
	stbl.AddChild(co64)
	minf := trak.Mdia.Minf
	minf.Stbl, minf.Children[len(minf.Children)-1] = stbl, stbl
}

// ctts goes through mp4ff's own form of the table, the number of the last sample of each run.
func (t *tables) ctts() *mp4.CttsBox {
	b := &mp4.CttsBox{EndSampleNr: make([]uint32, 1, len(t.offsets.counts)+1), SampleOffset: t.offsets.values}
	if t.negative {
		b.Version = 1
	}
	var end uint32
	for _, n := range t.offsets.counts {
		end += n
		b.EndSampleNr = append(b.EndSampleNr, end)
	}
	return b
}
