package demux

import "fmt"

// flac is RFC 9639 with its file format, "Encapsulation of FLAC in ISO Base Media File Format".
type flac struct {
	now     *stream
	largest uint32 // block of STREAMINFO
}

func (c *flac) stream() *stream { return c.now }

// configure takes "fLaC" and the metadata blocks behind it. Only STREAMINFO is needed to decode.
func (c *flac) configure(config []byte) error {
	const head, info = 8, 34
	if len(config) < head+info || string(config[:4]) != "fLaC" || config[4]&0x7f != 0 || config[7] != info || config[5] != 0 || config[6] != 0 {
		return fail(0, "the decoder configuration is not fLaC with STREAMINFO first")
	}
	block := config[head : head+info]
	r := bitReader{data: block}
	r.skip(16)
	largest := uint32(r.read(16))
	r.skip(48)
	rate, channels := int(r.read(20)), int(r.read(3))+1
	if rate == 0 || largest == 0 {
		return fail(head, "STREAMINFO has no sampling rate or no block size")
	}
	var w writer
	w.u32(0)
	w.u8(0x80, 0, 0, info)
	w.u8(block...)
	entry := audioEntry("fLaC", channels, rate, "dfLa", w)
	if c.now == nil || string(c.now.entry) != string(entry) {
		c.now, c.largest = &stream{entry: entry, timescale: uint32(rate)}, largest
	}
	return nil
}

func (c *flac) read(data []byte) (access, error) {
	if c.now == nil {
		return access{}, errNoHeader
	}
	dur, ok := flacBlock(data)
	if !ok || dur > c.largest {
		return access{}, fail(0, fmt.Sprintf("no FLAC frame, or one of %d samples", dur))
	}
	return access{data: data, sync: true, dur: dur}, nil
}

// flacBlock is the number of samples in a frame (RFC 9639, 9.1).
func flacBlock(data []byte) (samples uint32, ok bool) {
	r := bitReader{data: data}
	if r.read(15) != 0x7ffc {
		return 0, false
	}
	r.skip(1)
	code := r.read(4)
	r.skip(12)
	// The number of the frame or sample is coded as a character of UTF-8 is.
	for first := r.read(8); first&0xc0 == 0xc0 && first != 0xff; first = first << 1 & 0xff {
		r.skip(8)
	}
	switch {
	case code == 0:
		return 0, false
	case code == 1:
		samples = 192
	case code <= 5:
		samples = 576 << (code - 2)
	case code == 6:
		samples = uint32(r.read(8)) + 1
	case code == 7:
		samples = uint32(r.read(16)) + 1
	default:
		samples = 256 << (code - 8)
	}
	return samples, !r.over
}
