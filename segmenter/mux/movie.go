package mux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// maxMovieTimescale keeps products of Unix time and the timescale of a movie within 64 bits until 2106.
const maxMovieTimescale = 1 << 30

// MovieTimescale is the least one in which times of tracks with these timescales are whole numbers, or the first of them if
// there is no reasonable one.
func MovieTimescale(tracks ...uint32) uint32 {
	all := uint64(1)
	for _, t := range tracks {
		a, b := all, uint64(t)
		for b != 0 {
			a, b = b, a%b
		}
		if all = all / a * uint64(t); all > maxMovieTimescale {
			return tracks[0]
		}
	}
	return uint32(all)
}

// MovieTrack is one track of a movie and the stretch of its media that is presented (ISO/IEC 14496-12, 8.6.6).
type MovieTrack struct {
	Init *media.Init // with Bytes
	// Delay is how long nothing of the track is presented at first, and Dur how long its media is after that: ticks of the movie.
	Delay, Dur int64
	// Start is what is presented first: ticks of the track since the decode time of its first sample.
	Start int64
}

// Movie writes MP4 files with several tracks: progressive ones, of which it gathers the sample tables while the media is
// written elsewhere, or fragmented ones. It is for one goroutine.
type Movie struct {
	timescale uint32
	tracks    []movieTrack
	size      uint64 // bytes of media that were added
	sequence  uint32 // of the last fragment
}

type movieTrack struct {
	MovieTrack
	header *demux.CMAF
	shift  int32 // ticks that all presentation times are moved by, so that Start is not negative
	begun  bool
	first  int64 // DTS of the first sample
	tables
}

// NewMovie returns a movie without samples. timescale is that of Delay and Dur.
func NewMovie(timescale uint32, tracks ...MovieTrack) (*Movie, error) {
	m := &Movie{timescale: timescale}
	for i, t := range tracks {
		header, err := demux.NewCMAF(t.Init.Bytes)
		if err != nil {
			return nil, fmt.Errorf("mux: track %d: %w", i+1, err)
		}
		mt := movieTrack{MovieTrack: t, header: header}
		if t.Start < 0 {
			if t.Start < math.MinInt32 {
				return nil, fmt.Errorf("mux: track %d is presented %d ticks before it is decoded", i+1, -t.Start)
			}
			mt.shift, mt.Start = int32(-t.Start), 0
		}
		m.tracks = append(m.tracks, mt)
	}
	return m, nil
}

// Add takes the samples into the tables as a chunk. Their data, in this order, follows that of the chunk added before. A sample
// lasts until the next one is decoded, whatever it says.
func (m *Movie) Add(track int, samples []media.Sample) error {
	t := &m.tracks[track]
	if t.header.Encrypted() {
		return fmt.Errorf("mux: track %d: %w", track+1, ErrEncrypted)
	}
	t.chunk(m.size, len(samples))
	for i := range samples {
		s := samples[i]
		s.CTO += t.shift
		if err := t.add(&s); err != nil {
			return fmt.Errorf("mux: track %d: %w", track+1, err)
		}
		m.size += uint64(len(s.Data))
	}
	return nil
}

// Header is all that stands before the media that was added: ftyp, moov and the header of the mdat.
func (m *Movie) Header() ([]byte, error) {
	head, err := m.header(0)
	if err != nil {
		return nil, err
	}
	if head, err = m.header(uint64(len(head))); err != nil {
		return nil, err
	}
	return head, nil
}

// header is Header for media that lies at base. Its size does not depend on base.
func (m *Movie) header(base uint64) ([]byte, error) {
	moov := m.moov()
	for i := range m.tracks {
		t := &m.tracks[i]
		trak, err := t.trak(uint32(i + 1))
		if err != nil {
			return nil, err
		}
		t.fill(trak, base)
		moov.AddChild(trak)
	}
	b, err := encodeFile(mp4.NewFtyp("isom", 0, []string{"isom", "iso6", "mp41"}), moov)
	if err != nil {
		return nil, err
	}
	if m.size+8 <= math.MaxUint32 {
		b = binary.BigEndian.AppendUint32(b, uint32(m.size+8))
		return append(b, "mdat"...), nil
	}
	b = append(b, 0, 0, 0, 1, 'm', 'd', 'a', 't')
	return binary.BigEndian.AppendUint64(b, m.size+16), nil
}

