package demux

import "fmt"

// h264 is ISO/IEC 14496-10 with its file format, ISO/IEC 14496-15, 5.
type h264 struct{}

func (h264) class(nal []byte) unitClass {
	switch nal[0] & 0x1f {
	case 1, 2, 3, 4:
		return unitPicture
	case 5:
		return unitRandom
	case 7:
		return unitSPS
	case 8:
		return unitPPS
	case 9, 10, 11, 12, 13:
		return unitDropped
	}
	return unitOther
}

func (h h264) id(nal []byte) (uint64, bool) {
	head := 1
	if h.class(nal) == unitSPS {
		head = 4
	}
	if len(nal) <= head {
		return 0, false
	}
	r := bitReader{data: rbsp(nal[head:min(len(nal), head+16)])}
	id := r.ue()
	return id, !r.over && id < 256
}

// record reads an AVCDecoderConfigurationRecord.
func (h264) record(config []byte) (sets parameterSets, length int, err error) {
	if len(config) < 7 || config[0] != 1 {
		return sets, 0, fail(0, fmt.Sprintf("%d bytes are no avcC", len(config)))
	}
	length = int(config[4]&3) + 1
	rest := config[5:]
	for _, k := range [...]unitClass{unitSPS, unitPPS} {
		if len(rest) == 0 {
			return sets, 0, fail(len(config), "avcC is truncated")
		}
		n := int(rest[0])
		if k == unitSPS {
			n &= 0x1f
		}
		rest = rest[1:]
		for range n {
			if len(rest) < 2 || len(rest)-2 < int(rest[0])<<8+int(rest[1]) {
				return sets, 0, fail(len(config), "avcC is truncated")
			}
			size := int(rest[0])<<8 + int(rest[1])
			if size == 0 {
				return sets, 0, fail(len(config)-len(rest), "avcC has an empty parameter set")
			}
			sets[k], rest = append(sets[k], rest[2:2+size]), rest[2+size:]
		}
	}
	return sets, length, nil
}

// h264SPS is a sequence parameter set (ISO/IEC 14496-10, 7.3.2.1.1).
type h264SPS struct {
	picture
	chroma, depthLuma, depthChroma uint64
	high                           bool // the fields above are in the set, and in avcC
	reorder                        int
	rate                           ratio
}

func (h h264) stream(sets *parameterSets) (*stream, error) {
	raw := sets[unitSPS][0]
	if len(raw) < 5 || len(sets[unitPPS]) == 0 {
		return nil, errNoHeader
	}
	s, ok := h.sps(raw)
	if !ok {
		return nil, fail(0, "the sequence parameter set is malformed")
	}
	var w writer
	w.u8(1, raw[1], raw[2], raw[3], 0xff, 0xe0|byte(len(sets[unitSPS])))
	for _, k := range [...]unitClass{unitSPS, unitPPS} {
		if k == unitPPS {
			w.u8(byte(len(sets[k])))
		}
		for _, nal := range sets[k] {
			w.u16(len(nal))
			w.u8(nal...)
		}
	}
	if s.high {
		w.u8(0xfc|byte(s.chroma), 0xf8|byte(s.depthLuma), 0xf8|byte(s.depthChroma), 0)
	}
	return &stream{entry: visualEntry("avc1", &s.picture, "avcC", w), reorder: s.reorder, rate: s.rate}, nil
}

func (h264) sps(nal []byte) (s h264SPS, ok bool) {
	r := &bitReader{data: rbsp(nal[1:])}
	profile := r.read(8)
	constraints := r.read(8)
	r.skip(8)
	r.ue()
	s.chroma, s.reorder = 1, -1
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		s.high = true
		s.highFields(r)
	}
	r.ue() // log2_max_frame_num
	order := r.ue()
	switch order {
	case 0:
		r.ue()
	case 1:
		r.skip(1)
		r.ues(2)
		r.ues(r.counts(255))
	}
	r.ue() // max_num_ref_frames
	r.skip(1)
	columns, rows := r.counts(1<<12)+1, r.counts(1<<12)+1
	frames := r.flag()
	if !frames {
		rows *= 2
		r.skip(1)
	}
	r.skip(1)
	s.width, s.height = columns*16, rows*16
	if r.flag() {
		x, y := 1, 1
		switch s.chroma {
		case 1:
			x, y = 2, 2
		case 2:
			x = 2
		}
		if !frames {
			y *= 2
		}
		s.width -= x * (r.counts(1<<16) + r.counts(1<<16))
		s.height -= y * (r.counts(1<<16) + r.counts(1<<16))
	}
	if r.flag() {
		s.readVUI(r)
	}
	if profile == 66 || order == 2 || constraints&0x10 != 0 && s.intraOnly(profile) {
		s.reorder = 0 // what cannot be
	}
	return s, !r.over && s.width > 0 && s.height > 0 && s.chroma <= 3 && s.depthLuma <= 6 && s.depthChroma <= 6
}

// intraOnly are the profiles in which constraint_set3_flag says that there are only intra pictures.
func (s *h264SPS) intraOnly(profile uint64) bool { return profile != 77 && profile != 88 }

func (s *h264SPS) highFields(r *bitReader) {
	if s.chroma = r.ue(); s.chroma == 3 {
		r.skip(1) // separate planes
	}
	s.depthLuma, s.depthChroma = r.ue(), r.ue()
	r.skip(1)
	if !r.flag() {
		return
	}
	lists := 8
	if s.chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if !r.flag() {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		next := int64(8)
		for j := 0; j < size && next != 0 && !r.over; j++ {
			next = (next + r.se() + 256) % 256
		}
	}
}

func (s *h264SPS) readVUI(r *bitReader) {
	s.picture.vui(r)
	if r.flag() {
		units, scale := r.read(32), r.read(32)
		r.skip(1)
		s.rate = ratio{scale, 2 * units}
	}
	nal := r.flag()
	if nal {
		hrd(r)
	}
	vcl := r.flag()
	if vcl {
		hrd(r)
	}
	if nal || vcl {
		r.skip(1)
	}
	r.skip(1)
	if r.flag() {
		r.skip(1)
		r.ues(4)
		s.reorder = r.counts(16)
		r.ue()
	}
}

func hrd(r *bitReader) {
	n := r.counts(31) + 1
	r.skip(8)
	for range n {
		r.ues(2)
		r.skip(1)
	}
	r.skip(20)
}
