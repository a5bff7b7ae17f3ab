package demux

// av1Sequence is what av1C and the sample entry need of a sequence header (AV1, 5.5).
type av1Sequence struct {
	picture
	profile, level, tier uint64
	depth                int
	mono                 bool
	subX, subY, position uint64
	reduced              bool
	rate                 ratio
}

func readSequence(body []byte) (h av1Sequence, ok bool) {
	r := &bitReader{data: body}
	h.profile = r.read(3)
	r.skip(1)
	if h.reduced = r.flag(); h.reduced {
		h.level = r.read(5)
	} else {
		h.operatingPoints(r)
	}
	wide, high := int(r.read(4))+1, int(r.read(4))+1
	h.width, h.height = int(r.read(wide))+1, int(r.read(high))+1
	if !h.reduced && r.flag() {
		r.skip(7)
	}
	r.skip(3)
	if !h.reduced {
		h.tools(r)
	}
	r.skip(3)
	h.color(r)
	return h, !r.over && h.profile <= 2
}

func (h *av1Sequence) operatingPoints(r *bitReader) {
	delay := 0
	model := false
	if r.flag() {
		units, scale := r.read(32), r.read(32)
		if r.flag() {
			h.rate = ratio{scale, units * (r.ue() + 1)}
		}
		if model = r.flag(); model {
			delay = int(r.read(5)) + 1
			r.skip(42)
		}
	}
	display := r.flag()
	for i := range int(r.read(5)) + 1 {
		r.skip(12)
		level, tier := r.read(5), uint64(0)
		if level > 7 {
			tier = r.read(1)
		}
		if i == 0 {
			h.level, h.tier = level, tier
		}
		if model && r.flag() {
			r.skip(2*delay + 1)
		}
		if display {
			r.optional(4)
		}
	}
}

// tools reads over the coding tools.
func (h *av1Sequence) tools(r *bitReader) {
	r.skip(4)
	order := r.flag()
	if order {
		r.skip(2)
	}
	screen := r.flag() // chosen for each frame,
	if !screen {
		screen = r.flag() // or on
	}
	if screen && !r.flag() {
		r.skip(1)
	}
	if order {
		r.skip(3)
	}
}

// color reads color_config (AV1, 5.5.2).
func (h *av1Sequence) color(r *bitReader) {
	h.depth = 8
	if r.flag() {
		h.depth = 10
		if h.profile == 2 && r.flag() {
			h.depth = 12
		}
	}
	h.mono = h.profile != 1 && r.flag()
	h.colour = [3]byte{2, 2, 2}
	if h.coloured = r.flag(); h.coloured {
		h.colour = [3]byte{byte(r.read(8)), byte(r.read(8)), byte(r.read(8))}
	}
	switch {
	case h.mono:
		h.full = r.flag()
		h.subX, h.subY = 1, 1
		return
	case h.colour == [3]byte{1, 13, 0}:
		h.full = true
		return
	}
	h.full = r.flag()
	switch {
	case h.profile == 0:
		h.subX, h.subY = 1, 1
	case h.profile == 2 && h.depth == 12:
		if h.subX = r.read(1); h.subX == 1 {
			h.subY = r.read(1)
		}
	case h.profile == 2:
		h.subX = 1
	}
	if h.subX == 1 && h.subY == 1 {
		h.position = r.read(2)
	}
}
