package demux

import (
	"encoding/binary"
	"math"

	"github.com/moqpack/moqpack/internal/media"
)

// CMAF is what a publisher's CMAF header says, and reads the objects of its track (draft-ietf-moq-cmsf, 3). It is immutable.
type CMAF struct {
	Header

	track uint32 // track_ID
	// Defaults of the track (ISO/IEC 14496-12, 8.8.3).
	duration, size, flags uint32
	// edit is the media time that an edit list begins the presentation with, in ticks.
	edit int64
	nal  nal
	tenc tenc
	wvtt bool // samples are boxes of cues (ISO/IEC 14496-30, 5.5)
}

// Head splits an object that carries its own CMAF header: init is ftyp and moov, rest is what follows them. An object without
// one has a nil init and is all rest.
func Head(payload []byte) (init, rest []byte, err error) {
	r := boxes{data: payload}
	start := -1
	for {
		b, ok := r.next()
		if !ok {
			if start >= 0 && r.err == nil {
				return nil, nil, &Error{Box: "ftyp", Offset: start, Reason: "no moov follows"}
			}
			return nil, payload, r.err
		}
		switch string(b.kind[:]) {
		case "ftyp":
			start = b.at
		case "moov":
			if start < 0 {
				start = b.at
			}
			return payload[start:r.at], r.data, nil
		case "moof", "mdat":
			if start < 0 {
				return nil, payload, nil
			}
		}
	}
}

