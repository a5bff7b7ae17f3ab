package mux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/moqpack/moqpack/internal/media"
)

// Sample flags (ISO/IEC 14496-12, 8.8.3.1): a sync sample depends on no other; another one does, and is not a sync sample.
const (
	flagsSync    = 0x02000000
	flagsNonSync = 0x01010000
)

const (
	trackID = 1
	// Bytes of moof, mfhd, traf, tfhd, tfdt and trun up to its table, and of mdat's header.
	headSize = 8 + 16 + 8 + 16 + 20 + 20 + 8
)

// Sequence is the mfhd sequence number of part p of segment n: a function of the name, because two instances must agree.
func Sequence(n uint64, p int) uint32 { return uint32(n)<<8 + uint32(p) }

// Fragment is one moof and mdat with the samples, which follow each other without a hole in decode time.
func Fragment(sequence uint32, samples []media.Sample) ([]byte, error) {
	return fragment(trackID, sequence, samples)
}

func fragment(id, sequence uint32, samples []media.Sample) ([]byte, error) {
	if len(samples) == 0 || samples[0].DTS < 0 {
		return nil, errors.New("mux: a fragment needs samples from decode time 0 on")
	}
	flags, version, row := uint32(0x000701), uint32(0), 12 // data_offset; duration, size and flags of every sample
	size, offsets, negative := 0, false, false
	for i := range samples {
		size += len(samples[i].Data)
		offsets = offsets || samples[i].CTO != 0
		negative = negative || samples[i].CTO < 0
	}
	if offsets {
		flags, row = flags|0x000800, 16
	}
	if negative {
		version = 1
	}
	seal := sealOf(samples)
	head := headSize + row*len(samples) + seal.size()
	if int64(head)+int64(size) > math.MaxInt32 {
		return nil, fmt.Errorf("mux: %d samples with %d bytes are too much for one fragment", len(samples), size)
	}

	w := writer(make([]byte, 0, head+size))
	w.box(head-8, "moof")
	w.box(16, "mfhd")
	w.u32(0, sequence)
	w.box(head-8-8-16, "traf")
	w.box(16, "tfhd")
	w.u32(0x020000, id) // default-base-is-moof
	w.box(20, "tfdt")
	w.u32(1<<24, uint32(samples[0].DTS>>32), uint32(samples[0].DTS))
	w.box(20+row*len(samples), "trun")
	w.u32(version<<24|flags, uint32(len(samples)), uint32(head))
	for i := range samples {
		s := &samples[i]
		w.u32(s.Dur, uint32(len(s.Data)))
		if s.Sync {
			w.u32(flagsSync)
		} else {
			w.u32(flagsNonSync)
		}
		if offsets {
			w.u32(uint32(s.CTO))
		}
	}
	w.seal(&seal, samples)
	w.box(8+size, "mdat")
	for i := range samples {
		w = append(w, samples[i].Data...)
	}
	return w, nil
}

type writer []byte

func (w *writer) box(size int, kind string) {
	*w = append(binary.BigEndian.AppendUint32(*w, uint32(size)), kind...)
}

func (w *writer) u32(values ...uint32) {
	for _, v := range values {
		*w = binary.BigEndian.AppendUint32(*w, v)
	}
}
