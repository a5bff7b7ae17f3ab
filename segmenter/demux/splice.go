package demux

import "fmt"

// Signal is one thing that a message of SCTE 35 announces.
type Signal struct {
	Event   uint32 // splice_event_id or segmentation_event_id; 0 none
	Type    uint8  // segmentation_type_id; 0 of a splice_insert, and of what is neither
	Out, In bool   // the programme is left here, or comes back; neither: something else
	Cancels bool   // an earlier signal of the event
	PTS     int64  // in 90 kHz, adjusted, of 33 bits; -1: none
	Dur     int64  // in 90 kHz; 0 unknown
}

// Commands and descriptors of ANSI/SCTE 35 2023, 9.7 and 10.
const (
	spliceTable       = 0xFC
	spliceNull        = 0x00
	spliceInsert      = 0x05
	spliceTimeSignal  = 0x06
	spliceBandwidth   = 0x07
	tagSegmentation   = 0x02
	cuei              = 0x43554549
	spliceUnspecified = 0xFFF // splice_command_length of old encoders
)

// maxSignals bounds what one message announces: each becomes an event.
const maxSignals = 32

// PTSPeriod is after how many ticks the clock of an MPEG-2 transport stream begins anew: 26.5 hours.
const PTSPeriod = 1 << 33