// NewCMAF returns the reader that a CMAF header describes. The header must hold exactly one track.
func NewCMAF(init []byte) (*CMAF, error) {
	top := boxes{data: init}
	moov, ok := top.find("moov")
	if !ok {
		return nil, missing(&top, "moov")
	}
	c := &CMAF{}
	traks := 0
	r := moov.inside(0)
	for b, ok := r.next(); ok; b, ok = r.next() {
		var err error
		switch string(b.kind[:]) {
		case "trak":
			if traks++; traks > 1 {
				return nil, b.fail("the header describes more than one track")
			}
			err = c.trak(&b)
		case "mvex":
			err = c.mvex(&b)
		case "pssh":
			if len(c.PSSH) == maxSystems || b.body-b.at != 8 {
				return nil, b.fail("too large, or more than %d of them", maxSystems)
			}
			c.PSSH = append(c.PSSH, init[b.at:b.body+len(b.data)])
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case traks == 0:
		return nil, moov.fail("no trak")
	case c.Timescale == 0:
		return nil, moov.fail("timescale is 0")
	case c.Entry == nil:
		return nil, moov.fail("no sample entry")
	}
	if !c.tenc.sealed {
		c.PSSH = nil
	}
	return c, nil
}

// missing is the reader's own error, or that it held no box of the kind.
func missing(r *boxes, kind string) error {
	if r.err != nil {
		return r.err
	}
	return &Error{Box: kind, Offset: r.at, Reason: "missing"}
}

func (c *CMAF) trak(trak *box) error {
	r := trak.inside(0)
	for b, ok := r.next(); ok; b, ok = r.next() {
		var err error
		switch f := (fields{box: b}); string(b.kind[:]) {
		case "tkhd":
			v, _ := f.full()
			f.word(v) // creation_time
			f.word(v) // modification_time
			c.track = f.u32()
			err = f.err
		case "edts":
			err = c.edts(&b)
		case "mdia":
			err = c.mdia(&b)
		}
		if err != nil {
			return err
		}
	}
	return r.err
}

func (c *CMAF) mdia(mdia *box) error {
	r := mdia.inside(0)
	for b, ok := r.next(); ok; b, ok = r.next() {
		var err error
		switch f := (fields{box: b}); string(b.kind[:]) {
		case "mdhd":
			v, _ := f.full()
			f.word(v)
			f.word(v)
			c.Timescale = f.u32()
			f.word(v) // duration
			c.Language = uint16(f.u32() >> 16)
			err = f.err
		case "hdlr":
			f.take(8)
			c.Kind = kindOf(string(f.take(4)))
			err = f.err
		case "minf":
			err = c.minf(&b)
		}
		if err != nil {
			return err
		}
	}
	return r.err
}

func kindOf(handler string) media.Kind {
	switch handler {
	case "vide":
		return media.Video
	case "soun":
		return media.Audio
	}
	return media.Text
}

func (c *CMAF) minf(minf *box) error {
	r := minf.inside(0)
	stbl, ok := r.find("stbl")
	if !ok {
		return missing(&r, "stbl")
	}
	r = stbl.inside(0)
	stsd, ok := r.find("stsd")
	if !ok {
		return missing(&r, "stsd")
	}
	r = stsd.inside(8)
	entry, ok := r.next()
	if !ok {
		return missing(&r, "stsd")
	}
	if b, more := r.next(); more {
		return b.fail("the header has more than one sample entry")
	}
	c.Entry = stsd.data[8 : len(stsd.data)-len(r.data)]
	if r.err != nil {
		return r.err
	}
	var err error
	c.tenc, err = tencOf(&entry)
	c.wvtt = c.tenc.format == "wvtt"
	c.nal = nalOf(&entry, c.tenc.format)
	return err
}

// mvex reads the track's defaults.
func (c *CMAF) mvex(mvex *box) error {
	r := mvex.inside(0)
	trex, ok := r.find("trex")
	if !ok {
		return missing(&r, "trex")
	}
	f := fields{box: trex}
	f.full()
	f.u32() // track_ID: there is one track
	f.u32() // default_sample_description_index
	c.duration, c.size, c.flags = f.u32(), f.u32(), f.u32()
	return f.err
}

// edts reads where the presentation begins. Only what live publishers write is understood: one edit that skips the reordering
// delay or the priming of the codec (ISO/IEC 14496-12, 8.6.6). Others are ignored, as players do.
func (c *CMAF) edts(edts *box) error {
	r := edts.inside(0)
	elst, ok := r.find("elst")
	if !ok {
		return r.err
	}
	f := fields{box: elst}
	version, _ := f.full()
	if count := f.u32(); count != 1 {
		return f.err
	}
	f.word(version) // segment_duration
	start := int64(int32(f.u32()))
	if version == 1 {
		start = start<<32 | int64(f.u32())
	}
	if f.err == nil && start > 0 && start <= math.MaxInt32 {
		c.edit = start
	}
	return f.err
}

// nal tells random access points from other access units. The zero nal knows nothing.
type nal struct {
	hevc   bool
	length int // bytes of each unit's length field
}

// nalOf reads a sample entry whose format, when it is not encrypted, is the given one.
func nalOf(entry *box, format string) nal {
	config, at, hevc := "avcC", 4, false
	switch format {
	case "avc1", "avc3":
	case "hvc1", "hev1":
		config, at, hevc = "hvcC", 21, true
	default:
		return nal{}
	}
	r := entry.inside(visualHead)
	b, ok := r.find(config)
	if !ok || len(b.data) <= at {
		return nal{}
	}
	return nal{hevc: hevc, length: int(b.data[at]&3) + 1}
}

// sync is whether an access unit is one that decoding can start with: an IDR picture in H.264 (ISO/IEC 14496-15, 5.4.1), any
// IRAP picture in HEVC. known is false if the first coded picture cannot be found.
func (n nal) sync(unit []byte) (sync, known bool) {
	for n.length > 0 && len(unit) > n.length {
		var field [8]byte
		copy(field[8-n.length:], unit[:n.length])
		size := binary.BigEndian.Uint64(field[:])
		unit = unit[n.length:]
		if size == 0 || size > uint64(len(unit)) {
			return false, false
		}
		if n.hevc {
			if t := unit[0] >> 1 & 0x3f; t < 32 {
				return t >= 16 && t <= 23, true
			}
		} else if t := unit[0] & 0x1f; t >= 1 && t <= 5 {
			return t == 5, true
		}
		unit = unit[size:]
	}
	return false, false
}