// FragmentedHeader is ftyp and moov of a movie that is written in fragments.
func (m *Movie) FragmentedHeader() ([]byte, error) {
	moov := m.moov()
	mvex := mp4.NewMvexBox()
	mvex.AddChild(&mp4.MehdBox{Version: 1, FragmentDuration: m.duration()})
	for i := range m.tracks {
		trak, err := m.tracks[i].trak(uint32(i + 1))
		if err != nil {
			return nil, err
		}
		moov.AddChild(trak)
		mvex.AddChild(&mp4.TrexBox{TrackID: uint32(i + 1), DefaultSampleDescriptionIndex: 1})
	}
	moov.AddChild(mvex)
	for i := range m.tracks {
		addPSSH(moov, &m.tracks[i].header.Header)
	}
	return encodeFile(mp4.NewFtyp("iso6", 0, []string{"iso6", "mp41"}), moov)
}

// Fragment is the next moof and mdat of a movie that is written in fragments. The samples follow each other without a hole.
func (m *Movie) Fragment(track int, samples []media.Sample) ([]byte, error) {
	t := &m.tracks[track]
	if !t.begun && len(samples) > 0 {
		t.begun, t.first = true, samples[0].DTS
	}
	moved := make([]media.Sample, len(samples))
	for i, s := range samples {
		s.DTS -= t.first
		s.CTO += t.shift
		moved[i] = s
	}
	m.sequence++
	return fragment(uint32(track+1), m.sequence, moved)
}

// duration of the movie in its ticks.
func (m *Movie) duration() (d int64) {
	for i := range m.tracks {
		d = max(d, m.tracks[i].Delay+m.tracks[i].Dur)
	}
	return d
}

// moov without tracks.
func (m *Movie) moov() *mp4.MoovBox {
	moov := mp4.NewMoovBox()
	mvhd := mp4.CreateMvhd()
	mvhd.Version, mvhd.Timescale, mvhd.Duration = 1, m.timescale, uint64(m.duration())
	mvhd.NextTrackID = uint32(len(m.tracks) + 1)
	moov.AddChild(mvhd)
	return moov
}

// trak is the track without samples.
func (t *movieTrack) trak(id uint32) (*mp4.TrakBox, error) {
	entry, err := decodeEntry(t.header.Entry)
	if err != nil {
		return nil, err
	}
	trak := newTrak(id, t.Init, entry, t.header.Language)
	trak.Tkhd.Version, trak.Tkhd.Duration = 1, uint64(t.Delay+t.Dur)
	elst := &mp4.ElstBox{Version: 1}
	if t.Delay > 0 {
		elst.Entries = append(elst.Entries, mp4.ElstEntry{SegmentDuration: uint64(t.Delay), MediaTime: -1, MediaRateInteger: 1})
	}
	elst.Entries = append(elst.Entries, mp4.ElstEntry{SegmentDuration: uint64(t.Dur), MediaTime: t.Start, MediaRateInteger: 1})
	edts := &mp4.EdtsBox{Elst: []*mp4.ElstBox{elst}, Children: []mp4.Box{elst}}
	trak.Edts = edts
	trak.Children = []mp4.Box{trak.Tkhd, edts, trak.Mdia}
	return trak, nil
}

func encodeFile(boxes ...mp4.Box) ([]byte, error) {
	var b bytes.Buffer
	for _, box := range boxes {
		if err := box.Encode(&b); err != nil {
			return nil, fmt.Errorf("mux: %w", err)
		}
	}
	return b.Bytes(), nil
}
