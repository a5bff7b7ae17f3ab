package demux_test

import (
	"encoding/binary"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// prft is a ProducerReferenceTimeBox.
func prft(version byte, ntp, at uint64) []byte {
	b := binary.BigEndian.AppendUint64(u32(uint32(version)<<24, 7), ntp)
	if version == 0 {
		return box("prft", b, u32(uint32(at)))
	}
	return box("prft", binary.BigEndian.AppendUint64(b, at))
}

func TestProducersTellTheTime(t *testing.T) {
	samples := want()
	last := samples[len(samples)-1]
	end := uint64(last.DTS) + uint64(last.Dur) // in milliseconds, as the header counts
	const half = 1_800_000_000<<32 + 2208988800<<32 + 1<<31
	for _, tt := range []struct {
		name  string
		boxes []byte
		want  int64
	}{
		{"of the end", prft(1, half, end), 1_800_000_000_500},
		{"of a second before", prft(1, half, end-10), 1_800_000_000_510},
		{"in 32 bits", prft(0, half, end), 1_800_000_000_500},
		{"before others", cat(prft(1, half, end), box("free")), 1_800_000_000_500},
		{"behind others", cat(box("free"), prft(1, half, end)), 1_800_000_000_500},
		{"of a time that is far away", prft(1, half, end+1<<40), 0},
		{"of a time that cannot be", prft(1, half, 1<<64-1), 0},
		{"of no time", prft(1, 0, end), 0},
		{"cut off", box("prft", u32(1<<24, 7)), 0},
		{"none", nil, 0},
	} {
		track := media.Track{Kind: media.Audio, Packaging: media.CMAF, Init: header(nil, false)}
		c, _, err := demux.NewChunks(&track)
		if err != nil {
			t.Fatal(err)
		}
		o := media.Object{Payload: cat(tt.boxes, plain)}
		if u := c.Read(nil, &o)[0]; u.Err != nil || u.Wall != tt.want {
			t.Errorf("%s: %d, want %d; %v", tt.name, u.Wall, tt.want, u.Err)
		}
	}
}

func TestProducersTellTheTimeInLOCMAF(t *testing.T) {
	s := clip(t, "h264-2997.mp4", live.Packing{As: media.LOCMAF})
	track := media.Track{Kind: media.Video, Packaging: media.LOCMAF, Init: s.Init()}
	read := func(before []byte) demux.Unit {
		r, _, err := demux.NewLOCMAF(&track)
		if err != nil {
			t.Fatal(err)
		}
		o := clipObject(t, s, 0)
		o.Payload = cat(before, o.Payload)
		return r.Read(nil, &o)[0]
	}
	u := read(nil)
	last := u.Samples[len(u.Samples)-1]
	p := prft(1, 1_800_000_000<<32+2208988800<<32+1<<31, uint64(last.DTS)+uint64(last.Dur))
	if u.Wall != 0 {
		t.Errorf("%d without one", u.Wall)
	}
	if u := read(cat([]byte{1, byte(len(p))}, p)); u.Wall != 1_800_000_000_500 || u.Err != nil {
		t.Errorf("%d, %v", u.Wall, u.Err)
	}
}
