package demux

import (
	"slices"

	"github.com/moqpack/moqpack/internal/media"
)

// microsecond is the unit of LOC timestamps without a timescale: they count from 1970 (draft-ietf-moq-loc, "Timescale").
const microsecond = 1_000_000

// maxBlock bounds properties within a payload, in bytes, but for a decoder configuration.
const maxBlock = 64

// loc unwraps a LOC object. Its properties stand where its publisher's generation puts them: in the object's header, and what is
// private in a block of its own (the draft), or before the bitstream, as a block with its length (moq-dev) or as a number of pairs
// (Shaka). Wherever the timestamp stands, there stand the others, but for a timescale that the track has.
func loc(t *media.Track, o *media.Object) (frame, error) {
	properties, payload := o.Properties, o.Payload
	if private, rest, ok := locPrivate(payload); ok {
		properties, payload = slices.Concat(private, properties), rest
	}
	f := frame{data: payload}
	block, rest, isBlock := locBlock(payload)
	var ok bool
	if f.time, ok = locTime(properties, false); !ok {
		if properties, f.data, ok = block, rest, isBlock; !ok {
			properties, f.data, ok = locPairs(payload)
		}
		if f.time, _ = locTime(properties, true); !ok {
			return frame{}, fail(0, "no timestamp: neither in the object's properties nor before its payload")
		}
	} else if at, _ := locTime(block, true); isBlock && sameTime(f.time, locScale(t, properties, nil), at, locScale(t, block, nil)) {
		properties, f.data, f.time = block, rest, at
	}
	f.scale = locScale(t, properties, o.Properties)
	f.config = content(properties, propVideoConfig)
	if t.Kind == media.Audio {
		f.config = content(properties, propAudioConfig)
	}
	return f, nil
}

// locScale is what the timestamp counts in: what stands beside it says, or the catalog, or the track.
func locScale(t *media.Track, beside, track []media.Property) uint64 {
	if scale, ok := value(beside, propTimescale); ok {
		return scale
	}
	if t.Timescale > 0 {
		return uint64(t.Timescale)
	}
	if scale, ok := value(track, propTimescale); ok {
		return scale
	}
	return microsecond
}

// sameTime reports whether two timestamps mean the same, but for rounding. moq-dev says the time twice, in its block and in the
// frame's header, and a bitstream that happens to look like a block must not lose its beginning.
func sameTime(a, scaleA, b, scaleB uint64) bool {
	if scaleA == 0 || scaleB == 0 {
		return false
	}
	micros := func(v, scale uint64) int64 {
		return int64(v/scale*microsecond + v%scale*microsecond/scale)
	}
	apart := micros(a, scaleA) - micros(b, scaleB)
	tick := int64(microsecond/min(scaleA, scaleB, microsecond)) + 1
	return -tick <= apart && apart <= tick
}

// locTime is the timestamp, under the id of any draft. In LOC-00 and -01, which have it under another, 0x06 is the audio level, of
// one byte: in an object's header it is not taken for a time, while a payload has no such past. 0x0A up to 4 is moq-mi's.
func locTime(properties []media.Property, within bool) (uint64, bool) {
	if v, ok := value(properties, propTimestamp); ok {
		return v, true
	}
	if v, ok := value(properties, propTimestamp06); ok && (within || v > 0xff) {
		return v, true
	}
	if v, ok := value(properties, propTimestamp0A); ok && v > 4 {
		return v, true
	}
	return value(properties, propTimestamp02)
}

// locPrivate takes the private properties off a payload (draft-ietf-moq-loc-04, "MOQ Object Mapping"): their type, their length,
// and pairs whose types ascend and are written as differences. aiomoqt always has that block, others never, and nothing says which.
// So it is known by its look: no NAL unit is as long as the block would say, no frame of VP9 or AAC begins with 0x0A, and a sequence
// header of AV1, which does, is no list of LOC's properties.
func locPrivate(payload []byte) (properties []media.Property, rest []byte, ok bool) {
	if len(payload) == 0 || payload[0] != propPrivate {
		return nil, nil, false
	}
	size, n := vi64(payload[1:])
	if n == 0 || size > uint64(len(payload)-1-n) {
		return nil, nil, false
	}
	r := varints{data: payload[1+n:][:size], vi: true}
	for kind := uint64(0); len(r.data) > 0 && !r.bad && len(properties) < maxBlock; {
		kind += r.next()
		if !slices.Contains([]uint64{propTimescale, propFrameMarking, propAudioLevel, propVideoConfig, propAudioConfig, propTimestamp}, kind) {
			return nil, nil, false
		}
		properties = append(properties, r.pair(kind))
	}
	return properties, payload[1+n:][size:], !r.bad && len(r.data) == 0
}

// locBlock takes moq-dev's block off a payload: its length, and pairs whose types ascend and are written as differences. To be
// one, it must have a timestamp and end where it says.
func locBlock(payload []byte) (properties []media.Property, rest []byte, ok bool) {
	r := varints{data: payload}
	size := r.next()
	if r.bad || size == 0 || size > uint64(len(r.data)) {
		return nil, nil, false
	}
	rest = r.data[size:]
	r.data = r.data[:size]
	kind, plain := uint64(0), uint64(0)
	for len(r.data) > 0 && !r.bad && len(properties) < maxBlock {
		before := len(r.data)
		kind += r.next()
		properties = append(properties, r.pair(kind))
		if kind%2 == 0 {
			plain += uint64(before - len(r.data))
		}
	}
	if r.bad || len(r.data) > 0 || plain > maxBlock {
		return nil, nil, false
	}
	return properties, rest, stamped(properties)
}

// locPairs takes Shaka's pairs off a payload: their number, and each with its whole type.
func locPairs(payload []byte) (properties []media.Property, rest []byte, ok bool) {
	r := varints{data: payload}
	n := r.next()
	if r.bad || n == 0 || n > maxBlock/2 {
		return nil, nil, false
	}
	for range n {
		properties = append(properties, r.pair(r.next()))
	}
	return properties, r.data, !r.bad && stamped(properties)
}

// stamped reports whether properties within a payload hold a timestamp, and nothing that LOC does not know.
func stamped(properties []media.Property) bool {
	for i := range properties {
		if properties[i].Type > propTimestamp {
			return false
		}
	}
	_, a := value(properties, propTimestamp)
	_, b := value(properties, propTimestamp06)
	return a || b
}
