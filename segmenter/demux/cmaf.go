package demux

import (
	"math"

	"github.com/moqpack/moqpack/internal/media"
)

// Bounds on what one object may claim.
const (
	maxSamples = 1 << 16
	maxTime    = math.MaxInt64 / 2 // ticks, so that a time and a few durations never overflow
	maxSample  = 10                // seconds
	maxSilence = 24 * 3600         // seconds of a sample of text
)

// Flags of tfhd and trun (ISO/IEC 14496-12, 8.8.7 and 8.8.8).
const (
	tfhdBase     = 0x000001
	tfhdEntry    = 0x000002
	tfhdDuration = 0x000008
	tfhdSize     = 0x000010
	tfhdFlags    = 0x000020

	trunOffset     = 0x000001
	trunFirstFlags = 0x000004
	trunDuration   = 0x000100
	trunSize       = 0x000200
	trunFlags      = 0x000400
	trunCTO        = 0x000800

	sampleIsNonSync = 0x00010000
)

// Samples appends the samples of a payload (without header, see Head) to dst. Their data are slices of the payload.
//
// An edit list is applied: in video to the composition offsets, in audio to the decode times, which drops samples that lie
// wholly before the edit at the very beginning of a track.
func (c *CMAF) Samples(dst []media.Sample, payload []byte) ([]media.Sample, error) {
	r := boxes{data: payload}
	start := len(dst)
	var moof box
	for b, ok := r.next(); ok; b, ok = r.next() {
		switch string(b.kind[:]) {
		case "moof":
			if moof.data != nil {
				return dst[:start], moof.fail("no mdat follows")
			}
			moof = b
		case "mdat":
			if moof.data == nil {
				return dst[:start], b.fail("no moof before it")
			}
			f := fragment{CMAF: c, payload: payload, base: moof.at, next: b.body, from: b.body, to: b.body + len(b.data), dst: dst, start: start}
			if err := f.moof(&moof); err != nil {
				return dst[:start], err
			}
			dst, moof = f.dst, box{}
		}
	}
	switch {
	case r.err != nil:
		return dst[:start], r.err
	case moof.data != nil:
		return dst[:start], moof.fail("no mdat follows")
	case len(dst) == start:
		return dst, &Error{Reason: "no sample"}
	}
	return dst, nil
}

// fragment reads one moof and its mdat.
type fragment struct {
	*CMAF
	payload  []byte
	base     int // what data_offset counts from
	from, to int // where the mdat's content lies in the payload
	next     int // where the next sample's data lies
	time     int64
	aux      aux

	dst   []media.Sample
	start int // number of samples in dst before this object
}

func (f *fragment) moof(moof *box) error {
	r := moof.inside(0)
	for b, ok := r.next(); ok; b, ok = r.next() {
		if string(b.kind[:]) != "traf" {
			continue
		}
		if err := f.traf(&b); err != nil {
			return err
		}
	}
	return r.err
}

func (f *fragment) traf(traf *box) error {
	var d defaults
	var timed bool
	var err error
	if f.aux, err = f.auxOf(traf); err != nil {
		return err
	}
	r := traf.inside(0)
	for b, ok := r.next(); ok; b, ok = r.next() {
		switch string(b.kind[:]) {
		case "tfhd":
			d, err = f.tfhd(&b)
		case "tfdt":
			timed, err = true, f.tfdt(&b)
		case "trun":
			switch {
			case !d.ok:
				err = b.fail("no tfhd before it")
			case !timed:
				err = b.fail("no tfdt before it")
			default:
				err = f.trun(&b, d)
			}
		}
		if err != nil {
			return err
		}
	}
	if f.aux.left > 0 {
		return f.aux.in.box.fail("it describes %d samples more than there are", f.aux.left)
	}
	return r.err
}

// defaults hold for the samples of a traf.
type defaults struct {
	duration, size, flags uint32
	ok                    bool
}

func (f *fragment) tfhd(b *box) (defaults, error) {
	in := fields{box: *b}
	d := defaults{f.duration, f.size, f.flags, true}
	_, flags := in.full()
	if id := in.u32(); in.err == nil && id != f.track {
		return d, b.fail("track %d, but the header describes track %d", id, f.track)
	}
	if flags&tfhdBase != 0 {
		// A position in a file that does not exist here: publishers that write it mean the moof.
		in.u64()
	}
	if flags&tfhdEntry != 0 {
		in.u32()
	}
	if flags&tfhdDuration != 0 {
		d.duration = in.u32()
	}
	if flags&tfhdSize != 0 {
		d.size = in.u32()
	}
	if flags&tfhdFlags != 0 {
		d.flags = in.u32()
	}
	return d, in.err
}

