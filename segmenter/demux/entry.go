package demux

// picture is what a visual sample entry says beside the decoder configuration.
type picture struct {
	width, height int // coded and cropped, pixels
	sarW, sarH    int // of a sample; 0: not said
	coloured      bool
	colour        [3]byte // primaries, transfer, matrix of ISO/IEC 23091-2
	full          bool    // range
}

// visualEntry is a VisualSampleEntry (ISO/IEC 14496-12, 12.1.3) with the decoder configuration, and colr and pasp where the
// bitstream says what they hold.
func visualEntry(kind string, p *picture, config string, record []byte) []byte {
	var w writer
	w.box(kind, func() {
		w.u8(0, 0, 0, 0, 0, 0, 0, 1)
		w.u8(make([]byte, 16)...)
		w.u16(p.width)
		w.u16(p.height)
		w.u32(72 << 16)
		w.u32(72 << 16)
		w.u32(0)
		w.u16(1)
		w.u8(make([]byte, 32)...)
		w.u8(0, 24, 0xff, 0xff)
		w.box(config, func() { w.u8(record...) })
		if p.coloured {
			w.box("colr", func() {
				w.u8([]byte("nclx")...)
				for _, c := range p.colour {
					w.u16(int(c))
				}
				if p.full {
					w.u8(0x80)
				} else {
					w.u8(0)
				}
			})
		}
		if p.sarW > 0 && p.sarH > 0 {
			w.box("pasp", func() {
				w.u32(uint32(p.sarW))
				w.u32(uint32(p.sarH))
			})
		}
	})
	return w
}

// audioEntry is an AudioSampleEntry (ISO/IEC 14496-12, 12.2.3) with the decoder configuration.
func audioEntry(kind string, channels, rate int, config string, record []byte) []byte {
	var w writer
	w.box(kind, func() {
		w.u8(0, 0, 0, 0, 0, 0, 0, 1)
		w.u8(make([]byte, 8)...)
		w.u16(channels)
		w.u16(16)
		w.u32(0)
		if rate > 0xffff { // does not fit, and the configuration says it
			rate = 0
		}
		w.u16(rate)
		w.u16(0)
		w.box(config, func() { w.u8(record...) })
	})
	return w
}

// sampleAspects are those of aspect_ratio_idc (ISO/IEC 14496-10, table E-1).
func sampleAspect(idc int) (w, h int) {
	table := [...][2]int{
		{0, 0}, {1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11}, {80, 33}, {18, 11}, {15, 11},
		{64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
	}
	if idc < len(table) {
		return table[idc][0], table[idc][1]
	}
	return 0, 0
}

// vui reads what the VUI of H.264 and HEVC begins with (ISO/IEC 14496-10, E.1.1).
func (p *picture) vui(r *bitReader) {
	if r.flag() {
		if idc := r.read(8); idc == 255 {
			p.sarW, p.sarH = int(r.read(16)), int(r.read(16))
		} else {
			p.sarW, p.sarH = sampleAspect(int(idc))
		}
	}
	if r.flag() {
		r.skip(1) // overscan
	}
	if r.flag() {
		r.skip(3)
		p.full = r.flag()
		if p.coloured = r.flag(); p.coloured {
			p.colour = [3]byte{byte(r.read(8)), byte(r.read(8)), byte(r.read(8))}
		}
	}
	if r.flag() {
		r.ues(2) // chroma location
	}
}
