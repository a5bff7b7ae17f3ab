package demux

// dolby is AC-3 and E-AC-3 (ETSI TS 102 366). Every frame says what it is, so there is no configuration to wait for.
type dolby struct{ now *stream }

func (c *dolby) stream() *stream { return c.now }

func (c *dolby) configure([]byte) error { return nil }

// syncframe is one frame of a substream.
type syncframe struct {
	size, blocks             int
	kind, substream          int // of E-AC-3: 0 independent, 1 dependent
	fscod, bsid, bsmod       byte
	acmod, lfe, rate         byte // rate is AC-3's bit_rate_code
	sampling                 int
	chanmap                  int
	object                   byte // complexity index of joint object coding; 0 none
	enhanced, halved, mapped bool
}

func (c *dolby) read(data []byte) (access, error) {
	var frames []syncframe
	dur := uint32(0)
	for at := 0; at < len(data); {
		s, ok := readSyncframe(data[at:])
		if !ok || len(frames) == 64 || len(frames) > 0 && s.sampling != frames[0].sampling {
			return access{}, fail(at, "no AC-3 or E-AC-3 frame, or one that is cut short")
		}
		if s.kind != 1 && s.substream == 0 {
			dur += uint32(256 * s.blocks)
		}
		frames = append(frames, s)
		at += s.size
	}
	if dur == 0 {
		return access{}, fail(0, "no independent substream")
	}
	first := &frames[0]
	var entry []byte
	if first.enhanced {
		record, channels := dec3(frames, dur)
		entry = audioEntry("ec-3", channels, first.sampling, "dec3", record)
	} else {
		v := uint32(first.fscod)<<22 | uint32(first.bsid)<<17 | uint32(first.bsmod)<<14 | uint32(first.acmod)<<11 |
			uint32(first.lfe)<<10 | uint32(first.rate)<<5
		entry = audioEntry("ac-3", first.channels(), first.sampling, "dac3", []byte{byte(v >> 16), byte(v >> 8), byte(v)})
	}
	if c.now == nil || string(c.now.entry) != string(entry) {
		c.now = &stream{entry: entry, timescale: uint32(first.sampling)}
	}
	return access{data: data, sync: true, dur: dur}, nil
}

func (s *syncframe) channels() int { return [...]int{2, 1, 2, 3, 3, 4, 4, 5}[s.acmod] + int(s.lfe) }

// dec3 is an EC3SpecificBox (ETSI TS 102 366, F.6, and TS 103 420, C.3.2).
func dec3(frames []syncframe, dur uint32) (record []byte, channels int) {
	size, object := 0, byte(0)
	var independent []*syncframe
	dependents := map[int][]*syncframe{}
	for i := range frames {
		s := &frames[i]
		size += s.size
		object = max(object, s.object)
		switch {
		case s.kind == 1 && len(independent) > 0:
			last := independent[len(independent)-1].substream
			dependents[last] = append(dependents[last], s)
		case s.kind != 1 && s.substream == len(independent):
			independent = append(independent, s)
		}
	}
	var w bitWriter
	w.put(13, uint64(size*8*frames[0].sampling/int(dur)/1000))
	w.put(3, uint64(len(independent)-1))
	for i, s := range independent {
		w.put(2, uint64(s.fscod))
		w.put(5, uint64(s.bsid))
		w.put(2, 0)
		w.put(3, uint64(s.bsmod))
		w.put(3, uint64(s.acmod))
		w.put(1, uint64(s.lfe))
		w.put(3, 0)
		location, n := 0, map[int]bool{}
		for _, d := range dependents[s.substream] {
			location |= d.location()
			n[d.substream] = true
		}
		w.put(4, uint64(len(n)))
		if len(n) > 0 {
			w.put(9, uint64(location))
		} else {
			w.put(1, 0)
		}
		if i == 0 {
			channels = s.channels()
			for bit := range 9 {
				if location>>bit&1 == 1 {
					channels += [...]int{2, 2, 1, 1, 2, 2, 2, 1, 1}[bit]
				}
			}
		}
	}
	record = w.data
	if object > 0 {
		record = append(record, 1, object)
	}
	return record, channels
}

// location is what a dependent substream adds, as chan_loc has it: the bits of chanmap that are not of the basic layout.
func (s *syncframe) location() int {
	m := s.chanmap
	if !s.mapped {
		return 0
	}
	loc := 0
	for i, bit := range [...]int{10, 9, 8, 7, 6, 5, 4, 3, 1} {
		loc |= m >> bit & 1 << i
	}
	return loc
}

