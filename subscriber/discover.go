package subscriber

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/catalog"
)

// headStart is how long a better place for a catalog is waited for before the next one is looked at, too: some relays do not
// answer for tracks that do not exist.
const headStart = time.Second

// place is where a catalog may be: tracks of which the later ones stand in for those before them.
type place []string

// places are where the format's catalogs are, the best one first; "" stands for any format. Of a broadcast with several catalogs
// all instances should read the same.
func places(f catalog.Format, draft string) []place {
	msf, hang, warp := place{"catalog"}, place{"catalog.json", "catalog.json.z"}, place{".catalog"}
	switch f {
	case catalog.MSF:
		return []place{msf, warp} // MediaMTX writes MSF where WARP was
	case catalog.Hang:
		return []place{hang, msf} // which is where hang was, at first
	case catalog.WARP:
		return []place{warp, msf}
	case catalog.MoqMI:
		return nil
	}
	if strings.HasPrefix(draft, "moq-lite") || strings.HasPrefix(draft, "moql") {
		return []place{hang, msf, warp}
	}
	return []place{msf, hang, warp}
}

// race is a search in several places at once. The first one that brings a catalog wins.
type race struct {
	mu     sync.Mutex // guards winner
	winner int        // index of the place, or one of those below
	leave  []func()   // has a place be given up
}

const (
	undecided = -1
	abandoned = -2 // nobody wins any more
)

// decide makes place i the winner, or nobody, if there is no decision yet, and reports whether that is the decision.
func (r *race) decide(i int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != undecided {
		return r.winner == i
	}
	r.winner = i
	for j, leave := range r.leave {
		if j != i {
			leave()
		}
	}
	return true
}

// won is the decision. silent may be making one still.
func (r *race) won() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner
}

// taker is given every catalog that is read. It fails with errOutrun if another place has won.
type taker func(*catalog.Catalog) error

// errOutrun says that the catalog is followed elsewhere.
var errOutrun = errors.New("another catalog of the broadcast came first")

// search looks for the broadcast's catalog, first where it was last, follows what it finds until the subscription ends, and returns
// why; got says that there was a catalog. If there was none, the error is about the best place that gave an answer.
func (b *broadcast) search(ctx context.Context) (got bool, err error) {
	all := places(b.cfg.Catalog, b.draft)
	slices.SortStableFunc(all, func(p, q place) int { return cmp.Compare(b.distance(p), b.distance(q)) })
	r, errs := race{winner: undecided}, make([]error, len(all))
	g, gctx := errgroup.WithContext(ctx)
	looks := make([]context.Context, len(all))
	for i := range all {
		lctx, leave := context.WithCancel(gctx)
		defer leave()
		looks[i], r.leave = lctx, append(r.leave, leave)
	}
	// A place that keeps silent must not keep us from asking again those that have refused.
	refused := sync.OnceFunc(func() {
		silent := time.AfterFunc(requestTimeout, func() { r.decide(abandoned) })
		context.AfterFunc(gctx, func() { silent.Stop() })
	})
	turn := make(chan struct{})
	close(turn)
	for i, p := range all {
		mine, next := turn, make(chan struct{}) // closed when the place has had its head start
		turn = next
		g.Go(func() error {
			pass := sync.OnceFunc(func() { close(next) })
			defer pass()
			errs[i] = b.look(looks[i], p, mine, pass, func(c *catalog.Catalog) error {
				if !r.decide(i) {
					return errOutrun
				}
				return b.apply(ctx, c) // what it begins outlives the catalog's subscription
			})
			if fatal(gctx, errs[i]) {
				return errs[i]
			}
			refused()
			return nil
		})
	}
	err = g.Wait()
	if winner := r.won(); winner >= 0 {
		b.found = all[winner][0]
		return true, cmp.Or(err, errs[winner])
	}
	errs = slices.DeleteFunc(errs, func(e error) bool { return errors.Is(e, context.Canceled) })
	return false, cmp.Or(err, cmp.Or(errs...))
}

// distance of a place from where the catalog was last.
func (b *broadcast) distance(p place) int {
	if p[0] == b.found {
		return 0
	}
	return 1
}

// look reads the catalog in a place when it is its turn, and passes the turn on when it has had its head start.
func (b *broadcast) look(ctx context.Context, p place, turn <-chan struct{}, pass func(), take taker) (err error) {
	select {
	case <-turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	late := time.AfterFunc(headStart, pass)
	defer late.Stop()
	for _, track := range p {
		var got bool
		if got, err = b.readCatalog(ctx, track, take); got || fatal(ctx, err) {
			return err
		}
	}
	return err
}
