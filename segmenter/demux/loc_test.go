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
