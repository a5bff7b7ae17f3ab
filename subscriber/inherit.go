package subscriber

import (
	"context"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
)

// inheritance is what a track's properties say of each of its objects, so that receivers find it in one place. It is known when
// the subscription has been accepted.
type inheritance struct {
	known      chan struct{} // closed by leave
	properties []media.Property
}

func newInheritance() *inheritance { return &inheritance{known: make(chan struct{})} }

// heritable reports whether a property of a track is one of its objects that was said once for all: the timescale, what
// initialises decoders and the compression (draft-ietf-moq-loc, "Properties"; draft-ietf-moq-msf, "MSF Properties"). Others are for
// relays, and some have the numbers of properties that objects have for other things.
func heritable(p media.Property) bool {
	switch p.Type {
	case 0x08, 0x0D, 0x0F, 0x78, 0x79:
		return true
	}
	return false
}

// leave is called once, with the track's properties.
func (i *inheritance) leave(track []media.Property) {
	for _, p := range track {
		if heritable(p) {
			i.properties = append(i.properties, p)
		}
	}
	close(i.known)
}

// bestow gives the object the track's properties that it does not have itself, as soon as they are known.
func (i *inheritance) bestow(ctx context.Context, o *media.Object) error {
	select {
	case <-i.known:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	own := o.Properties
	for _, p := range i.properties {
		if !slices.ContainsFunc(own, func(q media.Property) bool { return q.Type == p.Type }) {
			o.Properties = append(slices.Clip(o.Properties), p)
		}
	}
	return nil
}
