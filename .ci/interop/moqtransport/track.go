package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/Eyevinn/moqtransport"
	"github.com/Eyevinn/mp4ff/mp4"
)

// track loops one clip. Frame g, counted from 1970, is frame g mod len(frames) of the clip at decode time g*dur.
type track struct {
	name, role, codec, language, channels string
	width, height, framerate, sampleRate  int
	bitrate                               int64
	init                                  []byte
	frames                                []mp4.FullSample
	dur, timescale                        uint64 // ticks of a frame; ticks a second
	trackID                               uint32
	groupSeconds                          int
}

func (t *track) altGroup() int {
	if t.role == "video" {
		return 1
	}
	return 2
}

// ceilDiv is ceil(a*b/c) with a product of up to 128 bits.
func ceilDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, c-1, 0)
	q, _ := bits.Div64(hi+carry, lo, c)
	return q
}

// groupStart is the first frame of the group: the first that starts at or after group*groupSeconds.
func (t *track) groupStart(group uint64) uint64 {
	return ceilDiv(group*uint64(t.groupSeconds), t.timescale, t.dur)
}

// location of frame g.
func (t *track) location(g uint64) moqtransport.Location {
	group := g * t.dur / t.timescale / uint64(t.groupSeconds)
	if t.groupStart(group+1) <= g {
		group++
	}
	return moqtransport.Location{Group: group, Object: g - t.groupStart(group)}
}

// frameAt is the frame that is being captured at the time.
func (t *track) frameAt(now time.Time) uint64 {
	hi, lo := bits.Mul64(uint64(now.UnixNano()), t.timescale)
	q, _ := bits.Div64(hi, lo, t.dur*1e9)
	return q
}

// complete is when frame g has been captured and can leave.
func (t *track) complete(g uint64) time.Time {
	return time.Unix(0, int64(ceilDiv((g+1)*t.dur, 1e9, t.timescale)))
}

// object is frame g as a CMAF chunk: one moof and one mdat.
func (t *track) object(g uint64) ([]byte, error) {
	f, err := mp4.CreateFragment(uint32(g), t.trackID)
	if err != nil {
		return nil, err
	}
	s := t.frames[g%uint64(len(t.frames))]
	s.DecodeTime, s.Dur = g*t.dur, uint32(t.dur)
	f.AddFullSample(s)
	var b bytes.Buffer
	err = f.Encode(&b)
	return b.Bytes(), err
}

// publish sends frames from g on, each when it is complete, until ctx ends or the subscriber goes away.
func (t *track) publish(ctx context.Context, w moqtransport.Publisher, g uint64) {
	var sg *moqtransport.Subgroup
	for open := uint64(0); ; g++ {
		if !sleepUntil(ctx, t.complete(g)) {
			return
		}
		at := t.location(g)
		if sg == nil || at.Group != open {
			if sg != nil {
				_ = sg.Close()
			}
			var err error
			if sg, err = w.OpenSubgroup(at.Group, 0, 128, moqtransport.WithEndOfGroup()); err != nil {
				log.Printf("%s: group %d: %v", t.name, at.Group, err)
				return
			}
			open = at.Group
		}
		payload, err := t.object(g)
		if err == nil {
			_, err = sg.WriteObject(at.Object, payload)
		}
		if err != nil {
			log.Printf("%s: object %d/%d: %v", t.name, at.Group, at.Object, err)
			return
		}
	}
}

// readTrack reads a fragmented MP4 file of one track with frames of equal duration.
func readTrack(path string, groupSeconds int) (*track, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	file, err := mp4.DecodeFile(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file.Init == nil || file.Init.Moov.Trak == nil {
		return nil, fmt.Errorf("%s: not a fragmented MP4 file", path)
	}
	moov := file.Init.Moov
	t := &track{
		name:      strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)),
		timescale: uint64(moov.Trak.Mdia.Mdhd.Timescale), trackID: moov.Trak.Tkhd.TrackID, groupSeconds: groupSeconds,
	}
	var header bytes.Buffer
	if err := file.Init.Encode(&header); err != nil {
		return nil, err
	}
	t.init = header.Bytes()
	var size int64
	for _, s := range file.Segments {
		for _, f := range s.Fragments {
			samples, err := f.GetFullSamples(moov.Mvex.Trex)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			for _, s := range samples {
				t.frames = append(t.frames, s)
				size += int64(s.Size)
			}
		}
	}
	if len(t.frames) == 0 {
		return nil, fmt.Errorf("%s: no frames", path)
	}
	t.dur = uint64(t.frames[0].Dur)
	t.bitrate = size * 8 * int64(t.timescale) / int64(t.dur) / int64(len(t.frames)) * 5 / 4
	return t, t.describe(moov.Trak)
}

// describe fills in what the catalog says about the codec.
func (t *track) describe(trak *mp4.TrakBox) error {
	stsd := trak.Mdia.Minf.Stbl.Stsd
	switch {
	case stsd.AvcX != nil:
		t.role = "video"
		t.width, t.height = int(stsd.AvcX.Width), int(stsd.AvcX.Height)
		t.framerate = int(t.timescale / t.dur)
		c := stsd.AvcX.AvcC
		t.codec = fmt.Sprintf("avc1.%02x%02x%02x", c.AVCProfileIndication, c.ProfileCompatibility, c.AVCLevelIndication)
	case stsd.Mp4a != nil:
		t.role = "audio"
		t.codec = "mp4a.40.2"
		t.sampleRate, t.channels = int(stsd.Mp4a.SampleRate), fmt.Sprint(stsd.Mp4a.ChannelCount)
		// The catalog wants BCP 47: two letters where there are two.
		t.language = map[string]string{"eng": "en", "swe": "sv"}[trak.Mdia.Mdhd.GetLanguage()]
	default:
		return fmt.Errorf("%s: neither H.264 nor AAC", t.name)
	}
	return nil
}
