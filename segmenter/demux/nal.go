package demux

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// unitClass is what becomes of a NAL unit.
type unitClass uint8

// Parameter sets go into the header, in this order, and nowhere else: avc1 and hvc1 promise so, and Apple's players want them
// (ISO/IEC 14496-15, 5.3.2 and 8.3.2). Everything else but delimiters stays: captions are in SEI.
const (
	unitVPS unitClass = iota
	unitSPS
	unitPPS
	unitOther
	unitPicture // a coded slice
	unitRandom  // a coded slice of a picture that decoding can begin with
	unitDropped // access unit delimiter, end of sequence or stream, filler
)

// parameterSets are in the order in which they came; H.264 has no VPS.
type parameterSets [unitPPS + 1][][]byte

// syntax is H.264 or HEVC.
type syntax interface {
	class(nal []byte) unitClass
	// id of a parameter set; ok is false if it cannot be one.
	id(nal []byte) (id uint64, ok bool)
	// record reads avcC or hvcC: its parameter sets, and the bytes of a length.
	record(config []byte) (sets parameterSets, length int, err error)
	// stream describes what the parameter sets say.
	stream(sets *parameterSets) (*stream, error)
}

// nalCodec reads H.264 and HEVC, in Annex B or with lengths, with parameter sets in the stream or beside it.
type nalCodec struct {
	syntax
	length int // bytes of a length in payloads, if there are any; 0: not said
	sets   parameterSets
	now    *stream
}

// Bounds on parameter sets.
const (
	maxSets    = 16 // of a kind
	maxSetSize = 4096
)

func (c *nalCodec) stream() *stream { return c.now }

func (c *nalCodec) configure(config []byte) error {
	sets, length, err := c.record(config)
	if err != nil {
		return err
	}
	c.length = length
	if len(sets[unitSPS]) == 0 { // as for avc3 and hev1: they are in the stream
		return nil
	}
	return c.adopt(sets)
}

// adopt puts parameter sets in force, if they are others than those that are.
func (c *nalCodec) adopt(sets parameterSets) error {
	same := true
	for k := range sets {
		if len(sets[k]) > maxSets {
			return fail(0, fmt.Sprintf("%d parameter sets of one kind are too many", len(sets[k])))
		}
		for i, s := range sets[k] {
			if len(s) > maxSetSize {
				return fail(0, fmt.Sprintf("a parameter set has %d bytes: more than %d", len(s), maxSetSize))
			}
			same = same && i < len(c.sets[k]) && bytes.Equal(s, c.sets[k][i])
		}
		same = same && len(sets[k]) == len(c.sets[k])
	}
	if same && c.now != nil {
		return nil
	}
	for k := range sets { // payloads are not kept for the sake of their parameter sets
		for i, s := range sets[k] {
			sets[k][i] = bytes.Clone(s)
		}
	}
	now, err := c.syntax.stream(&sets)
	if err != nil {
		return err
	}
	c.sets, c.now = sets, now
	return nil
}

func (c *nalCodec) read(data []byte) (access, error) {
	var found parameterSets
	var picture, sync, changed bool
	var out []byte
	u := units{data: data, length: c.length}
	u.begin(c.now != nil)
	clean := u.length == 4
	size := 0
	for nal := u.next(); nal != nil; nal = u.next() {
		switch k := c.class(nal); k {
		case unitDropped:
			clean = false
		case unitVPS, unitSPS, unitPPS:
			found[k] = append(found[k], nal)
			clean, changed = false, true
		default:
			sync = sync || k == unitRandom && !picture
			picture = picture || k == unitPicture || k == unitRandom
			size += 4 + len(nal)
		}
	}
	if u.err != nil {
		return access{}, u.err
	}
	if changed {
		if err := c.merge(&found); err != nil {
			return access{}, err
		}
	}
	switch {
	case c.now == nil:
		return access{}, errNoHeader
	case !picture:
		return access{}, fail(0, "no coded picture in the access unit")
	case clean:
		return access{data: data, sync: sync}, nil
	}
	out = make([]byte, 0, size)
	u = units{data: data, length: c.length}
	u.begin(true)
	for nal := u.next(); nal != nil; nal = u.next() {
		if k := c.class(nal); k >= unitOther && k != unitDropped {
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(nal))), nal...)
		}
	}
	return access{data: out, sync: sync}, nil
}

