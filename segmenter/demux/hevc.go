package demux

import "fmt"

// hevc is ISO/IEC 23008-2 with its file format, ISO/IEC 14496-15, 8.
type hevc struct{}

func (hevc) class(nal []byte) unitClass {
	switch t := nal[0] >> 1 & 0x3f; {
	case t >= 16 && t <= 23:
		return unitRandom
	case t < 32:
		return unitPicture
	case t >= 32 && t <= 34:
		return unitVPS + unitClass(t-32)
	case t >= 35 && t <= 38:
		return unitDropped
	}
	return unitOther
}

func (h hevc) id(nal []byte) (uint64, bool) {
	if len(nal) < 4 {
		return 0, false
	}
	switch h.class(nal) {
	case unitVPS:
		return uint64(nal[2] >> 4), true
	case unitSPS:
		s, ok := h.sps(nal)
		return s.id, ok
	}
	r := bitReader{data: rbsp(nal[2:min(len(nal), 18)])}
	id := r.ue()
	return id, !r.over && id < 64
}

// record reads an HEVCDecoderConfigurationRecord.
func (h hevc) record(config []byte) (sets parameterSets, length int, err error) {
	if len(config) < 23 || config[0] != 1 {
		return sets, 0, fail(0, fmt.Sprintf("%d bytes are no hvcC", len(config)))
	}
	length = int(config[21]&3) + 1
	rest := config[23:]
	take := func(n int) []byte {
		if n > len(rest) {
			rest, err = nil, fail(len(config), "hvcC is truncated")
			return make([]byte, n)
		}
		b := rest[:n]
		rest = rest[n:]
		return b
	}
	for range config[22] {
		head := take(3)
		for range int(head[1])<<8 + int(head[2]) {
			size := take(2)
			nal := take(int(size[0])<<8 + int(size[1]))
			if err != nil {
				return sets, 0, err
			}
			if len(nal) < 3 {
				return sets, 0, fail(len(config)-len(rest), "hvcC has an empty parameter set")
			}
			if k := h.class(nal); k <= unitPPS {
				sets[k] = append(sets[k], nal)
			}
		}
	}
	return sets, length, err
}

// hevcSPS is a sequence parameter set (ISO/IEC 23008-2, 7.3.2.2).
type hevcSPS struct {
	picture
	id                             uint64
	layers                         int
	nested                         bool
	profile                        [12]byte // general_profile_space to general_level_idc
	chroma, depthLuma, depthChroma uint64
	logPOC                         int
	reorder                        int
	rate                           ratio
}

func (h hevc) stream(sets *parameterSets) (*stream, error) {
	if len(sets[unitVPS]) == 0 || len(sets[unitPPS]) == 0 {
		return nil, errNoHeader
	}
	s, ok := h.sps(sets[unitSPS][0])
	if !ok {
		return nil, fail(0, "the sequence parameter set is malformed")
	}
	var w writer
	w.u8(1)
	w.u8(s.profile[:]...)
	nested := byte(0)
	if s.nested {
		nested = 4
	}
	w.u8(0xf0, 0, 0xfc, 0xfc|byte(s.chroma), 0xf8|byte(s.depthLuma), 0xf8|byte(s.depthChroma), 0, 0, byte(s.layers)<<3|nested|3, 3)
	for k, nals := range sets {
		w.u8(0x80 | byte(32+k)) // complete: there are no others in the samples
		w.u16(len(nals))
		for _, nal := range nals {
			w.u16(len(nal))
			w.u8(nal...)
		}
	}
	return &stream{entry: visualEntry("hvc1", &s.picture, "hvcC", w), reorder: s.reorder, rate: s.rate}, nil
}

func (hevc) sps(nal []byte) (s hevcSPS, ok bool) {
	if len(nal) < 3 {
		return s, false
	}
	r := &bitReader{data: rbsp(nal[2:])}
	r.skip(4)
	s.layers = int(r.read(3)) + 1
	s.nested = r.flag()
	s.profileTierLevel(r)
	s.id = r.ue()
	if s.chroma = r.ue(); s.chroma == 3 {
		r.skip(1)
	}
	s.width, s.height = r.counts(1<<16), r.counts(1<<16)
	if r.flag() {
		x, y := 1, 1
		switch s.chroma {
		case 1:
			x, y = 2, 2
		case 2:
			x = 2
		}
		s.width -= x * (r.counts(1<<16) + r.counts(1<<16))
		s.height -= y * (r.counts(1<<16) + r.counts(1<<16))
	}
	s.depthLuma, s.depthChroma = r.ue(), r.ue()
	s.logPOC = r.counts(12) + 4
	first := s.layers - 1
	if r.flag() {
		first = 0
	}
	for range s.layers - first {
		r.ue()
		s.reorder = r.counts(16)
		r.ue()
	}
	ok = !r.over && s.id < 16 && s.width > 0 && s.height > 0 && s.chroma <= 3 && s.depthLuma <= 7 && s.depthChroma <= 7
	if ok && s.tools(r) { // what follows is welcome, but not needed
		s.readVUI(r)
	}
	return s, ok
}

func (s *hevcSPS) profileTierLevel(r *bitReader) {
	for i := range s.profile {
		s.profile[i] = byte(r.read(8))
	}
	if s.layers == 1 {
		return
	}
	var profile, level [8]bool
	for i := range 8 {
		profile[i], level[i] = r.flag(), r.flag()
	}
	for i := range s.layers - 1 {
		if profile[i] {
			r.skip(88)
		}
		if level[i] {
			r.skip(8)
		}
	}
}

// tools reads over the coding tools, and reports whether a VUI follows.
func (s *hevcSPS) tools(r *bitReader) bool {
	r.ues(6)
	if scaled := r.flag(); scaled && r.flag() {
		scalingLists(r)
	}
	r.skip(2)
	if r.flag() { // PCM
		r.skip(8)
		r.ues(2)
		r.skip(1)
	}
	pictures := 0
	for i := range r.counts(64) {
		pictures = referencePictures(r, i, pictures)
	}
	if r.flag() {
		for range r.counts(32) {
			r.skip(s.logPOC + 1)
		}
	}
	r.skip(2)
	return r.flag() && !r.over
}

// scalingLists reads over scaling_list_data (7.3.4).
func scalingLists(r *bitReader) {
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6; matrix += step {
			if !r.flag() {
				r.ue()
				continue
			}
			if size > 1 {
				r.ue()
			}
			r.ues(min(64, 1<<(4+2*size)))
		}
	}
}

// referencePictures reads over st_ref_pic_set i (7.3.7), and returns the number of its pictures. before is that of the set before.
func referencePictures(r *bitReader, i, before int) (n int) {
	if i > 0 && r.flag() {
		r.skip(1)
		r.ue()
		for range before + 1 {
			if used := r.flag(); used || r.flag() {
				n++
			}
		}
		return min(n, 32)
	}
	n = r.counts(16) + r.counts(16)
	for range n {
		r.ue()
		r.skip(1)
	}
	return n
}

func (s *hevcSPS) readVUI(r *bitReader) {
	var p picture
	p.vui(r)
	r.skip(3)
	if r.flag() {
		r.ues(4) // default display window
	}
	var rate ratio
	if r.flag() {
		units, scale := r.read(32), r.read(32)
		rate = ratio{scale, units}
	}
	if !r.over {
		p.width, p.height = s.width, s.height
		s.picture, s.rate = p, rate
	}
}
