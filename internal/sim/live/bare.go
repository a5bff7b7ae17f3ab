package live

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// Bare says how an object of LOC, hang's legacy container or moq-mi is written. It holds one frame.
type Bare struct {
	Place     Place  // where LOC has its properties
	Timestamp uint64 // the property type of LOC timestamps; 0: 0x10, the newest draft's
	MediaTime bool   // LOC timestamps count from the epoch in the clip's timescale, and say so; else Unix microseconds
	StartCode bool   // NAL units in Annex B; else with lengths
	InBand    bool   // parameter sets before every sync frame, and no decoder configuration elsewhere
	Property  bool   // the decoder configuration in a property of every group's first object, and not in the catalog
}

// Place is where an object has its LOC properties.
type Place uint8

// The places that publishers use.
const (
	InHeader Place = iota // with the object (draft-ietf-moq-loc)
	InBlock               // before the bitstream, as a block with its length (moq-dev)
	InPairs               // before the bitstream, behind their number (Shaka)
)

// Property types of LOC and moq-mi.
const (
	propTimestamp   = 0x10
	propTimescale   = 0x08
	propVideoConfig = 0x0D
	propAudioConfig = 0x0F
	propMedia       = 0x0A // moq-mi
	propMIOpus      = 0x0F
	propMIAAC       = 0x13
	propMIVideo     = 0x15
)

// bare writes a frame without boxes.
func (p Packing) bare(c *Clip, h chunk) (properties []media.Property, payload []byte, err error) {
	f := c.at(h.begin)
	data, err := p.Bare.bitstream(c, f)
	if err != nil {
		return nil, nil, err
	}
	shown := h.begin*int64(c.Frame) + int64(f.cto)
	switch p.As {
	case media.Legacy:
		return nil, append(appendVarint(nil, h.micros(c, shown)), data...), nil
	case media.MoqMI:
		properties, err = interop(c, h, f)
		return properties, data, err
	}
	properties = []media.Property{{Type: p.Bare.Timestamp, Value: h.micros(c, shown)}}
	if p.Bare.Timestamp == 0 {
		properties[0].Type = propTimestamp
	}
	if p.Bare.MediaTime {
		properties[0].Value = uint64(shown)
		properties = append(properties, media.Property{Type: propTimescale, Value: uint64(c.Timescale)})
	}
	if p.Bare.Property && h.first {
		kind := uint64(propVideoConfig)
		if c.Kind == media.Audio {
			kind = propAudioConfig
		}
		properties = append(properties, media.Property{Type: kind, Bytes: c.Config()})
	}
	slices.SortFunc(properties, func(a, b media.Property) int { return cmp.Compare(a.Type, b.Type) })
	switch p.Bare.Place {
	case InBlock:
		return nil, append(block(properties), data...), nil
	case InPairs:
		return nil, append(pairs(properties), data...), nil
	}
	return properties, data, nil
}

// micros is a media time as Unix time in microseconds, rounded down, as encoders do.
func (h chunk) micros(c *Clip, ticks int64) uint64 {
	scale := int64(c.Timescale)
	return uint64(h.epoch.UnixMicro() + ticks/scale*1_000_000 + ticks%scale*1_000_000/scale)
}

// interop is the properties of moq-mi: everything is said with the object.
func interop(c *Clip, h chunk, f frame) ([]media.Property, error) {
	decode := uint64(h.begin) * uint64(c.Frame)
	scale, wall := uint64(c.Timescale), uint64(h.wall.UnixMilli())
	numbers := func(values ...uint64) (b []byte) {
		for _, v := range values {
			b = appendVarint(b, v)
		}
		return b
	}
	switch {
	case c.Kind == media.Video:
		meta := numbers(uint64(h.begin), decode+uint64(f.cto), decode, scale, uint64(c.Frame), wall)
		properties := []media.Property{{Type: propMedia, Value: 0}, {Type: propMIVideo, Bytes: meta}}
		if h.first {
			properties = append(properties, media.Property{Type: propVideoConfig, Bytes: c.Config()})
		}
		return properties, nil
	case c.Codec == "mp4a.40.2" || c.Codec == "Opus":
		meta := numbers(uint64(h.begin), decode, scale, scale, uint64(c.Channels), uint64(c.Frame), wall)
		if c.Codec == "Opus" {
			return []media.Property{{Type: propMedia, Value: 1}, {Type: propMIOpus, Bytes: meta}}, nil
		}
		return []media.Property{{Type: propMedia, Value: 3}, {Type: propMIAAC, Bytes: meta}}, nil
	}
	return nil, fmt.Errorf("moq-mi has no %s", c.Codec)
}

