package demux

import (
	"fmt"
	"strings"
)

// vp9 is the VP9 bitstream with its file format, "VP Codec ISO Media File Format Binding".
type vp9 struct {
	codec string // of the catalog: it knows the level, and the colours better
	now   *stream
}

func (c *vp9) stream() *stream { return c.now }

// configure has nothing to take: every key frame says what the stream is.
func (c *vp9) configure([]byte) error { return nil }

func (c *vp9) read(data []byte) (access, error) {
	h, ok := readVP9(data)
	switch {
	case !ok:
		return access{}, fail(0, "the frame header is malformed")
	case h.key:
		entry := visualEntry("vp09", &h.picture, "vpcC", c.record(&h))
		if c.now == nil || string(c.now.entry) != string(entry) {
			c.now = &stream{entry: entry}
		}
	case c.now == nil:
		return access{}, errNoHeader
	}
	return access{data: data, sync: h.key}, nil
}

// record is a VPCodecConfigurationRecord in its full box. What the catalog's codec string says of level and colours goes before
// what the frame says of them.
func (c *vp9) record(h *vp9Header) []byte {
	profile, level, depth, chroma := int(h.profile), vp9Level(h.width*h.height), h.depth, h.chroma
	primaries, transfer, matrix, full := h.colour[0], h.colour[1], h.colour[2], int(bit(h.full))
	if s := strings.TrimPrefix(c.codec, "vp09."); s != c.codec {
		var p, d, sub int
		_, _ = fmt.Sscanf(s, "%d.%d.%d.%d.%d.%d.%d.%d", &p, &level, &d, &sub, &primaries, &transfer, &matrix, &full)
	}
	var w writer
	w.u8(1, 0, 0, 0, byte(profile), byte(level), byte(depth<<4|chroma<<1|full&1), primaries, transfer, matrix, 0, 0)
	return w
}

// vp9Level is the lowest level whose pictures are this large, in luma samples.
func vp9Level(samples int) int {
	for _, l := range [...]struct{ level, samples int }{
		{10, 36864}, {11, 73728}, {20, 122880}, {21, 245760}, {30, 552960}, {31, 983040}, {40, 2228224}, {50, 8912896},
	} {
		if samples <= l.samples {
			return l.level
		}
	}
	return 60
}

// vp9Header is the uncompressed header of a frame (VP9, 6.2), as far as it is needed.
type vp9Header struct {
	picture
	key           bool
	profile       uint64
	depth, chroma int
}

func readVP9(data []byte) (h vp9Header, ok bool) {
	r := &bitReader{data: data}
	if r.read(2) != 2 {
		return h, false
	}
	h.profile = r.read(1) | r.read(1)<<1
	if h.profile == 3 {
		r.skip(1)
	}
	if r.flag() { // a frame that has been decoded is shown again
		return h, !r.over
	}
	h.key = !r.flag()
	r.skip(2)
	if !h.key {
		return h, !r.over
	}
	if r.read(24) != 0x498342 {
		return h, false
	}
	h.color(r)
	h.width, h.height = int(r.read(16))+1, int(r.read(16))+1
	return h, !r.over
}

// color reads color_config (VP9, 6.2.2); the colours are those of ISO/IEC 23091-2.
func (h *vp9Header) color(r *bitReader) {
	h.depth = 8
	if h.profile >= 2 {
		h.depth = 10 + 2*int(r.read(1))
	}
	const rgb = 7
	space := r.read(3)
	h.colour = [...][3]byte{{2, 2, 2}, {6, 6, 6}, {1, 1, 1}, {6, 6, 6}, {7, 7, 7}, {9, 14, 9}, {2, 2, 2}, {1, 13, 0}}[space]
	subX, subY := true, true
	if space == rgb {
		h.full, subX, subY = true, false, false
		if h.profile&1 == 1 {
			r.skip(1)
		}
	} else {
		h.full = r.flag()
		if h.profile&1 == 1 {
			subX, subY = r.flag(), r.flag()
			r.skip(1)
		}
	}
	switch {
	case subX && subY:
		h.chroma = 1
	case subX:
		h.chroma = 2
	default:
		h.chroma = 3
	}
}
