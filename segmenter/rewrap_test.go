package segmenter_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// stretchOf are the objects of a clip between two seconds, under the name of another track.
func stretchOf(t *testing.T, name, file string, p live.Packing, from, to int64) (all []object) {
	t.Helper()
	s := clipSource(t, file, p)
	l, _ := s.Largest(time.Unix(unix+from, 0))
	for l = (media.Location{Group: l.Group + 1}); s.Due(l).Before(time.Unix(unix+to, 0)); l = s.Next(l) {
		o, err := s.Object(l)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object{name, s.Due(l).UnixMicro(), o})
	}
	return all
}

// moved changes the group of objects, so that they come behind those of another clip.
func moved(objects []object, by uint64) []object {
	for i := range objects {
		objects[i].Group += by
	}
	return objects
}

// rewrap publishes one clip for some seconds and another one behind it as the same track.
func rewrap(t *testing.T, track media.Track, first, second []object) *channel {
	t.Helper()
	c := newChannel(t, cfg())
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{track}); err != nil {
		t.Fatal(err)
	}
	c.send(first...)
	c.send(second...)
	if err := c.End(t.Context()); err != nil {
		t.Error(err)
	}
	return c
}

func TestNewHeadersInTheStreamOpenAnEpoch(t *testing.T) {
	avc := media.Track{Name: "v", Kind: media.Video, Packaging: media.LOC, Codec: "avc3.42c00b", MaxGroupDuration: 1001 * time.Millisecond}
	inBand := live.Packing{As: media.LOC, Bare: live.Bare{InBand: true}}
	property := live.Packing{As: media.LOC, Bare: live.Bare{Property: true}}
	interop := live.Packing{As: media.MoqMI}
	for name, tt := range map[string]struct {
		track   media.Track
		packing live.Packing
	}{
		"parameter sets":    {avc, inBand},
		"a config property": {avc, property},
		"moq-mi":            {media.Track{Name: "v", Kind: media.Video, Packaging: media.MoqMI}, interop},
	} {
		t.Run(name, func(t *testing.T) {
			first := stretchOf(t, "v", "h264-2997.mp4", tt.packing, 0, 8)
			second := moved(stretchOf(t, "v", "h264-5994.mp4", tt.packing, 8, 16), 1000)
			c := rewrap(t, tt.track, first, second)
			if len(c.bad) > 0 {
				t.Error(c.bad)
			}
			snap := c.line("v").Timeline.Load()
			if len(snap.Epochs) != 2 || snap.Epochs[0].Init.Codec != "avc1.4d400a" || snap.Epochs[1].Init.Codec != "avc1.42c00b" {
				t.Fatalf("epochs %+v", snap.Epochs)
			}
			full := 0
			for _, g := range snap.Segments {
				if g.Epoch == 1 && len(g.Parts) > 0 {
					full++
				}
			}
			if full < 3 {
				t.Errorf("%d segments under the new header", full)
			}
		})
	}
}

// A header may come in a property of MSF, and change there.
func TestInitializationPropertyIsAHeader(t *testing.T) {
	a, b := clipSource(t, "h264-2997.mp4", live.Packing{}), clipSource(t, "h264-5994.mp4", live.Packing{})
	with := func(objects []object, init []byte) []object {
		for i := range objects {
			if objects[i].Object.Object == 0 {
				objects[i].Properties = []media.Property{{Type: 0x79, Bytes: init}}
			}
		}
		return objects
	}
	for _, p := range []live.Packing{{As: media.CMAF}, {As: media.LOCMAF}} {
		track := media.Track{Name: "v", Kind: media.Video, Packaging: p.As, MaxGroupDuration: 1001 * time.Millisecond}
		c := rewrap(t, track, with(stretchOf(t, "v", "h264-2997.mp4", p, 0, 8), a.Init()),
			moved(with(stretchOf(t, "v", "h264-5994.mp4", p, 8, 16), b.Init()), 1000))
		if len(c.bad) > 0 {
			t.Error(c.bad)
		}
		if snap := c.line("v").Timeline.Load(); len(snap.Epochs) != 2 {
			t.Errorf("%s: epochs %+v", p.As, snap.Epochs)
		}
	}
}

