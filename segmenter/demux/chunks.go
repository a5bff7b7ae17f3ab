package demux

import (
	"bytes"

	"github.com/moqpack/moqpack/internal/media"
)

// Chunks reads the objects of a CMAF track: each is a number of chunks, and may bring a header.
type Chunks struct {
	codec   string // of the catalog
	raw     []byte // header in force, as the publisher wrote it
	cmaf    *CMAF  // nil before the first, and while it is one that cannot be read,
	err     error  // for this reason
	samples []media.Sample
}

// NewChunks returns the reader for a track as the catalog describes it, and its header if that is known already.
func NewChunks(t *media.Track) (*Chunks, *Header, error) {
	c := &Chunks{codec: t.Codec}
	if len(t.Init) > 0 {
		if c.take(t.Init); c.err != nil {
			return nil, nil, c.err
		}
	}
	return c, c.header(), nil
}

// take puts a header in force, unless it is. What follows one that is refused must not be read by the one before.
func (c *Chunks) take(raw []byte) {
	if bytes.Equal(raw, c.raw) {
		return
	}
	c.raw = bytes.Clone(raw) // the payload is not kept for the sake of its head
	if c.cmaf, c.err = NewCMAF(c.raw); c.err == nil {
		c.cmaf.Codec = c.codec
	}
}

func (c *Chunks) header() *Header {
	if c.cmaf == nil {
		return nil
	}
	return &c.cmaf.Header
}

// Read returns what the object holds. Until a header has come there are no samples; that is an error only where a group begins
// without one.
func (c *Chunks) Read(dst []Unit, o *media.Object) []Unit {
	u := begin(o)
	if init := content(o.Properties, propInit); len(init) > 0 {
		c.take(init)
	}
	if o.Status == media.Normal && len(o.Payload) > 0 {
		if u.Samples, u.Err = c.read(o); u.Err == nil {
			u.Messages = inBand(nil, o.Payload)
			u.Wall = c.clock(o.Payload, u.Samples)
		}
	}
	u.Header = c.header()
	return append(dst, u)
}

// clock is what time it was at the end of the samples, as the boxes with them tell.
func (c *Chunks) clock(boxes []byte, samples []media.Sample) int64 {
	if c.cmaf == nil {
		return 0
	}
	return clockOf(boxes, samples, c.cmaf.Timescale)
}

func (c *Chunks) read(o *media.Object) ([]media.Sample, error) {
	init, rest, err := Head(o.Payload)
	if err != nil {
		return nil, err
	}
	if init != nil {
		c.take(init)
	}
	switch {
	case c.err != nil:
		return nil, c.err
	case len(rest) == 0:
		return nil, nil
	case c.cmaf == nil && o.Object == 0:
		return nil, errNoHeader
	case c.cmaf == nil:
		return nil, nil
	}
	c.samples, err = c.cmaf.Samples(c.samples[:0], rest)
	return c.samples, err
}
