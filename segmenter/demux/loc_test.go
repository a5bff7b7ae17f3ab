package demux

import (
	"bytes"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
)

// moq-dev's transports have timestamps of their own beside those of its block.
func TestABlockThatRepeatsTheTimeIsNoBitstream(t *testing.T) {
	payload := []byte("\x05\x10\x80\x0f\x42\x40data") // one second
	at := func(scale, v uint64) []media.Property {
		return []media.Property{{Type: 0x08, Value: scale}, {Type: 0x10, Value: v}}
	}
	for _, tt := range []struct {
		name       string
		properties []media.Property
		time       uint64
		data       string
	}{
		{"no properties", nil, 1e6, "data"},
		{"the same time", at(1e6, 1e6), 1e6, "data"},
		{"the same time in another scale", at(90000, 90000), 1e6, "data"},
		{"but for rounding", at(30, 31), 1e6, "data"},
		{"another time", at(90000, 180000), 180000, string(payload)},
		{"a time out of any range", at(1, 1<<62-1), 1<<62 - 1, string(payload)},
		{"a scale of nothing", at(0, 1), 1, string(payload)},
	} {
		f, err := loc(&media.Track{Kind: media.Video}, &media.Object{Properties: tt.properties, Payload: payload})
		if err != nil || f.time != tt.time || !bytes.Equal(f.data, []byte(tt.data)) {
			t.Errorf("%s: %d, %q, %v", tt.name, f.time, f.data, err)
		}
	}
}

// The private properties of LOC-04 stand before the bitstream, and an empty block of them is two bytes.
func TestPrivatePropertiesAreNoBitstream(t *testing.T) {
	public := []media.Property{{Type: 0x10, Value: 1e6}}
	for _, tt := range []struct {
		name, payload string
		properties    []media.Property
		time          uint64
		data, config  string
	}{
		{"an empty block", "\x0a\x00\x00\x00\x00\x04data", public, 1e6, "\x00\x00\x00\x04data", ""},
		{"a property beyond the block", "\x0a\x03\x0d\x02abdata", public, 1e6, "\x0a\x03\x0d\x02abdata", ""},
		{"a configuration and a time", "\x0a\x08\x0d\x02ab\x03\xcf\x42\x40data", nil, 0xf4240, "data", "ab"},
		{"a sequence header of AV1", "\x0a\x0b\x00\x00\x00\x24\xc4\xff\xdf\x3f\xfe\x84\x0cdata", public, 1e6,
			"\x0a\x0b\x00\x00\x00\x24\xc4\xff\xdf\x3f\xfe\x84\x0cdata", ""},
		{"a block beyond the payload", "\x0a\x09\x0c\x00", public, 1e6, "\x0a\x09\x0c\x00", ""},
		{"moq-dev's block of ten bytes", "\x0a\x08\x80\x0f\x42\x40\x08\x80\x0f\x42\x40data", nil, 1e6, "data", ""},
	} {
		f, err := loc(&media.Track{Kind: media.Video}, &media.Object{Properties: tt.properties, Payload: []byte(tt.payload)})
		if err != nil || f.time != tt.time || string(f.data) != tt.data || string(f.config) != tt.config {
			t.Errorf("%s: %d, %q, %q, %v", tt.name, f.time, f.data, f.config, err)
		}
	}
}

// The frame of 96,000 units is at two seconds of 48 kHz. A timescale is a property of the track, which the subscriber hands to all its
// objects, or of the object (draft-ietf-moq-loc, "Timescale"); or the catalog has it.
func TestTheTimescaleIsWhereverItMayBe(t *testing.T) {
	const time = "\x80\x01\x77\x00" // 96,000
	stamp, scale := media.Property{Type: 0x10, Value: 96000}, media.Property{Type: 0x08, Value: 48000}
	for _, tt := range []struct {
		name       string
		catalog    uint32
		properties []media.Property
		payload    string
		scale      uint64
	}{
		{"beside the timestamp", 90000, []media.Property{stamp, scale}, "data", 48000},
		{"in the catalog", 48000, []media.Property{stamp}, "data", 48000},
		{"nowhere", 0, []media.Property{stamp}, "data", 1e6},
		{"in the private block, instead of the track's", 0, []media.Property{stamp, {Type: 0x08, Value: 90000}}, "\x0a\x04\x08\xc0\xbb\x80data", 48000},
		{"of the track, and the timestamp is private", 0, []media.Property{scale}, "\x0a\x04\x10\xc1\x77\x00data", 48000},
		{"in moq-dev's block", 0, nil, "\x0a\x08\x80\x00\xbb\x80\x08" + time + "data", 48000},
		{"of the track, for moq-dev's block", 0, []media.Property{scale}, "\x05\x10" + time + "data", 48000},
		{"of the track's transport, while the catalog is of moq-dev's block", 48000, []media.Property{{Type: 0x08, Value: 1000}}, "\x05\x10" + time + "data", 48000},
		{"before Shaka's frame", 0, nil, "\x02\x10" + time + "\x08\x80\x00\xbb\x80data", 48000},
	} {
		track := media.Track{Kind: media.Audio, Timescale: tt.catalog}
		f, err := loc(&track, &media.Object{Properties: tt.properties, Payload: []byte(tt.payload)})
		if err != nil || f.time != 96000 || f.scale != tt.scale || string(f.data) != "data" {
			t.Errorf("%s: %d in units of 1/%d s, %q, %v", tt.name, f.time, f.scale, f.data, err)
		}
	}
}

func TestAFrameWithoutMediaIsNoFault(t *testing.T) {
	f, _, err := NewFrames(&media.Track{Kind: media.Audio, Packaging: media.Legacy, Codec: "opus", SampleRate: 48000, Channels: "2"})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range f.Read(nil, &media.Object{Payload: []byte{0x40, 0x64}}) {
		if u.Err != nil || len(u.Samples) > 0 {
			t.Errorf("%+v", u)
		}
	}
}
