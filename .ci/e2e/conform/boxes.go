package main

import (
	"encoding/binary"
	"errors"
)

var errBox = errors.New("broken box")

// box is one ISO BMFF box.
type box struct {
	kind string
	body []byte
}

// boxes splits data into boxes.
func boxes(data []byte) ([]box, error) {
	var out []box
	for len(data) > 0 {
		if len(data) < 8 {
			return out, errBox
		}
		size, head := uint64(binary.BigEndian.Uint32(data)), uint64(8)
		if size == 1 && len(data) >= 16 {
			size, head = binary.BigEndian.Uint64(data[8:]), 16
		}
		if size < head || size > uint64(len(data)) {
			return out, errBox
		}
		out = append(out, box{string(data[4:8]), data[head:size]})
		data = data[size:]
	}
	return out, nil
}

// find walks down the path of box types and returns the bodies of all boxes at its end.
func find(data []byte, path ...string) [][]byte {
	bs, _ := boxes(data)
	var out [][]byte
	for _, b := range bs {
		if b.kind != path[0] {
			continue
		}
		if len(path) == 1 {
			out = append(out, b.body)
		} else {
			out = append(out, find(b.body, path[1:]...)...)
		}
	}
	return out
}

// initInfo is what the checks need of an init segment.
type initInfo struct {
	timescale uint64
	handler   string
	mvex      bool
	duration  uint64 // trex default_sample_duration
	flags     uint32 // trex default_sample_flags
}

func readInit(data []byte) (initInfo, error) {
	var i initInfo
	mdhd, hdlr := find(data, "moov", "trak", "mdia", "mdhd"), find(data, "moov", "trak", "mdia", "hdlr")
	trex := find(data, "moov", "mvex", "trex")
	if len(mdhd) != 1 || len(hdlr) != 1 || len(mdhd[0]) < 20 || len(hdlr[0]) < 12 {
		return i, errBox
	}
	at := 12
	if mdhd[0][0] == 1 {
		at = 20
	}
	i.timescale = uint64(binary.BigEndian.Uint32(mdhd[0][at:]))
	i.handler = string(hdlr[0][8:12])
	i.mvex = len(trex) == 1
	if i.mvex && len(trex[0]) >= 24 {
		i.duration = uint64(binary.BigEndian.Uint32(trex[0][12:]))
		i.flags = binary.BigEndian.Uint32(trex[0][20:])
	}
	return i, nil
}

// fragment is what the checks need of one moof.
type fragment struct {
	tfdt     uint64
	duration uint64 // sum of the samples' durations
	sync     bool   // the first sample is one to start at
	anySync  bool
	samples  int
	baseMoof bool
}

// readFragments reads all moofs of a part or segment.
func readFragments(data []byte, init initInfo) ([]fragment, error) {
	if _, err := boxes(data); err != nil {
		return nil, err
	}
	var out []fragment
	for _, moof := range find(data, "moof") {
		f, err := readFragment(moof, init)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func readFragment(moof []byte, init initInfo) (fragment, error) {
	var f fragment
	tfhd, tfdt := find(moof, "traf", "tfhd"), find(moof, "traf", "tfdt")
	if len(tfhd) != 1 || len(tfdt) != 1 || len(tfhd[0]) < 8 || len(tfdt[0]) < 8 {
		return f, errBox
	}
	if tfdt[0][0] == 1 {
		if len(tfdt[0]) < 12 {
			return f, errBox
		}
		f.tfdt = binary.BigEndian.Uint64(tfdt[0][4:])
	} else {
		f.tfdt = uint64(binary.BigEndian.Uint32(tfdt[0][4:]))
	}
	c := cursor{b: tfhd[0][8:]}
	has := binary.BigEndian.Uint32(tfhd[0]) & 0xFFFFFF
	f.baseMoof = has&0x020000 != 0 && has&1 == 0
	c.skip(has&1 != 0, 8)
	c.skip(has&2 != 0, 4)
	dur, flags := init.duration, init.flags
	if has&8 != 0 {
		dur = uint64(c.u32())
	}
	c.skip(has&0x10 != 0, 4)
	if has&0x20 != 0 {
		flags = c.u32()
	}
	for _, trun := range find(moof, "traf", "trun") {
		f.readRun(trun, dur, flags)
	}
	return f, nil
}

// readRun adds the samples of a trun.
func (f *fragment) readRun(trun []byte, dur uint64, flags uint32) {
	if len(trun) < 8 {
		return
	}
	has := binary.BigEndian.Uint32(trun) & 0xFFFFFF
	n := int(binary.BigEndian.Uint32(trun[4:]))
	c := cursor{b: trun[8:]}
	c.skip(has&1 != 0, 4)
	first, override := uint32(0), has&4 != 0
	if override {
		first = c.u32()
	}
	for i := 0; i < n && !c.short; i++ {
		d, fl := dur, flags
		if has&0x100 != 0 {
			d = uint64(c.u32())
		}
		c.skip(has&0x200 != 0, 4)
		if has&0x400 != 0 {
			fl = c.u32()
		} else if i == 0 && override {
			fl = first
		}
		c.skip(has&0x800 != 0, 4)
		sync := fl&0x10000 == 0
		if f.samples == 0 {
			f.sync = sync
		}
		f.anySync = f.anySync || sync
		f.samples++
		f.duration += d
	}
}

// cursor reads big-endian words; short says that the data ended before its time.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) skip(really bool, n int) {
	if really && !c.short {
		if len(c.b) < n {
			c.short = true
			return
		}
		c.b = c.b[n:]
	}
}

func (c *cursor) u32() uint32 {
	if len(c.b) < 4 {
		c.short = true
		return 0
	}
	v := binary.BigEndian.Uint32(c.b)
	c.b = c.b[4:]
	return v
}
