package demux

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// aac is ISO/IEC 14496-3: raw data blocks, or whole ADTS frames, which leave their header behind.
type aac struct {
	codec          string // of the catalog
	rate, channels int    // of the catalog; 0 unknown
	config         []byte // AudioSpecificConfig in force
	dur            uint32
	now            *stream
}

func (c *aac) stream() *stream { return c.now }

// ASC is what an AudioSpecificConfig says (ISO/IEC 14496-3, 1.6.2.1).
type ASC struct {
	Object     int // audio object type: SBRObject or PSObject where that is signalled
	Rate       int // Hz, of the core; 0 unknown
	Out        int // Hz, of what comes out if spectral band replication is signalled; 0 else
	Channels   int // channelConfiguration; 0: a program_config_element says it
	short      bool
	incomplete bool
}

// Object types of HE-AAC and HE-AAC v2.
const (
	SBRObject = 5
	PSObject  = 29
)

// ReadASC reads an AudioSpecificConfig. Spectral band replication may be signalled before the core or, so that old decoders
// do not stumble over it, behind it (1.6.5).
func ReadASC(config []byte) ASC {
	r := bitReader{data: config}
	a := ASC{Object: objectType(&r), Rate: frequency(&r), Channels: int(r.read(4))}
	core := a.Object
	if a.Object == SBRObject || a.Object == PSObject {
		a.Out = frequency(&r)
		core = objectType(&r)
	}
	a.incomplete = r.over
	if core < 1 || core > 7 || core == SBRObject {
		return a
	}
	a.short = r.flag()
	r.optional(14)
	if r.skip(1); a.Channels == 0 || a.Out > 0 {
		return a
	}
	const sbrSync, psSync = 0x2b7, 0x548
	if r.read(11) == sbrSync && objectType(&r) == SBRObject && r.flag() {
		if out := frequency(&r); !r.over {
			a.Object, a.Out = SBRObject, out
		}
		if r.read(11) == psSync && r.flag() && !r.over {
			a.Object = PSObject
		}
	}
	return a
}

func objectType(r *bitReader) int {
	const escape = 31
	if t := int(r.read(5)); t != escape {
		return t
	}
	return 32 + int(r.read(6))
}

// frequency is a sampling rate: an index, or the number itself.
func frequency(r *bitReader) int {
	rates := [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	switch i := int(r.read(4)); {
	case i < len(rates):
		return rates[i]
	case i == 15:
		return int(r.read(24))
	}
	return 0
}

func (c *aac) configure(config []byte) error {
	if len(config) > maxSetSize {
		return fail(0, fmt.Sprintf("an AudioSpecificConfig of %d bytes", len(config)))
	}
	a := ReadASC(config)
	if a.incomplete || a.Rate == 0 || a.Object == 0 {
		return fail(0, "the AudioSpecificConfig is malformed")
	}
	if string(c.config) == string(config) {
		return nil
	}
	c.config = append([]byte(nil), config...)
	rate := a.Rate
	c.dur = 1024
	if a.short {
		c.dur = 960
	}
	if a.Out > a.Rate { // twice the samples come out
		rate, c.dur = a.Out, 2*c.dur
	}
	channels := a.Channels
	if channels == 0 {
		channels = max(c.channels, 1) // a program_config_element says it
	}
	c.now = &stream{entry: audioEntry("mp4a", channels, rate, "esds", esds(c.config)), timescale: uint32(rate)}
	return nil
}

// esds holds the AudioSpecificConfig (ISO/IEC 14496-1, 7.2.6).
func esds(config []byte) []byte {
	var w writer
	w.u32(0)
	size := func(tag byte, n int) { w.u8(tag, 0x80, 0x80|byte(n>>14), 0x80|byte(n>>7&0x7f), byte(n&0x7f)) }
	size(3, 3+5+13+5+len(config)+5+1)
	w.u8(0, 0, 0)
	size(4, 13+5+len(config))
	w.u8(0x40, 0x15)
	w.u8(make([]byte, 11)...)
	size(5, len(config))
	w.u8(config...)
	size(6, 1)
	w.u8(2)
	return w
}

func (c *aac) read(data []byte) (access, error) {
	if config, rest, ok := adts(data); ok {
		if err := c.configure(config); err != nil {
			return access{}, err
		}
		data = rest
	}
	if c.now == nil {
		if err := c.synthesise(); err != nil {
			return access{}, err
		}
	}
	return access{data: data, sync: true, dur: c.dur}, nil
}

// synthesise makes a configuration of what the catalog says. Of HE-AAC it leaves open which sampling rate it means.
func (c *aac) synthesise() error {
	object := 0
	if _, err := fmt.Sscanf(strings.ToLower(c.codec), "mp4a.40.%d", &object); err != nil || object != 2 || c.rate == 0 || c.channels == 0 {
		return errNoHeader
	}
	return c.configure(makeASC(object, c.rate, c.channels))
}

// makeASC writes an AudioSpecificConfig without extensions.
func makeASC(object, rate, channels int) []byte {
	if channels == 8 {
		channels = 7
	}
	for i := range 13 {
		if r := (bitReader{data: []byte{byte(i) << 4}}); frequency(&r) == rate {
			return binary.BigEndian.AppendUint16(nil, uint16(object<<11|i<<7|channels<<3))
		}
	}
	v := uint64(object)<<35 | 15<<31 | uint64(rate&0xffffff)<<7 | uint64(channels)<<3
	return binary.BigEndian.AppendUint64(nil, v)[3:]
}

// adts takes the header off an ADTS frame (ISO/IEC 14496-3, 1.A.2.2) that is the whole of the data.
func adts(data []byte) (config, rest []byte, ok bool) {
	if len(data) < 7 || data[0] != 0xff || data[1]&0xf6 != 0xf0 {
		return nil, nil, false
	}
	head := 7
	if data[1]&1 == 0 {
		head = 9
	}
	size := int(data[3]&3)<<11 | int(data[4])<<3 | int(data[5])>>5
	if size != len(data) || size <= head || data[6]&3 != 0 {
		return nil, nil, false
	}
	object, index, channels := int(data[2]>>6)+1, int(data[2]>>2&15), int(data[2]&1)<<2|int(data[3]>>6)
	if index >= 13 {
		return nil, nil, false
	}
	return binary.BigEndian.AppendUint16(nil, uint16(object<<11|index<<7|channels<<3)), data[head:], true
}
