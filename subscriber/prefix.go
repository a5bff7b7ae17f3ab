package subscriber

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/moqt"
)

// Discover tells f which broadcasts there are under a prefix of namespaces, which is c.Namespace and may be empty, as they come and
// go, until ctx ends. It reconnects for ever, and without a session no broadcast is known to exist. One that is told of twice has
// begun anew. f is called by one goroutine at a time.
//
// A relay that says at once that it cannot do this is an error. When ctx ends while there is no session, the error is a *Undiscovered.
func Discover(ctx context.Context, c Config, f func(namespace []string, active bool)) error {
	d := &discovery{prefix: c.Namespace, tell: f, active: map[string][]string{}}
	c.Namespace = append(slices.Clip(c.Namespace), "*") // what is found is longer
	s, err := New(c)
	if err != nil {
		return err
	}
	d.follower = &follower{Source: s, mumblers: map[string]int{}, log: s.cfg.Logger.With("prefix", strings.Join(d.prefix, "/"))}
	again := backoff{first: 100 * time.Millisecond, max: 5 * time.Second}
	for at := s.relays[0]; ; at = s.after(at, err) {
		began := time.Now()
		broken := err
		err = d.session(ctx, at)
		if ctx.Err() != nil {
			return d.undiscovered(ctx, broken)
		}
		if errors.Is(err, moqt.ErrNotSupported) && !d.works {
			return err
		}
		d.complain(err)
		for _, namespace := range d.active {
			d.change(namespace, false)
		}
		if time.Since(began) >= healthy {
			again.reset()
		}
		if sleep(ctx, again.after(err)) != nil {
			return d.undiscovered(ctx, err)
		}
	}
}

// Undiscovered is that Discover was ended when it had no session that works.
type Undiscovered struct {
	Cause error // of its end
	Last  error // why there is none
}

func (u *Undiscovered) Error() string { return fmt.Sprintf("%v: %v", u.Cause, u.Last) }

func (u *Undiscovered) Unwrap() error { return u.Cause }

func (d *discovery) undiscovered(ctx context.Context, last error) error {
	if last == nil || len(d.active) > 0 {
		return context.Cause(ctx)
	}
	return &Undiscovered{context.Cause(ctx), last}
}

// reporting is a session whose peer can be asked which broadcasts there are.
type reporting interface {
	session
	// Namespaces tells f which broadcasts there are under prefix, and every change, until ctx or the report ends.
	Namespaces(ctx context.Context, prefix []string, f func(namespace []string, active bool)) error
}

// discovery is one call of Discover.
type discovery struct {
	*follower
	prefix []string
	tell   func(namespace []string, active bool)
	active map[string][]string // that have been told of
	works  bool                // there was something to tell
	said   string              // what was complained of last
}

// session connects once, to at, and passes on what the peer reports until something breaks.
func (d *discovery) session(ctx context.Context, at relay) error {
	s, err := d.dial(ctx, at)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { // nothing is lost by a moment without a session
		select {
		case <-s.moving():
			return s.moved()
		case <-ctx.Done():
			return nil
		}
	})
	g.Go(func() error {
		err := error(&moqt.RequestError{Op: "discover", Kind: moqt.ErrNotSupported})
		if s, ok := s.session.(reporting); ok {
			err = s.Namespaces(ctx, d.prefix, d.change)
		}
		if refused, ok := errors.AsType[*moqt.RequestError](err); ok {
			return fmt.Errorf("relay %s (%s) does not tell which broadcasts there are under %q: name each of them instead: %w",
				at.addr, s.Draft(), strings.Join(d.prefix, "/"), refused)
		}
		return cmp.Or(err, errReported)
	})
	return g.Wait()
}

// errReported says that the peer does not report any longer, for no reason.
var errReported = errors.New("the relay has ended its report")

// complain logs what broke a session, unless it is what broke the one before.
func (d *discovery) complain(err error) {
	if d.said != err.Error() {
		d.log.Warn("broadcasts not known: trying again", "err", err)
	}
	d.said = err.Error()
}

// maxBroadcasts bounds how many broadcasts a relay can have us remember.
const maxBroadcasts = 10_000

// change passes on what is news.
func (d *discovery) change(namespace []string, active bool) {
	key := fmt.Sprintf("%q", namespace)
	if _, known := d.active[key]; !known && (!active || len(d.active) >= maxBroadcasts) {
		return
	}
	if delete(d.active, key); active {
		d.active[key], d.works, d.said = namespace, true, ""
	}
	d.tell(namespace, active)
}