func readSyncframe(data []byte) (s syncframe, ok bool) {
	if len(data) < 7 || data[0] != 0x0b || data[1] != 0x77 {
		return s, false
	}
	rates := [...]int{48000, 44100, 32000}
	if bsid := data[5] >> 3; bsid > 10 && bsid <= 16 {
		return readEnhanced(data)
	} else if bsid > 8 {
		return s, false
	}
	s.fscod, s.bsid, s.bsmod, s.acmod = data[4]>>6, data[5]>>3, data[5]&7, data[6]>>5
	code := int(data[4] & 0x3f)
	if s.fscod == 3 || code >= 38 {
		return s, false
	}
	r := bitReader{data: data[6:], pos: 3}
	if s.acmod&1 != 0 && s.acmod != 1 {
		r.skip(2)
	}
	if s.acmod&4 != 0 {
		r.skip(2)
	}
	if s.acmod == 2 {
		r.skip(2)
	}
	s.lfe = byte(r.read(1))
	s.sampling, s.blocks, s.rate = rates[s.fscod], 6, byte(code>>1)
	kilobits := [...]int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}[code>>1]
	s.size = kilobits * 1000 * 1536 / s.sampling / 16 * 2
	if s.fscod == 1 {
		s.size += code & 1 * 2
	}
	return s, !r.over && s.size <= len(data)
}

// readEnhanced reads a frame of E-AC-3 (ETSI TS 102 366, E.1.2).
func readEnhanced(data []byte) (s syncframe, ok bool) {
	r := &bitReader{data: data, pos: 16}
	s.enhanced = true
	s.kind, s.substream = int(r.read(2)), int(r.read(3))
	s.size = int(r.read(11)+1) * 2
	s.fscod = byte(r.read(2))
	code := 3
	if s.halved = s.fscod == 3; s.halved {
		half := r.read(2)
		if half == 3 {
			return s, false
		}
		s.sampling = [...]int{24000, 22050, 16000}[half]
	} else {
		s.sampling = [...]int{48000, 44100, 32000}[s.fscod]
		code = int(r.read(2))
	}
	s.blocks = [...]int{1, 2, 3, 6}[code]
	s.acmod, s.lfe, s.bsid = byte(r.read(3)), byte(r.read(1)), byte(r.read(5))
	for range s.programs() {
		r.skip(5)
		r.optional(8)
	}
	if s.kind == 1 {
		if s.mapped = r.flag(); s.mapped {
			s.chanmap = int(r.read(16))
		}
	}
	if r.flag() {
		s.mixing(r, code)
	}
	if r.flag() {
		s.information(r)
	}
	if s.kind == 0 && code != 3 {
		r.skip(1)
	}
	if s.kind == 2 && (code == 3 || r.flag()) {
		r.skip(6)
	}
	if r.flag() {
		if n := int(r.read(6)) + 1; n >= 2 {
			r.skip(7)
			if r.flag() {
				s.object = byte(r.read(8))
			}
		}
	}
	return s, !r.over && s.kind != 3 && s.size <= len(data)
}

// programs is 2 for two mono programmes, 1 for anything else.
func (s *syncframe) programs() int {
	if s.acmod == 0 {
		return 2
	}
	return 1
}

// optional skips n bits if a flag says that they are there.
func (r *bitReader) optional(n int) {
	if r.flag() {
		r.skip(n)
	}
}

// mixing reads over the mixing metadata.
func (s *syncframe) mixing(r *bitReader, blocks int) {
	if s.acmod > 2 {
		r.skip(2)
	}
	if s.acmod&1 != 0 && s.acmod > 2 {
		r.skip(6)
	}
	if s.acmod&4 != 0 {
		r.skip(6)
	}
	if s.lfe == 1 {
		r.optional(5)
	}
	if s.kind != 0 {
		return
	}
	for range s.programs() {
		r.optional(6)
	}
	r.optional(6)
	switch r.read(2) {
	case 1:
		r.skip(5)
	case 2:
		r.skip(12)
	case 3:
		r.skip((int(r.read(5)) + 2) * 8)
	}
	if s.acmod < 2 {
		for range s.programs() {
			r.optional(14)
		}
	}
	if !r.flag() {
		return
	}
	if blocks == 0 {
		r.skip(5)
		return
	}
	for range s.blocks {
		r.optional(5)
	}
}

// information reads the informational metadata.
func (s *syncframe) information(r *bitReader) {
	s.bsmod = byte(r.read(3))
	r.skip(2)
	if s.acmod == 2 {
		r.skip(4)
	}
	if s.acmod >= 6 {
		r.skip(2)
	}
	for range s.programs() {
		r.optional(8)
	}
	if !s.halved {
		r.skip(1)
	}
}

// bitWriter writes bits from the first on.
type bitWriter struct {
	data []byte
	n    int
}

func (w *bitWriter) put(bits int, v uint64) {
	for i := bits - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}
