package segmenter_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// source is one track of a made-up broadcast: sample i, and the object it comes in, are functions of i.
type source struct {
	name      string
	kind      media.Kind
	timescale uint32
	dur       int64 // ticks of a sample
	group     int64 // samples in a group
	batch     int64 // samples in an object
	start     int64 // ticks; decode time of sample 0
	reorder   int64 // frames of composition offset, in turn 1 and 3 for other than the first
	header    []byte
}

func video(name string, timescale uint32, dur, group, start int64) source {
	return source{name: name, kind: media.Video, timescale: timescale, dur: dur, group: group, batch: 1, start: start}
}

func audio(name string, timescale uint32, dur, start int64) source {
	return source{name: name, kind: media.Audio, timescale: timescale, dur: dur, group: 50, batch: 1, start: start}
}

// init is a canonical header of the kind with the source's timescale.
func (s source) init(t testing.TB) []byte {
	t.Helper()
	if s.header != nil {
		return s.header
	}
	name := map[media.Kind]string{media.Video: "h264-2997.mp4", media.Audio: "opus-48000.mp4"}[s.kind]
	b, err := os.ReadFile(filepath.Join("../testdata/cmaf", name))
	if err != nil {
		t.Fatal(err)
	}
	head, _, err := demux.Head(b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mux.ParseInit(head)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint32(m.Bytes[bytes.Index(m.Bytes, []byte("mdhd"))+16:], s.timescale)
	return m.Bytes
}

func (s source) track(t testing.TB) media.Track {
	return media.Track{Name: s.name, Kind: s.kind, Packaging: media.CMAF, Init: s.init(t), Namespace: []string{"x"}}
}

func (s source) sample(i int64) media.Sample {
	m := media.Sample{DTS: s.start + i*s.dur, Dur: uint32(s.dur), Sync: true}
	nal := byte(0x65)
	if s.kind == media.Video && i%s.group != 0 {
		m.Sync, nal = false, 0x41
	}
	m.CTO = int32(s.reorder * s.dur)
	if s.reorder > 0 && i%s.group%2 == 1 {
		m.CTO += int32(s.dur)
	}
	id := fmt.Sprintf("%s %d", s.name, i)
	m.Data = append([]byte{0, 0, 0, byte(len(id) + 1), nal}, id...)
	return m
}

// objects are those that samples from..to-1 come in. Whole objects only.
func (s source) objects(t testing.TB, from, to int64) (all []object) {
	t.Helper()
	for i := from; i < to; {
		n := min(s.batch, s.group-i%s.group)
		var samples []media.Sample
		for j := range n {
			samples = append(samples, s.sample(i+j))
		}
		payload, err := mux.Fragment(1, samples)
		if err != nil {
			t.Fatal(err)
		}
		end := samples[n-1].DTS + s.dur
		scale := int64(s.timescale)
		all = append(all, object{s.name, end/scale*1e6 + end%scale*1e6/scale, media.Object{
			Location: media.Location{Group: uint64(i / s.group), Object: uint64(i % s.group / s.batch)},
			Payload:  payload,
		}})
		i += n
	}
	return all
}

// object is an object of a track that is sent when its last sample ends, in microseconds of Unix time.
type object struct {
	track string
	at    int64
	media.Object
}

// interleave puts objects into the order in which they are sent.
func interleave(tracks ...[]object) (all []object) {
	for _, t := range tracks {
		all = append(all, t...)
	}
	slices.SortStableFunc(all, func(a, b object) int { return cmp.Compare(a.at, b.at) })
	return all
}

// unix is the start of a slot of 2 s.
const unix = 1_795_174_260

// store is a sink that keeps everything and insists that names never change their content.
type store struct {
	t    testing.TB
	data map[string][]byte
	fail func(segmenter.Media) error
}

func newStore(t testing.TB) *store { return &store{t: t, data: map[string][]byte{}} }

func name(track string, m segmenter.Media) string {
	switch m.What {
	case segmenter.InitSegment:
		return fmt.Sprintf("%s/init-%s", track, m.Digest)
	case segmenter.MediaSegment:
		return fmt.Sprintf("%s/%d", track, m.N)
	}
	return fmt.Sprintf("%s/%d.%d", track, m.N, m.Part)
}

func (s *store) Put(_ context.Context, m segmenter.Media) error {
	if s.fail != nil {
		if err := s.fail(m); err != nil {
			return err
		}
	}
	key, body := name(m.Track.Name, m), bytes.Join(m.Body, nil)
	if old, ok := s.data[key]; ok && !bytes.Equal(old, body) {
		s.t.Errorf("%s was put twice with different content", key)
	}
	s.data[key] = body
	return nil
}

// channel drives a Segmenter.
type channel struct {
	*segmenter.Segmenter
	t      testing.TB
	store  *store
	ledger segmenter.Ledger
	bad    []*segmenter.BadInput
	faults []error // of the ledger
}

func newChannel(t testing.TB, cfg segmenter.Config, sources ...source) *channel {
	t.Helper()
	c := &channel{t: t, store: newStore(t)}
	var err error
	if c.Segmenter, err = segmenter.New(cfg, c.store, nil, nil); err != nil {
		t.Fatal(err)
	}
	var tracks []media.Track
	for _, s := range sources {
		tracks = append(tracks, s.track(t))
	}
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), tracks); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *channel) send(objects ...object) {
	c.t.Helper()
	for _, o := range objects {
		err := c.Object(c.t.Context(), time.UnixMicro(o.at), o.track, o.Object)
		var bad *segmenter.BadInput
		switch {
		case errors.Is(err, segmenter.ErrLedger):
			c.faults = append(c.faults, err)
		case errors.As(err, &bad):
			c.bad = append(c.bad, bad)
		case err != nil:
			c.t.Errorf("object %v of %s: %v", o.Location, o.track, err)
		}
	}
}

func (c *channel) line(track string) *segmenter.Rendition {
	c.t.Helper()
	out := c.Output()
	if out == nil {
		c.t.Fatal("no output")
	}
	for i := range out.Renditions {
		if out.Renditions[i].Track.Name == track {
			return &out.Renditions[i]
		}
	}
	c.t.Fatalf("no rendition %q", track)
	return nil
}
