package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// settled is how long a relay that tells of broadcasts may take for the next one.
const settled = time.Second

// choose finds the broadcast to probe where none was named: the only one that the relay tells of within d. If that is not to be known the
// report says why, and what there is.
func choose(ctx context.Context, ch *config.Channel, d time.Duration) (namespace string, r *report, err error) {
	all := *ch
	all.Namespace = "any" // which nobody asks for
	c, err := source(&all)
	if err != nil {
		return "", nil, err
	}
	c.Namespace, c.Logger = nil, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	began, quiet := time.Now(), time.AfterFunc(d, cancel)
	defer quiet.Stop()
	var found []string
	err = subscriber.Discover(ctx, c, func(namespace []string, active bool) {
		if text := subscriber.FormatNamespace(namespace); active && !slices.Contains(found, text) {
			found = append(found, text)
			quiet.Reset(settled)
		}
	})
	if len(found) == 1 {
		return found[0], nil, nil
	}
	r = &report{Relay: withoutQuery(c.Relays[0]), Phase: subscriber.Connecting.String(), Seconds: time.Since(began).Seconds(), Namespaces: found}
	broken, isBroken := errors.AsType[*subscriber.Undiscovered](err)
	switch {
	case len(found) > 1:
		r.Hints = append(r.Hints, "choose one of these broadcasts by --namespace")
	case isBroken:
		r.note(broken.Last)
		r.hint(subscriber.State{})
	case errors.Is(err, moqt.ErrNotSupported):
		r.Unlisted = err.Error()
		r.Hints = append(r.Hints, "this relay does not tell what it has: name the broadcast by --namespace")
	default:
		r.Hints = append(r.Hints, fmt.Sprintf("the relay told of no broadcast within %s: does the publisher run? Some relays tell only those who have a --token, "+
			"or of what is named: try --namespace", d))
	}
	return "", r, nil
}

// note adds what went wrong.
func (r *report) note(err error) { r.Errors = append(r.Errors, err.Error()) }
