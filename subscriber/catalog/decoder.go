package catalog

import (
	"slices"

	"github.com/moqpack/moqpack/internal/media"
)

// Decoder keeps the catalog of one broadcast, object by object. It is owned by one goroutine.
type Decoder struct {
	namespace []string
	state     *state
	current   *Catalog
	last      media.Location // of the newest object that was looked at; meaningless while current is nil
}

// NewDecoder returns a Decoder for the catalog track of the namespace, which tracks inherit.
func NewDecoder(namespace []string) *Decoder {
	return &Decoder{namespace: slices.Clone(namespace)}
}

// Decode takes the next object of the catalog track, in location order, and returns the catalog after it. A repeated or
// older object changes nothing. After an error the catalog is what it was before, and later objects may still be applied.
func (d *Decoder) Decode(l media.Location, payload []byte) (*Catalog, error) {
	if d.current != nil && !d.last.Before(l) {
		return d.current, nil
	}
	next, err := d.next(l, payload)
	if err != nil {
		if d.follows(l) { // it was the right object, and bad: the one after it still has its base
			d.last = l
		}
		return nil, err
	}
	d.state, d.current, d.last = next, next.resolve(d.namespace), l
	return d.current, nil
}

// next is the state after the object.
func (d *Decoder) next(l media.Location, payload []byte) (*state, error) {
	doc, err := parse(payload)
	switch {
	case err != nil:
		return nil, err
	case !isDelta(doc):
		return newState(doc)
	case !d.follows(l):
		return nil, &Error{Err: ErrNoBase}
	}
	return d.state.update(doc, d.namespace)
}

// follows reports whether the object comes right after the last one in its group.
func (d *Decoder) follows(l media.Location) bool {
	return d.current != nil && l.Group == d.last.Group && l.Object == d.last.Object+1
}
