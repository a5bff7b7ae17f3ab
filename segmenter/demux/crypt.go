package demux

import (
	"encoding/binary"

	"github.com/moqpack/moqpack/internal/media"
)

// Bytes of a sample entry before its boxes (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
const (
	visualHead = 78
	audioHead  = 28
)

const (
	maxSystems = 32 // pssh boxes of a header
	// maxAux is what saiz can say of one sample's auxiliary information (ISO/IEC 14496-12, 8.7.8).
	maxAux    = 255
	subsample = 6 // bytes of an entry
)

// tenc is what a sample entry says of the encryption of its samples (ISO/IEC 23001-7, 8.2). They are in the clear if it is zero.
type tenc struct {
	format string // of the samples: the four-character code of the entry, or the original one
	sealed bool
	iv     int // bytes of each sample's initialization vector; 0: the header has a constant one
}

func tencOf(entry *box) (tenc, error) {
	t := tenc{format: string(entry.kind[:])}
	head := audioHead
	switch t.format {
	case "encv":
		head = visualHead
	case "enca":
	default:
		return t, nil
	}
	r := entry.inside(head)
	sinf, ok := r.find("sinf")
	if !ok {
		return t, missing(&r, "sinf")
	}
	r = sinf.inside(0)
	var found bool
	for b, ok := r.next(); ok; b, ok = r.next() {
		f := fields{box: b}
		switch string(b.kind[:]) {
		case "frma":
			t.format = string(f.take(4))
		case "schi":
			in := b.inside(0)
			box, ok := in.find("tenc")
			if !ok {
				return t, missing(&in, "tenc")
			}
			f, found = fields{box: box}, true
			f.take(6) // version, flags, reserved and pattern
			protected := f.take(2)
			f.take(16) // KID
			if f.err == nil {
				t.sealed, t.iv = protected[0] != 0, int(protected[1])
			}
		}
		if f.err != nil {
			return t, f.err
		}
	}
	switch {
	case r.err != nil:
		return t, r.err
	case !found:
		return t, sinf.fail("no tenc")
	case t.iv != 0 && t.iv != 8 && t.iv != 16:
		return t, sinf.fail("initialization vectors of %d bytes: 0, 8 and 16 are allowed", t.iv)
	}
	return t, nil
}

// Encrypted reports whether the samples of the track are.
func (c *CMAF) Encrypted() bool { return c.tenc.sealed }

// aux reads the auxiliary information of the samples of a traf from its senc box (ISO/IEC 23001-7, 7.2.2).
type aux struct {
	tenc
	in         fields
	left       uint32 // samples that the box still describes
	subsamples bool
	found      bool
}

// auxOf looks for the senc box of a traf, which may stand behind the trun.
func (c *CMAF) auxOf(traf *box) (aux, error) {
	a := aux{tenc: c.tenc}
	r := traf.inside(0)
	for b, ok := r.next(); ok; b, ok = r.next() {
		switch kind := string(b.kind[:]); {
		case kind == "senc" && a.found:
			return a, b.fail("a second one")
		case kind == "senc":
			a.found, a.in = true, fields{box: b}
			_, flags := a.in.full()
			a.left, a.subsamples = a.in.u32(), flags&2 != 0
			if flags&1 != 0 {
				return a, b.fail("parameters that override the header's are not supported")
			}
		case (kind == "sgpd" || kind == "sbgp") && len(b.data) >= 8 && string(b.data[4:8]) == "seig":
			return a, b.fail("keys that change within a track (seig) are not supported")
		}
	}
	switch {
	case r.err != nil:
		return a, r.err
	case a.found && !a.sealed:
		return a, a.in.box.fail("samples are encrypted, but the header says that they are not")
	case !a.found && a.sealed && a.iv > 0:
		return a, traf.fail("samples are encrypted, but there is no senc box with their initialization vectors")
	}
	return a, a.in.err
}

// next is the auxiliary information of the next sample, which has so many bytes.
func (a *aux) next(size int) (*media.Crypt, error) {
	if !a.found {
		return nil, nil
	}
	if a.left == 0 {
		return nil, a.in.box.fail("it describes fewer samples than there are")
	}
	a.left--
	s := media.Crypt{IV: a.in.take(a.iv)}
	if a.subsamples {
		if n := a.in.take(2); n != nil {
			s.Subsamples = a.in.take(subsample * int(binary.BigEndian.Uint16(n)))
		}
	}
	switch {
	case a.in.err != nil:
		return nil, a.in.err
	case len(s.Subsamples) > 0 && sizes(s.Subsamples) != uint64(size):
		return nil, a.in.box.fail("subsamples of %d bytes in a sample of %d", sizes(s.Subsamples), size)
	case len(s.IV)+2+len(s.Subsamples) > maxAux:
		return nil, a.in.box.fail("%d subsamples are too many", len(s.Subsamples)/subsample)
	case len(s.IV) == 0 && len(s.Subsamples) == 0:
		return nil, nil // the header says all
	}
	return &s, nil
}

// sizes is how many bytes the subsamples have.
func sizes(subsamples []byte) (n uint64) {
	for ; len(subsamples) >= subsample; subsamples = subsamples[subsample:] {
		n += uint64(binary.BigEndian.Uint16(subsamples)) + uint64(binary.BigEndian.Uint32(subsamples[2:]))
	}
	return n
}
