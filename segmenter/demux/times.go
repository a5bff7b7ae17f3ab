package demux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/moqpack/moqpack/internal/media"
)

// maxHistory bounds an object of a media timeline, in bytes: it tells of every group since the broadcast began.
const maxHistory = 16 << 20

// timesApart is how far what two records say of the same clock may differ, in milliseconds: encoders are late now and then, and
// clocks drift. What is farther off is of another clock.
const timesApart = 60_000

// Times reads a media timeline (draft-ietf-moq-msf, "Media Timeline track"). Of all that it tells it keeps when media time began,
// on the clock that media goes by now. The oldest record of that says it, because who joins later has that one too, while every
// record is a little off in its own way.
type Times struct {
	began  int64 // milliseconds of Unix time at media time zero
	newest int64 // media time of the newest record, in milliseconds
	known  bool
}

// Read takes an object. The first one of a group says all again. An odd record costs no more than itself, an odd object no more than
// what is new in it.
func (t *Times) Read(o *media.Object) error {
	if o.Status != media.Normal || len(o.Payload) == 0 {
		return nil
	}
	payload, err := inflate(o.Payload, maxHistory)
	if err != nil {
		return err
	}
	all := *t
	if o.Object == 0 {
		all = Times{}
	}
	if err := all.read(payload); err != nil {
		return fmt.Errorf("demux: media timeline: %w", err)
	}
	*t = all
	return nil
}

func (t *Times) read(payload []byte) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	if at, err := d.Token(); err != nil || at != json.Delim('[') {
		return errors.Join(errors.New("it is no list of records"), err)
	}
	for d.More() {
		var r [3]json.RawMessage // media time, place, wall clock
		if err := d.Decode(&r); err != nil {
			if _, odd := errors.AsType[*json.UnmarshalTypeError](err); odd {
				continue
			}
			return err
		}
		at, ok := millis(json.Number(r[0]))
		wall, told := millis(json.Number(r[2]))
		if ok && told && wall > 0 {
			t.add(at, wall-at)
		}
	}
	_, err := d.Token()
	return err
}

// add takes what a record says: when media time began, and of which media time it says so.
func (t *Times) add(at, began int64) {
	if d := began - t.began; !t.known || d > timesApart || d < -timesApart {
		t.began, t.known = began, true
	}
	t.newest = at
}

// Began is when media time began, in milliseconds of Unix time, by the clock that the media at some time goes by, in milliseconds. ok
// is false if the timeline does not tell, or not of that media.
func (t *Times) Began(at int64) (ms int64, ok bool) {
	d := at - t.newest
	return t.began, t.known && d <= timesApart && d >= -timesApart
}
