package live

import (
	"bytes"
	"fmt"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// Packing says how frames are wrapped into objects. The zero value is CMAF with one frame an object, durations in trun, nothing
// in front.
type Packing struct {
	As        media.Packaging // empty: CMAF. Those of LOC, legacy and moq-mi hold one frame.
	Bare      Bare            // for LOC, legacy and moq-mi, which have nothing of what follows
	Frames    int             // frames in an object; 0: 1. A group's last object may hold fewer.
	Durations Durations       // where durations and flags are written
	Styp      bool            // a styp before every moof
	Prft      bool            // a prft before every moof
	Emsg      bool            // an emsg at the head of every group
	Init      bool            // the CMAF header at the head of every group, and not in the catalog
}

// Durations are the places where a CMAF chunk may say how long its samples last.
type Durations uint8

// The places, from the most to the least explicit. Flags are in the same place, but for those of a sync frame that differ
// from the others': they are the trun's first_sample_flags.
const (
	InTrun Durations = iota
	InTfhd
	InTrex // neither in the chunk: the CMAF header has them
)

const trackID = 1

// header is the CMAF header.
func (p Packing) header(c *Clip) ([]byte, error) {
	var b bytes.Buffer
	if err := c.init.Encode(&b); err != nil {
		return nil, err
	}
	f, err := mp4.DecodeFile(bytes.NewReader(b.Bytes())) // a copy: the clip may be in several broadcasts
	if err != nil {
		return nil, err
	}
	f.Init.Moov.Trak.Tkhd.TrackID = trackID
	trex := mp4.CreateTrex(trackID)
	if p.Durations == InTrex {
		trex.DefaultSampleDuration, trex.DefaultSampleFlags = c.Frame, defaultFlags(c)
	}
	*f.Init.Moov.Mvex.Trex = *trex
	b.Reset()
	err = f.Init.Encode(&b)
	return b.Bytes(), err
}

// chunk is what an object carries.
type chunk struct {
	group      uint64
	first      bool // of its group
	begin, end int64
	wall       time.Time // of the first frame
	epoch      time.Time // of media time 0
}

// isBare reports whether objects hold the bitstream and no boxes.
func (p Packing) isBare() bool {
	return p.As == media.LOC || p.As == media.Legacy || p.As == media.MoqMI
}

// isBoxed reports whether they are those of CMAF.
func (p Packing) isBoxed() bool { return p.As == media.CMAF || p.As == "" }

// encode writes the chunk's frames as boxes.
func (p Packing) encode(c *Clip, h chunk) ([]byte, error) {
	var b bytes.Buffer
	for _, box := range p.front(c, h) {
		if err := box.Encode(&b); err != nil {
			return nil, err
		}
	}
	f, err := mp4.CreateFragment(uint32(h.group), trackID)
	if err != nil {
		return nil, err
	}
	for k := h.begin; k < h.end; k++ {
		f.AddFullSample(sample(c, k))
	}
	f.Moof.Traf.Tfdt.Version = 1
	p.defaults(c, f.Moof.Traf)
	if err := f.Encode(&b); err != nil {
		return nil, fmt.Errorf("encode chunk: %w", err)
	}
	return b.Bytes(), nil
}

// front is what comes before the moof.
func (p Packing) front(c *Clip, h chunk) []mp4.Box {
	var boxes []mp4.Box
	if p.Styp {
		boxes = append(boxes, mp4.CreateStyp())
	}
	if p.Prft {
		boxes = append(boxes, mp4.CreatePrftBox(1, mp4.PrftTimeCaptured, trackID, ntp(h.wall), uint64(h.begin)*uint64(c.Frame)))
	}
	if p.Emsg && h.first {
		boxes = append(boxes, &mp4.EmsgBox{Version: 1, TimeScale: c.Timescale, PresentationTime: uint64(h.begin) * uint64(c.Frame),
			EventDuration: c.Group, ID: uint32(h.group), SchemeIDURI: "urn:moqpack:sim", Value: "group", MessageData: []byte{}})
	}
	return boxes
}

// defaults takes out of the trun what is written elsewhere.
func (p Packing) defaults(c *Clip, traf *mp4.TrafBox) {
	trun, tfhd := traf.Trun, traf.Tfhd
	reordered := false
	for _, s := range trun.Samples {
		reordered = reordered || s.CompositionTimeOffset != 0
	}
	if !reordered {
		trun.Flags &^= mp4.TrunSampleCompositionTimeOffsetPresentFlag
	}
	if p.Durations == InTrun {
		return
	}
	trun.Flags &^= mp4.TrunSampleDurationPresentFlag | mp4.TrunSampleFlagsPresentFlag
	if first := trun.Samples[0].Flags; first != defaultFlags(c) {
		trun.SetFirstSampleFlags(first)
	}
	if p.Durations == InTfhd {
		tfhd.Flags |= mp4.TfhdDefaultSampleDurationPresentFlag | mp4.TfhdDefaultSampleFlagsPresentFlag
		tfhd.DefaultSampleDuration, tfhd.DefaultSampleFlags = c.Frame, defaultFlags(c)
	}
}

func sample(c *Clip, k int64) mp4.FullSample {
	f := c.at(k)
	flags := mp4.NonSyncSampleFlags
	if f.sync {
		flags = mp4.SyncSampleFlags
	}
	return mp4.FullSample{
		Sample:     mp4.NewSample(flags, c.Frame, uint32(len(f.data)), f.cto),
		DecodeTime: uint64(k) * uint64(c.Frame),
		Data:       f.data,
	}
}

// defaultFlags are those of most frames.
func defaultFlags(c *Clip) uint32 {
	if len(c.frames) > 1 && !c.frames[1].sync {
		return mp4.NonSyncSampleFlags
	}
	return mp4.SyncSampleFlags
}

// ntp is the time in seconds since 1900 with 32 fractional bits (RFC 5905).
func ntp(t time.Time) mp4.NTP64 {
	const since1900 = 2208988800
	return mp4.NTP64(uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second))
}