// merge puts the parameter sets of an access unit in force. With a sequence parameter set come all; others replace their like.
func (c *nalCodec) merge(found *parameterSets) error {
	sets := c.sets
	for k := range found {
		if len(found[k]) == 0 {
			continue
		}
		var all [][]byte
		if len(found[unitSPS]) == 0 {
			all = append(all, sets[k]...)
		}
		for _, s := range found[k] {
			id, ok := c.id(s)
			if !ok || len(s) > maxSetSize {
				return fail(0, "a parameter set is malformed")
			}
			at := 0
			for at < len(all) {
				if other, _ := c.id(all[at]); other == id {
					break
				}
				at++
			}
			if at < len(all) {
				all[at] = s
			} else if all = append(all, s); len(all) > maxSets {
				return fail(0, fmt.Sprintf("more than %d parameter sets of one kind", maxSets))
			}
		}
		sets[k] = all
	}
	if len(sets[unitSPS]) == 0 {
		return nil
	}
	return c.adopt(sets)
}

// units takes the NAL units off a payload.
type units struct {
	data   []byte
	at     int
	length int // bytes of a length; 0: Annex B
	err    error
}

// begin finds out how units are told apart (draft-ietf-moq-loc, "Length Prefixes in Payload"): four bytes that hold 1 are a start
// code. A start code of three bytes could be a length as well: it is one if lengths then lead to the end of the payload.
func (u *units) begin(known bool) {
	d := u.data
	if u.length == 0 || !known {
		u.length = max(u.length, 0)
	}
	if u.length == 0 {
		u.length = 4
	}
	annexB := len(d) >= 4 && binary.BigEndian.Uint32(d) == 1 && u.length == 4
	if !annexB && len(d) >= 3 && d[0] == 0 && d[1] == 0 && d[2] == 1 {
		probe := units{data: d, length: u.length}
		for probe.next() != nil {
		}
		annexB = probe.err != nil
	}
	if annexB {
		u.length = 0
		u.skipCode()
	}
}

// skipCode moves behind a start code, and any zeros before it.
func (u *units) skipCode() {
	rest := u.data[u.at:]
	i := 0
	for i < len(rest) && rest[i] == 0 {
		i++
	}
	if i >= 2 && i < len(rest) && rest[i] == 1 {
		u.at += i + 1
		return
	}
	u.at = len(u.data)
}

// next is nil after the last unit and after an error.
func (u *units) next() []byte {
	for u.err == nil && u.at < len(u.data) {
		if u.length == 0 {
			if nal := u.code(); len(nal) > 0 {
				return nal
			}
			continue
		}
		if len(u.data)-u.at < u.length {
			u.err = fail(u.at, "the payload ends within the length of a NAL unit")
			return nil
		}
		size := 0
		for _, b := range u.data[u.at : u.at+u.length] {
			size = size<<8 | int(b)
		}
		if size == 0 || size > len(u.data)-u.at-u.length {
			u.err = fail(u.at, fmt.Sprintf("a NAL unit of %d bytes, but %d are left", size, len(u.data)-u.at-u.length))
			return nil
		}
		u.at += u.length + size
		return u.data[u.at-size : u.at]
	}
	return nil
}

// code is the unit up to the next start code, without trailing zeros.
func (u *units) code() []byte {
	rest := u.data[u.at:]
	end := bytes.Index(rest, []byte{0, 0, 1})
	if end < 0 {
		end = len(rest)
		u.at = len(u.data)
	} else {
		u.at += end
		u.skipCode()
	}
	return bytes.TrimRight(rest[:end], "\x00")
}
