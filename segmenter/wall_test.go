package segmenter_test

import (
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// late are the objects as they arrive after so many microseconds on a way of their own.
func late(objects []object, micros int64) (all []object) {
	for _, o := range objects {
		o.at += micros
		all = append(all, o)
	}
	return all
}

// Media time begins at zero, and the catalog says when that was: whoever joins and whatever the way there takes, segments have the same
// numbers, those of that time.
func TestTheWallClockOfTheCatalogNumbersTheSegments(t *testing.T) {
	v, a := video("v", 12800, 512, 25, 0), audio("a", 48000, 960, 0)
	began := time.Unix(unix-7200, 400e6) // the publisher has been running for two hours
	all := late(interleave(v.objects(t, 7200*25, 7200*25+300), a.objects(t, 7200*50, 7200*50+600)), began.UnixMicro())
	var first *channel
	for _, delay := range []int64{0, 900_000, 3_300_000} {
		c := newChannel(t, cfg())
		tracks := []media.Track{v.track(t), a.track(t)}
		tracks[1].Anchor = began // of any track
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), tracks); err != nil {
			t.Fatal(err)
		}
		objects := late(all, delay)
		c.send(objects[int(delay/25_000):]...)
		e := c.line("v").Timeline.Load().Current()
		if e.Arrival || e.Origin != (unix-7200)*12800 {
			t.Errorf("after %d ms: media time zero is at %d, from arrival: %v", delay/1000, e.Origin/12800, e.Arrival)
		}
		if first == nil {
			first = c
			continue
		}
		shared := 0
		for key, body := range c.store.data {
			if other, ok := first.store.data[key]; ok {
				if shared++; string(other) != string(body) {
					t.Errorf("%s has two contents", key)
				}
			}
		}
		if shared < 10 {
			t.Errorf("after %d ms: %d names are shared", delay/1000, shared)
		}
	}
}

// A wall clock that is more than a day off is none.
func TestAWildWallClockIsNotBelieved(t *testing.T) {
	v := video("v", 12800, 512, 25, 0)
	c := newChannel(t, cfg())
	track := v.track(t)
	track.Anchor = time.Unix(unix-3*24*3600, 0)
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{track}); err != nil {
		t.Fatal(err)
	}
	c.send(late(v.objects(t, 0, 200), unix*1e6)...)
	if e := c.line("v").Timeline.Load().Current(); !e.Arrival || e.Origin != unix*12800 {
		t.Errorf("%+v", e)
	}
}

// moq-mi says with every object when it was sent: that counts, and not when it arrives.
func TestTheWallClockOfMoqMINumbersTheSegments(t *testing.T) {
	data, err := os.ReadFile("../testdata/cmaf/h264-2997.mp4")
	if err != nil {
		t.Fatal(err)
	}
	clip, err := live.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Unix(unix-3600, 0)
	s, err := live.NewSource(live.Track{Name: "video0", Clip: clip, Packing: live.Packing{As: media.MoqMI}}, began)
	if err != nil {
		t.Fatal(err)
	}
	var origin int64
	for _, delay := range []time.Duration{0, 1900 * time.Millisecond} {
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{{Name: "video0", Kind: media.Video, Packaging: media.MoqMI, Namespace: []string{"x"}}}); err != nil {
			t.Fatal(err)
		}
		l, _ := s.Largest(time.Unix(unix, 0))
		for l = (media.Location{Group: l.Group + 1}); s.Due(l).Before(time.Unix(unix+12, 0)); l = s.Next(l) {
			o, err := s.Object(l)
			if err != nil {
				t.Fatal(err)
			}
			c.send(object{"video0", s.Due(l).Add(delay).UnixMicro(), o})
		}
		e := c.line("video0").Timeline.Load().Current()
		if origin == 0 {
			origin = e.Origin
		}
		if e.Origin != origin {
			t.Errorf("after %v media time zero is at %d, and at %d at once", delay, e.Origin, origin)
		}
	}
}

// A producer reference time says the wall clock of some media time: that counts, and not when the object arrives.
func TestTheWallClockOfTheProducerNumbersTheSegments(t *testing.T) {
	v := video("v", 12800, 512, 25, 0)
	began := time.Unix(unix-3600, 0)
	all := v.objects(t, 3600*25, 3600*25+300)
	for i := range all {
		at := uint64(3600*25+i) * 512
		ntp := uint64(began.Unix()+2208988800)<<32 + at<<32/12800
		b := append(binary.BigEndian.AppendUint32(nil, 32), "prft\x01\x00\x00\x00\x00\x00\x00\x01"...)
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, ntp), at)
		all[i].Payload = append(b, all[i].Payload...)
	}
	for _, delay := range []int64{0, 1_900_000} {
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t)}); err != nil {
			t.Fatal(err)
		}
		c.send(late(all, began.UnixMicro()+delay)...)
		if e := c.line("v").Timeline.Load().Current(); e.Origin != began.Unix()*12800 {
			t.Errorf("after %d ms media time zero is at %d, want %d", delay/1000, e.Origin/12800, began.Unix())
		}
	}
}