func TestAStreamWithoutAHeaderIsReported(t *testing.T) {
	for _, p := range []live.Packing{{}, {As: media.LOCMAF}, {As: media.LOC}, {As: media.Legacy}} {
		track := described(clipSource(t, "h264-5994.mp4", p))
		track.Name, track.Init, track.Config = "v", nil, nil
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{track}); err != nil {
			t.Fatal(err)
		}
		c.send(stretchOf(t, "v", "h264-5994.mp4", p, 0, 4)...)
		if len(c.bad) < 3 || len(c.bad) > 4 {
			t.Errorf("%s: %d objects refused, want the first of each group", track.Packaging, len(c.bad))
		}
		for _, b := range c.bad {
			if b.Track != "v" || b.Location.Object != 0 || !strings.Contains(b.Error(), "nothing describes the media yet") {
				t.Error(b)
			}
		}
	}
}

// A lost object takes the rest of its group with it: the others refer to it.
func TestLostObjectOfLOCMAFLosesTheRestOfItsGroup(t *testing.T) {
	p := live.Packing{As: media.LOCMAF}
	track := described(clipSource(t, "hevc-25.mp4", p))
	track.Name = "v"
	objects := stretchOf(t, "v", "hevc-25.mp4", p, -1, 10)
	for i := range objects {
		if o := &objects[i]; o.Group == unix+4 && o.Object.Object == 5 {
			objects[i+1].Lost = true
			objects = append(objects[:i:i], objects[i+1:]...)
			break
		}
	}
	c := rewrap(t, track, objects, nil)
	if len(c.bad) > 0 {
		t.Error(c.bad)
	}
	c.want("v", "0 1 (2) 3 4 end")
}

func TestOneWildTimestampIsBadInput(t *testing.T) {
	for name, wild := range map[string]uint64{"far future": 1 << 60, "zero": 0, "an hour on": (unix + 3600) * 1_000_000} {
		for _, packing := range []media.Packaging{media.LOC, media.Legacy} {
			file := map[media.Packaging]string{media.LOC: "av1-25.mp4", media.Legacy: "hevc-25.mp4"}[packing] // without and with reordering
			p := live.Packing{As: packing, Bare: live.Bare{Timestamp: 0x06}}
			track := described(clipSource(t, file, p))
			track.Name = "v"
			objects := stretchOf(t, "v", file, p, -1, 10)
			for i := range objects {
				if o := &objects[i]; o.Group == unix+4 && o.Object.Object == 5 {
					if packing == media.LOC {
						o.Properties[0].Value = wild + 256 // above what is an audio level
					} else {
						o.Payload = append(binary.BigEndian.AppendUint64(nil, wild|3<<62), o.Payload[8:]...)
					}
				}
			}
			c := rewrap(t, track, objects, nil)
			c.want("v", "0 1 (2) 3 4 end")
			if len(c.bad) != 1 || c.bad[0].Location != (media.Location{Group: unix + 4, Object: 5}) {
				t.Errorf("%s: bad input %v", name, c.bad)
			}
		}
	}
}

// The last frame waits for one that will not come.
func TestEndOfTheBroadcastLetsGoOfTheLastFrame(t *testing.T) {
	const file = "h264-2997.mp4" // with B-frames
	p := live.Packing{As: media.LOC}
	track := described(clipSource(t, file, p))
	track.Name = "v"
	objects := stretchOf(t, "v", file, p, 0, 9)
	c := rewrap(t, track, objects, nil)
	snap := c.line("v").Timeline.Load()
	last := stretch(t, c, "v", snap.Segments[len(snap.Segments)-1].N)
	if want := objects[len(objects)-1].Payload; !bytes.Equal(last[len(last)-1].Data, want) {
		t.Error("the last sample is not that of the last object")
	}
}

// What is not said on the wire follows from the group alone, so that it does not matter when an instance joined.
func TestInstancesAgreeOnWhatNobodyWrote(t *testing.T) {
	for _, file := range []string{"h264-2997.mp4", "h264-5994.mp4", "av1-25.mp4", "opus-48000.mp4"} {
		for _, rate := range []string{"known", "unknown"} {
			p := live.Packing{As: media.LOC}
			track := described(clipSource(t, file, p))
			track.Name = "v"
			if rate == "unknown" {
				track.FrameRate, track.MaxGroupDuration = "", 0
			}
			join := func(from int64) *channel {
				c := newChannel(t, cfg())
				if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{track}); err != nil {
					t.Fatal(err)
				}
				c.send(stretchOf(t, "v", file, p, from, 15)...)
				return c
			}
			early, late := join(-1), join(3)
			if a, b := early.Output().Plan.Grid, late.Output().Plan.Grid; a != b {
				t.Errorf("%s, rate %s: grids %+v and %+v", file, rate, a, b)
			}
			if n := agree(t, early.store, late.store); n < 20 {
				t.Errorf("%s, rate %s: only %d names in common", file, rate, n)
			}
		}
	}
}