func (f *fragment) tfdt(b *box) error {
	in := fields{box: *b}
	version, _ := in.full()
	t := in.word(version)
	if t > maxTime {
		return b.fail("decode time %d is out of range", t)
	}
	f.time = int64(t)
	if f.Kind != media.Video {
		f.time -= f.edit
	}
	return in.err
}

func (f *fragment) trun(b *box, d defaults) error {
	in := fields{box: *b}
	version, flags := in.full()
	count := in.u32()
	if flags&trunOffset != 0 {
		offset := int64(int32(in.u32()))
		if at := int64(f.base) + offset; at >= int64(f.from) && at <= int64(f.to) {
			f.next = int(at)
		} else if in.err == nil {
			return b.fail("data_offset %d points outside of the mdat", offset)
		}
	}
	first := d.flags
	if flags&trunFirstFlags != 0 {
		first = in.u32()
	}
	if in.err != nil {
		return in.err
	}
	per := 0
	for _, field := range [...]uint32{trunDuration, trunSize, trunFlags, trunCTO} {
		if flags&field != 0 {
			per += 4
		}
	}
	if uint64(count) > uint64(maxSamples-(len(f.dst)-f.start)) {
		return b.fail("%d samples are too many for one object", count)
	}
	if left := len(b.data) - in.pos; uint64(count)*uint64(per) > uint64(left) {
		return b.fail("%d samples do not fit into %d bytes", count, left)
	}
	for i := range count {
		s := defaults{d.duration, d.size, d.flags, true}
		if i == 0 {
			s.flags = first
		}
		if flags&trunDuration != 0 {
			s.duration = in.u32()
		}
		if flags&trunSize != 0 {
			s.size = in.u32()
		}
		if flags&trunFlags != 0 {
			s.flags = in.u32()
		}
		var cto uint32
		if flags&trunCTO != 0 {
			cto = in.u32()
		}
		if err := f.sample(b, s, cto, version); err != nil {
			return err
		}
	}
	return nil
}

func (f *fragment) sample(b *box, s defaults, cto uint32, version byte) error {
	i := len(f.dst) - f.start
	longest := uint64(maxSample)
	if f.Kind == media.Text {
		longest = maxSilence
	}
	switch {
	case s.duration == 0:
		return b.fail("sample %d lasts 0 ticks", i)
	case uint64(s.duration) > longest*uint64(f.Timescale):
		return b.fail("sample %d lasts %d ticks: more than %d s", i, s.duration, longest)
	case s.size == 0 && f.Kind != media.Text:
		return b.fail("sample %d has 0 bytes", i)
	case uint64(s.size) > uint64(f.to-f.next):
		return b.fail("sample %d has %d bytes, but %d are left in the mdat", i, s.size, f.to-f.next)
	case f.time > maxTime:
		return b.fail("decode time of sample %d is out of range", i)
	}
	offset := int64(cto)
	if version != 0 {
		offset = int64(int32(cto))
	}
	if f.Kind == media.Video {
		offset -= f.edit
	}
	if limit := maxSample * int64(f.Timescale); offset > min(limit, math.MaxInt32) || offset < max(-limit, math.MinInt32) {
		return b.fail("composition offset %d of sample %d is out of range", offset, i)
	}
	m := media.Sample{
		DTS: f.time, CTO: int32(offset), Dur: s.duration,
		Sync: f.Kind != media.Video || s.flags&sampleIsNonSync == 0,
		Data: f.payload[f.next : f.next+int(s.size) : f.next+int(s.size)],
	}
	var err error
	if m.Crypt, err = f.aux.next(len(m.Data)); err != nil {
		return err
	}
	if f.Kind == media.Video && (!f.tenc.sealed || m.Crypt != nil && m.Crypt.Subsamples != nil) {
		// Publishers that leave the flags at 0 call every sample a sync sample: the bitstream knows better.
		if sync, known := f.nal.sync(m.Data); known {
			m.Sync = sync
		}
	}
	if f.wvtt {
		if m.Data, err = shown(m.Data); err != nil {
			return err
		}
	}
	f.next += int(s.size)
	f.time += int64(s.duration)
	if m.DTS >= 0 {
		f.dst = append(f.dst, m)
	}
	return nil
}
