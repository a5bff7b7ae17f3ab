package demux

import "fmt"

// av1 is the AV1 bitstream in its low-overhead format, with its file format, "AV1 Codec ISO Media File Format Binding".
type av1 struct {
	header []byte // sequence header OBU, with its size
	now    *stream
}

// OBU types (AV1, 6.2.2).
const (
	obuSequence  = 1
	obuDelimiter = 2
	obuFrameHead = 3
	obuFrame     = 6
	obuTiles     = 8
	obuPadding   = 15
)

func (c *av1) stream() *stream { return c.now }

// configure takes av1C; its OBUs are those of the configuration.
func (c *av1) configure(config []byte) error {
	if len(config) < 4 || config[0] != 0x81 {
		return fail(0, "the decoder configuration is no av1C")
	}
	for o := (obus{data: config[4:]}); o.next(); {
		if o.kind == obuSequence {
			return c.adopt(o.body)
		}
	}
	return nil // the stream has it
}

// adopt takes the content of a sequence header OBU.
func (c *av1) adopt(body []byte) error {
	if len(body) > maxSetSize {
		return fail(0, fmt.Sprintf("a sequence header of %d bytes", len(body)))
	}
	obu := append(appendLeb128([]byte{obuSequence<<3 | 2}, len(body)), body...)
	if string(obu) == string(c.header) {
		return nil
	}
	h, ok := readSequence(body)
	if !ok {
		return fail(0, "the sequence header is malformed")
	}
	var w bitWriter
	w.put(8, 0x81)
	w.put(3, h.profile)
	w.put(5, h.level)
	w.put(1, h.tier)
	w.put(1, bit(h.depth > 8))
	w.put(1, bit(h.depth > 10))
	w.put(1, bit(h.mono))
	w.put(1, h.subX)
	w.put(1, h.subY)
	w.put(2, h.position)
	w.put(8, 0)
	c.header = obu
	c.now = &stream{entry: visualEntry("av01", &h.picture, "av1C", append(w.data, obu...)), rate: h.rate}
	return nil
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (c *av1) read(data []byte) (access, error) {
	var kept []byte
	clean, frame, random := true, false, false
	o := obus{data: data}
	for o.next() {
		switch o.kind {
		case obuDelimiter, obuTiles, obuPadding:
			clean = false
			continue
		case obuSequence:
			if err := c.adopt(o.body); err != nil {
				return access{}, err
			}
			random = true
		case obuFrameHead, obuFrame:
			if !frame && len(o.body) > 0 {
				r := bitReader{data: o.body}
				random = random && !r.flag() && r.read(2) == 0 && r.flag() // shown, and a key frame
			}
			frame = true
		}
		clean = clean && o.sized
		kept = append(appendLeb128(append(kept, o.head...), len(o.body)), o.body...)
	}
	switch {
	case o.err != nil:
		return access{}, o.err
	case c.now == nil:
		return access{}, errNoHeader
	case !frame:
		return access{}, fail(0, "no frame in the temporal unit")
	case clean:
		kept = data
	}
	return access{data: kept, sync: random}, nil
}

// obus takes the OBUs off a temporal unit (AV1, 5.3).
type obus struct {
	data  []byte
	at    int
	kind  byte
	head  []byte // one byte or two, as with a size
	body  []byte
	sized bool
	err   error
}

func (o *obus) next() bool {
	if o.err != nil || o.at >= len(o.data) {
		return false
	}
	start := o.at
	head := o.data[o.at]
	o.kind, o.sized = head>>3&15, head&2 != 0
	o.head = []byte{head | 2}
	o.at++
	if head&4 != 0 && o.at < len(o.data) {
		o.head = append(o.head, o.data[o.at])
		o.at++
	}
	size := len(o.data) - o.at
	if o.sized {
		n, length := leb128(o.data[o.at:])
		if length == 0 || n > uint64(size-length) {
			o.err = fail(start, "an OBU is longer than the payload")
			return false
		}
		o.at += length
		size = int(n)
	}
	if head&0x80 != 0 {
		o.err = fail(start, "the forbidden bit of an OBU is set")
		return false
	}
	o.body = o.data[o.at : o.at+size]
	o.at += size
	return true
}

func leb128(b []byte) (v uint64, size int) {
	for i := range min(len(b), 8) {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, i + 1
		}
	}
	return 0, 0
}

func appendLeb128(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}
