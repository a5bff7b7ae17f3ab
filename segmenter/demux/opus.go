package demux

import (
	"encoding/binary"
	"fmt"
)

// opus is RFC 6716 with its file format, "Encapsulation of Opus in ISO Base Media File Format".
type opus struct {
	channels int // of the catalog; 0 unknown
	now      *stream
}

func (c *opus) stream() *stream { return c.now }

// defaultPreSkip is what encoders have at 48 kHz as a rule: 6.5 ms.
const defaultPreSkip = 312

// configure takes an OpusHead (RFC 7845, 5.1).
func (c *opus) configure(config []byte) error {
	if len(config) < 19 || string(config[:8]) != "OpusHead" || config[8]>>4 != 0 || config[9] == 0 {
		return fail(0, "the decoder configuration is no OpusHead")
	}
	channels, family := int(config[9]), config[18]
	if family != 0 && len(config) < 21+channels {
		return fail(18, fmt.Sprintf("OpusHead is too short for the mapping of %d channels", channels))
	}
	var w writer
	w.u8(0, byte(channels))
	w.u16(int(binary.LittleEndian.Uint16(config[10:])))
	w.u32(binary.LittleEndian.Uint32(config[12:]))
	w.u16(int(binary.LittleEndian.Uint16(config[16:])))
	w.u8(family)
	if family != 0 {
		w.u8(config[19 : 21+channels]...)
	}
	c.set(channels, w)
	return nil
}

func (c *opus) set(channels int, record []byte) {
	entry := audioEntry("Opus", channels, 48000, "dOps", record)
	if c.now == nil || string(c.now.entry) != string(entry) {
		c.now = &stream{entry: entry, timescale: 48000}
	}
}

func (c *opus) read(data []byte) (access, error) {
	if c.now == nil {
		if c.channels != 1 && c.channels != 2 {
			return access{}, errNoHeader
		}
		var w writer
		w.u8(0, byte(c.channels))
		w.u16(defaultPreSkip)
		w.u32(48000)
		w.u16(0)
		w.u8(0)
		c.set(c.channels, w)
	}
	dur := opusDuration(data)
	if dur == 0 || dur > 5760 {
		return access{}, fail(0, fmt.Sprintf("an Opus packet of %d samples", dur))
	}
	return access{data: data, sync: true, dur: dur}, nil
}

// opusDuration is that of a packet at 48 kHz, by its TOC (RFC 6716, 3.1).
func opusDuration(packet []byte) uint32 {
	if len(packet) == 0 {
		return 0
	}
	var frame uint32
	switch c := packet[0] >> 3; {
	case c < 12:
		frame = [...]uint32{480, 960, 1920, 2880}[c%4]
	case c < 16:
		frame = 480 << (c % 2)
	default:
		frame = 120 << (c % 4)
	}
	switch packet[0] & 3 {
	case 0:
		return frame
	case 1, 2:
		return 2 * frame
	}
	if len(packet) < 2 {
		return 0
	}
	return frame * uint32(packet[1]&0x3f)
}
