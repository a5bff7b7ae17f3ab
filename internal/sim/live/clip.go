package live

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// Clip is a loop of frames that all last equally long.
type Clip struct {
	Kind          media.Kind
	Codec         string // RFC 6381
	Language      string // ISO 639-2; "und" unknown
	Width, Height int    // pixels
	Channels      int
	Timescale     uint32 // ticks per second; the sample rate of audio
	Frame         uint32 // ticks, duration of every frame
	Group         uint32 // ticks, duration of a group: the closed group of pictures, or 1 s of audio
	Bitrate       int64  // bits/s, of the largest group
	AvgBitrate    int64  // bits/s, of the whole clip

	init   *mp4.InitSegment // never changed
	frames []frame
}

type frame struct {
	data []byte
	cto  int32 // ticks
	sync bool
}

// Load reads a fragmented MP4 file with one track. Its frames must last equally long and its sync frames must be equally
// far apart; a shorter last frame of audio is left out.
func Load(file []byte) (*Clip, error) {
	f, err := mp4.DecodeFile(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if f.Init == nil || len(f.Init.Moov.Traks) != 1 || f.Init.Moov.Mvex == nil {
		return nil, fmt.Errorf("clip: not a fragmented file with one track")
	}
	c := &Clip{init: f.Init, Timescale: f.Init.Moov.Trak.Mdia.Mdhd.Timescale, Language: f.Init.Moov.Trak.Mdia.Mdhd.GetLanguage()}
	if err := c.describe(f.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd); err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if err := c.read(f); err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if err := c.group(); err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	c.Bitrate, c.AvgBitrate = c.bitrates()
	return c, nil
}

// read takes the frames out of the fragments.
func (c *Clip) read(f *mp4.File) error {
	var samples []mp4.FullSample
	for _, s := range f.Segments {
		for _, fragment := range s.Fragments {
			more, err := fragment.GetFullSamples(f.Init.Moov.Mvex.Trex)
			if err != nil {
				return err
			}
			samples = append(samples, more...)
		}
	}
	if len(samples) == 0 {
		return fmt.Errorf("no frames")
	}
	c.Frame = samples[0].Dur
	for i, s := range samples {
		if s.Dur != c.Frame && i == len(samples)-1 && c.Kind == media.Audio {
			break
		}
		if s.Dur != c.Frame {
			return fmt.Errorf("frame %d lasts %d ticks and the first one %d", i, s.Dur, c.Frame)
		}
		c.frames = append(c.frames, frame{s.Data, s.CompositionTimeOffset, s.IsSync()})
	}
	return nil
}

// group finds the duration of a group.
func (c *Clip) group() error {
	if c.Kind == media.Audio {
		c.Group = c.Timescale
		return nil
	}
	length := 1
	for length < len(c.frames) && !c.frames[length].sync {
		length++
	}
	if len(c.frames)%length != 0 {
		return fmt.Errorf("%d frames are no whole number of groups of %d", len(c.frames), length)
	}
	for i, f := range c.frames {
		if f.sync != (i%length == 0) {
			return fmt.Errorf("frame %d breaks the rhythm of %d frames a group", i, length)
		}
	}
	c.Group = uint32(length) * c.Frame
	return nil
}

// bitrates are the rate of the group with the most bytes and that of the whole clip, rounded up to 1000 bits/s.
func (c *Clip) bitrates() (most, mean int64) {
	n := max(1, int(c.Group/c.Frame))
	rate := func(bytes, frames int64) int64 {
		return (bytes*8*int64(c.Timescale)/(frames*int64(c.Frame)) + 999) / 1000 * 1000
	}
	var largest, total int64
	for i := 0; i < len(c.frames); i += n {
		var size int64
		for _, f := range c.frames[i:min(i+n, len(c.frames))] {
			size += int64(len(f.data))
		}
		largest = max(largest, size)
		total += size
	}
	return rate(largest, int64(n)), rate(total, int64(len(c.frames)))
}

// at is frame k of the endless loop.
func (c *Clip) at(k int64) frame { return c.frames[k%int64(len(c.frames))] }