// block is moq-dev's: pairs in ascending order, their types as differences, behind their length.
func block(properties []media.Property) []byte {
	var b []byte
	before := uint64(0)
	for _, p := range properties {
		b, before = appendPair(b, p.Type-before, p), p.Type
	}
	return append(appendVarint(nil, uint64(len(b))), b...)
}

// pairs is Shaka's: pairs behind their number.
func pairs(properties []media.Property) []byte {
	b := appendVarint(nil, uint64(len(properties)))
	for _, p := range properties {
		b = appendPair(b, p.Type, p)
	}
	return b
}

func appendPair(b []byte, kind uint64, p media.Property) []byte {
	b = appendVarint(b, kind)
	if p.Type%2 == 0 {
		return appendVarint(b, p.Value)
	}
	return append(appendVarint(b, uint64(len(p.Bytes))), p.Bytes...)
}

// appendVarint writes an integer of RFC 9000, 16.
func appendVarint(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v))
	case v < 1<<14:
		return binary.BigEndian.AppendUint16(b, uint16(v)|1<<14)
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(b, uint32(v)|2<<30)
	}
	return binary.BigEndian.AppendUint64(b, v|3<<62)
}

// bitstream is a frame as WebCodecs has it.
func (b Bare) bitstream(c *Clip, f frame) ([]byte, error) {
	sets := c.ParameterSets()
	if sets == nil || !b.InBand && !b.StartCode {
		return f.data, nil
	}
	var units [][]byte
	if b.InBand && f.sync {
		units = append(units, sets...)
	}
	for data := f.data; len(data) > 0; {
		if len(data) < 4 || uint64(binary.BigEndian.Uint32(data)) > uint64(len(data)-4) {
			return nil, fmt.Errorf("a frame of %s has no NAL units", c.Codec)
		}
		size := binary.BigEndian.Uint32(data)
		units, data = append(units, data[4:4+size]), data[4+size:]
	}
	var out []byte
	for _, u := range units {
		head := uint32(len(u))
		if b.StartCode {
			head = 1
		}
		out = append(binary.BigEndian.AppendUint32(out, head), u...)
	}
	return out, nil
}

// ParameterSets are the clip's, if its codec has NAL units.
func (c *Clip) ParameterSets() (sets [][]byte) {
	switch stsd := c.init.Moov.Trak.Mdia.Minf.Stbl.Stsd; {
	case stsd.AvcX != nil:
		return append(append(sets, stsd.AvcX.AvcC.SPSnalus...), stsd.AvcX.AvcC.PPSnalus...)
	case stsd.HvcX != nil:
		for _, a := range stsd.HvcX.HvcC.NaluArrays {
			sets = append(sets, a.Nalus...)
		}
	}
	return sets
}

// Config is the decoder configuration as WebCodecs has it; nil for codecs without one.
func (c *Clip) Config() []byte {
	record := func(b mp4.Box) []byte {
		var out bytes.Buffer
		if err := b.Encode(&out); err != nil {
			return nil
		}
		return out.Bytes()[8:]
	}
	switch e := c.init.Moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0].(type) {
	case *mp4.VisualSampleEntryBox:
		switch {
		case e.AvcC != nil:
			return record(e.AvcC)
		case e.HvcC != nil:
			return record(e.HvcC)
		case e.Av1C != nil:
			return record(e.Av1C)
		}
	case *mp4.AudioSampleEntryBox:
		switch {
		case e.Esds != nil:
			return e.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
		case e.Dops != nil:
			return opusHead(e.Dops)
		case e.DfLa != nil:
			return append([]byte("fLaC"), record(e.DfLa)[4:]...)
		}
	}
	return nil
}

// opusHead is RFC 7845, 5.1.
func opusHead(d *mp4.DopsBox) []byte {
	head := append([]byte("OpusHead"), 1, d.OutputChannelCount)
	head = binary.LittleEndian.AppendUint16(head, d.PreSkip)
	head = binary.LittleEndian.AppendUint32(head, d.InputSampleRate)
	return append(binary.LittleEndian.AppendUint16(head, uint16(d.OutputGain)), 0)
}
