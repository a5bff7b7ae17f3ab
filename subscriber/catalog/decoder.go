package catalog

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
)

// Config says whose catalog a Decoder reads.
type Config struct {
	Namespace []string // of the catalog track, which tracks inherit
	Track     string   // name of the catalog track
	// Variables replace %name% in the catalog (draft-ietf-moq-msf, "Variable Substitution").
	Variables map[string]string
}

// Decoder keeps the catalog of one broadcast, object by object. It is owned by one goroutine.
type Decoder struct {
	cfg     Config
	input   input
	headers map[string][]byte // of init tracks, by name
	state   *state
	current *Catalog
	last    media.Location // of the newest object that was looked at; meaningless while current is nil
	lived   bool           // a track has been live
}

// NewDecoder returns a Decoder for a catalog track.
func NewDecoder(c Config) *Decoder {
	c.Namespace = slices.Clone(c.Namespace)
	return &Decoder{cfg: c, input: newInput(c), headers: map[string][]byte{}}
}

// Decode takes the next object of the catalog track, in location order, and returns the catalog after it. A repeated or
// older object changes nothing. After an error the catalog is what it was before, and later objects may still be applied.
func (d *Decoder) Decode(o media.Object) (*Catalog, error) {
	if d.current != nil && !d.last.Before(o.Location) {
		return d.current, nil
	}
	next, err := d.next(&o)
	if err != nil {
		if d.follows(o.Location) { // it was the right object, and bad: the one after it still has its base
			d.last = o.Location
		}
		return nil, err
	}
	if o.Object == 0 { // whoever describes everything anew may have new headers, too
		clear(d.headers)
	}
	d.state, d.last = next, o.Location
	return d.resolve(), nil
}

// next is the state after the object.
func (d *Decoder) next(o *media.Object) (*state, error) {
	text, err := d.input.read(o)
	if err != nil {
		return nil, err
	}
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	hang := isHang(d.cfg.Track, doc) || d.state != nil && d.state.format == Hang && !isMSF(doc)
	switch {
	case hang && o.Object == 0:
		return hangState(text)
	case !hang && !isDelta(doc):
		return newState(doc)
	case !d.follows(o.Location):
		return nil, &Error{Err: ErrNoBase}
	case hang:
		return hangState(mergePatch(d.state.text, text, 0))
	}
	return d.state.update(doc, d.cfg.Namespace)
}

// follows reports whether the object comes right after the last one in its group.
func (d *Decoder) follows(l media.Location) bool {
	return d.current != nil && l.Group == d.last.Group && l.Object == d.last.Object+1
}

// resolve makes the current catalog from the state. The end of a broadcast that becomes a recording is told by all its tracks not
// being live any more (draft-ietf-moq-msf, "Ending a live broadcast").
func (d *Decoder) resolve() *Catalog {
	d.current = d.state.resolve(d.cfg.Namespace, d.headers)
	live := slices.ContainsFunc(d.state.tracks, func(f fields) bool { return isLive(f) && !isTimeline(f) })
	d.current.Complete = d.current.Complete || d.lived && !live && len(d.state.tracks) > 0
	d.lived = d.lived || live
	return d.current
}

// Missing are the init tracks that tracks of the catalog refer to and that Header has not been given.
func (d *Decoder) Missing() (names []string) {
	if d.state == nil {
		return nil
	}
	for _, f := range d.state.tracks {
		name, ok := d.state.flat(f).text("initTrack")
		if _, known := d.headers[name]; ok && name != "" && !known && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Header takes the first object of an init track and returns the catalog with it.
func (d *Decoder) Header(name string, payload []byte) (*Catalog, error) {
	size := len(payload)
	for other, h := range d.headers {
		if other != name {
			size += len(h)
		}
	}
	if len(payload) > maxHeader || size > maxHeaders {
		return nil, &Error{Err: ErrTooLarge, Detail: fmt.Sprintf("the header in the init track %.64q", name)}
	}
	d.headers[name] = payload
	return d.resolve(), nil
}

// state is a catalog in the publisher's words, so that clones and updates inherit also what we do not read.
type state struct {
	format      Format
	version     string
	complete    bool
	common      fields // commonTrackFields
	tracks      []fields
	inits       map[string]fields // initDataList by id
	protections []fields          // contentProtections
	text        json.RawMessage   // the whole document, of hang
}