// Splice reads a splice_info_section, and returns it without what stands behind it. Its CRC is not checked: QUIC has carried it
// whole, and there are publishers, and examples, that leave it zero.
func Splice(data []byte) (section []byte, signals []Signal, err error) {
	r := cursor{data: data}
	table, length := r.u(8), r.u(16)&0xFFF
	switch {
	case r.err != nil:
		return nil, nil, r.err
	case table != spliceTable:
		return nil, nil, fail(0, fmt.Sprintf("table %#02x is no splice_info_section", table))
	case length > uint64(len(data)-3):
		return nil, nil, fail(1, fmt.Sprintf("section_length is %d, but %d bytes are left", length, len(data)-3))
	case length < 17:
		return nil, nil, fail(1, fmt.Sprintf("section_length is %d, which is too short", length))
	}
	section = data[:3+length]
	r.data = section[:len(section)-4]
	r.u(8) // protocol_version
	encrypted := r.u(1) == 1
	r.u(6)
	adjustment := r.u(33)
	r.u(8 + 12) // cw_index, tier
	size := r.u(12)
	command := r.u(8)
	if encrypted {
		return section, []Signal{{PTS: -1}}, nil
	}
	begin := r.at / 8
	signals, pts := r.command(command)
	if size != spliceUnspecified {
		if r.err == nil && r.at/8 > begin+int(size) && (command == spliceInsert || command == spliceTimeSignal) {
			r.err = fail(begin, fmt.Sprintf("splice_command_length is %d, but the command has %d bytes", size, r.at/8-begin))
		}
		r.at = (begin + int(size)) * 8
	}
	if command == spliceNull || command == spliceTimeSignal {
		if described := r.descriptors(pts); len(described) > 0 {
			signals = described
		}
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	for i := range signals {
		if s := &signals[i]; s.PTS >= 0 {
			s.PTS = (s.PTS + int64(adjustment)) & (PTSPeriod - 1)
		}
	}
	return section, signals, nil
}

// command reads the splice command, and the time of a time_signal.
func (r *cursor) command(command uint64) (signals []Signal, pts int64) {
	switch command {
	case spliceNull, spliceBandwidth: // they say nothing
		return nil, -1
	case spliceInsert:
		return []Signal{r.insert()}, -1
	case spliceTimeSignal:
		pts = r.time()
		return []Signal{{PTS: pts}}, pts
	}
	return []Signal{{PTS: -1}}, -1
}

// insert reads a splice_insert (9.7.3).
func (r *cursor) insert() Signal {
	s := Signal{Event: uint32(r.u(32)), PTS: -1}
	s.Cancels = r.u(1) == 1
	r.u(7)
	if s.Cancels {
		return s
	}
	s.Out = r.u(1) == 1
	s.In = !s.Out
	program, timed, immediate := r.u(1) == 1, r.u(1) == 1, r.u(1) == 1
	r.u(4)
	if program && !immediate {
		s.PTS = r.time()
	}
	if !program {
		for range r.u(8) {
			if r.u(8); !immediate {
				if pts := r.time(); s.PTS < 0 {
					s.PTS = pts
				}
			}
		}
	}
	if timed {
		r.u(7)
		s.Dur = int64(r.u(33))
	}
	r.u(16 + 8 + 8) // unique_program_id, avail_num, avails_expected
	return s
}

// time reads a splice_time (9.8.1).
func (r *cursor) time() int64 {
	if r.u(1) == 0 {
		r.u(7)
		return -1
	}
	r.u(6)
	return int64(r.u(33))
}

// descriptors reads what is segmented at pts (10.3.3).
func (r *cursor) descriptors(pts int64) (signals []Signal) {
	end := r.at/8 + 2
	if end += int(r.u(16)); r.err == nil && end > len(r.data) {
		r.err = fail(r.at/8-2, fmt.Sprintf("descriptor_loop_length reaches %d bytes beyond the section", end-len(r.data)))
	}
	for r.err == nil && r.at/8 < end {
		at := r.at / 8
		tag, size := r.u(8), int(r.u(8))
		next := at + 2 + size
		if r.err == nil && next > end {
			r.err = fail(at, fmt.Sprintf("a descriptor of %d bytes reaches beyond its loop", size))
		}
		if r.err == nil && len(signals) == maxSignals {
			r.err = fail(at, fmt.Sprintf("more than %d descriptors", maxSignals))
		}
		if r.err == nil && tag == tagSegmentation && size >= 4 && r.u(32) == cuei {
			in := cursor{data: r.data[:next], at: r.at}
			signals = append(signals, in.segmentation(pts))
			r.err = in.err
		}
		r.at = next * 8
	}
	return signals
}

// segmentation reads a segmentation_descriptor behind its identifier.
func (r *cursor) segmentation(pts int64) Signal {
	s := Signal{Event: uint32(r.u(32)), PTS: pts}
	s.Cancels = r.u(1) == 1
	r.u(7)
	if s.Cancels {
		return s
	}
	program, timed := r.u(1) == 1, r.u(1) == 1
	r.u(6)
	if !program {
		for range r.u(8) {
			r.u(8 + 7)
			r.u(33)
		}
	}
	if timed {
		s.Dur = int64(r.u(40))
	}
	r.u(8) // segmentation_upid_type
	r.skip(int(r.u(8)))
	s.Type = uint8(r.u(8))
	s.Out, s.In = leaves(s.Type), s.Type > 0 && leaves(s.Type-1)
	return s
}

// leaves reports whether a segmentation begins what is not the programme: a break, an advertisement, or an opportunity for one.
func leaves(kind uint8) bool {
	switch kind {
	case 0x22, 0x30, 0x32, 0x34, 0x36, 0x38, 0x3A, 0x44, 0x46:
		return true
	}
	return false
}

// cursor reads numbers of bits. After the first failure it returns zeros, and err says where that was.
type cursor struct {
	data []byte
	at   int // in bits
	err  error
}

func (r *cursor) u(bits int) (v uint64) {
	if r.err != nil {
		return 0
	}
	if bits > 8*len(r.data)-r.at {
		r.err = fail(r.at/8, "the section ends within a field")
		return 0
	}
	for range bits {
		v = v<<1 | uint64(r.data[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

func (r *cursor) skip(bytes int) {
	if r.err == nil && 8*bytes > 8*len(r.data)-r.at {
		r.err = fail(r.at/8, "the section ends within a field")
		return
	}
	r.at += 8 * bytes
}
