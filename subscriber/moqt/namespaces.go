package moqt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// maxNamespaces bounds how many namespaces a peer may announce at a time, be it the same one again and again.
const maxNamespaces = 1024

// namespaces are what the peer has announced by PUBLISH_NAMESPACE, and who wants to know.
type namespaces struct {
	mu       sync.Mutex // guards all below
	active   map[string]announced
	count    int // announcements in active
	watchers map[*watcher]bool
}

// announced is a namespace, and how often it is announced at present.
type announced struct {
	fields []string
	times  int
}

// watcher is somebody who wants to know.
type watcher struct {
	prefix []string
	events chan change // has room for all that can be announced; what finds none is lost, and lost is closed
	lost   chan struct{}
}

// change is a namespace that is there now, or no longer.
type change struct {
	namespace []string
	active    bool
}

func newNamespaces() namespaces {
	return namespaces{active: map[string]announced{}, watchers: map[*watcher]bool{}}
}

// key is one string for each namespace: fields are never empty, but may hold any byte.
func key(namespace []string) string {
	return string(wire.QUIC.AppendTuple(nil, namespace))
}

// add notes an announcement. It fails if there are too many.
func (n *namespaces) add(namespace []string) (ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.active[key(namespace)]
	if n.count == maxNamespaces {
		return false
	}
	n.count++
	a.fields, a.times = namespace, a.times+1
	n.active[key(namespace)] = a
	if a.times == 1 {
		n.tell(change{namespace, true})
	}
	return true
}

// remove ends what add began.
func (n *namespaces) remove(namespace []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count--
	a := n.active[key(namespace)]
	if a.times--; a.times > 0 {
		n.active[key(namespace)] = a
		return
	}
	delete(n.active, key(namespace))
	n.tell(change{namespace, false})
}

// tell tells all watchers; mu is held.
func (n *namespaces) tell(c change) {
	for w := range n.watchers {
		w.tell(c)
	}
}

// tell hands c over, without waiting, if it concerns w. A watcher that has lost something already is closed for good.
func (w *watcher) tell(c change) {
	if !hasPrefix(c.namespace, w.prefix) {
		return
	}
	select {
	case <-w.lost:
	case w.events <- c:
	default:
		close(w.lost)
	}
}

// watch has w told of what is active, and of all changes from now on.
func (n *namespaces) watch(prefix []string) *watcher {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &watcher{prefix: prefix, events: make(chan change, 2*maxNamespaces), lost: make(chan struct{})}
	for _, a := range n.active {
		w.tell(change{a.fields, true})
	}
	n.watchers[w] = true
	return w
}

func (n *namespaces) unwatch(w *watcher) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.watchers, w)
}

func hasPrefix(namespace, prefix []string) bool {
	return len(namespace) >= len(prefix) && slices.Equal(namespace[:len(prefix)], prefix)
}

// announced passes an announcement of the peer's on and returns the answer to it; ok is false if that is a refusal.
func (s *Session) announced(m *dialect.PublishNamespace) (reply dialect.Message, ok bool) {
	if !s.namespaces.add(m.Namespace) {
		return s.d.Refuse(m, dialect.Overloaded, "too many namespaces"), false
	}
	if s.c.Announced != nil {
		if err := s.c.Announced(m.Namespace, m.Params.Tokens); err != nil {
			s.namespaces.remove(m.Namespace)
			return s.d.Refuse(m, refusal(err), err.Error()), false
		}
	}
	return s.d.Accept(m), true
}

// refusal is the kind of a reason for which we do not take what the peer offers.
func refusal(err error) dialect.Refusal {
	switch {
	case errors.Is(err, ErrUnauthorized):
		return dialect.NotAuthorized
	case errors.Is(err, ErrBusy):
		return dialect.Overloaded
	}
	return dialect.Uninterested
}

// withdrawn passes the end of an announcement on.
func (s *Session) withdrawn(namespace []string) {
	s.namespaces.remove(namespace)
	if s.c.Withdrawn != nil {
		s.c.Withdrawn(namespace)
	}
}

// Namespaces asks which namespaces there are under a prefix, and tells f of each when it appears and when it ends, until ctx ends
// or the peer does not report any longer: then f is told that all have ended. It returns a *RequestError if the peer refuses, a
// *ResetError or nil if it ended the report, a *SessionError, or ctx's error.
func (s *Session) Namespaces(ctx context.Context, prefix []string, f func(namespace []string, active bool)) error {
	var w *watcher
	if s.d.Discovery == dialect.Announced {
		if len(prefix) == 0 { // 14, "SUBSCRIBE_NAMESPACE"
			return &RequestError{Op: "subscribe to namespaces", Kind: ErrNotSupported, Reason: "up to 15 a prefix has one field at least"}
		}
		w = s.namespaces.watch(prefix)
		defer s.namespaces.unwatch(w)
	}
	q, err := s.link.request(ctx, func(id uint64) dialect.Message {
		return &dialect.SubscribeNamespace{RequestID: id, Prefix: prefix, Options: dialect.NamespacesOnly,
			Params: dialect.Params{Tokens: s.c.Tokens}}
	})
	if err != nil {
		return s.lost(ctx, err)
	}
	r := &report{s: s, prefix: prefix, tell: f, active: map[string][]string{}}
	if w != nil {
		err = r.announced(ctx, q, w)
	} else {
		err = r.reported(ctx, q.stream)
	}
	q.end(context.WithoutCancel(ctx), !r.refused)
	if fatal, ok := err.(fatalError); ok {
		err = s.sessionError(fatal.error)
		_ = s.start(ctx, func(context.Context) error { return err }) // fails only if the session has ended
	}
	if ctx.Err() == nil {
		for _, namespace := range r.active {
			f(namespace, false)
		}
	}
	return err
}

// report is what one call of Namespaces has told.
type report struct {
	s        *Session
	prefix   []string
	tell     func(namespace []string, active bool)
	accepted bool
	refused  bool
	active   map[string][]string
}

// change tells of a namespace, unless that is known.
func (r *report) change(c change) {
	k := key(c.namespace)
	if _, known := r.active[k]; known == c.active {
		return
	}
	if c.active {
		r.active[k] = c.namespace
	} else {
		delete(r.active, k)
	}
	r.tell(c.namespace, c.active)
}

// reported reads the report that comes on the request's own stream.
func (r *report) reported(ctx context.Context, st transport.Stream) error {
	defer context.AfterFunc(ctx, func() { st.Cancel(dialect.ResetCancelled) })()
	in := wire.NewReader(st, r.s.d.Varint, "answer to SUBSCRIBE_NAMESPACE")
	for {
		m, err := r.s.next(in)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case violation(err):
			return fatalError{err}
		case err != nil:
			return r.s.lost(ctx, err)
		case m == nil:
			return nil
		}
		if err := r.message(m); err != nil {
			return err
		}
	}
}

func (r *report) message(m dialect.Message) error {
	switch m := m.(type) {
	case *dialect.RequestOK:
		r.accepted = true
		return nil
	case *dialect.RequestError:
		r.refused = true
		return refused("subscribe to namespaces", r.s.d, m, len(r.s.c.Tokens))
	case *dialect.Goaway:
		return &RequestError{Op: "subscribe to namespaces", Kind: ErrGoingAway, Reason: "moves to " + m.URI}
	case *dialect.PublishSkipped: // a track: we asked for none
		return nil
	case *dialect.Namespace:
		return r.suffix(m.Suffix, true)
	case *dialect.NamespaceDone:
		return r.suffix(m.Suffix, false)
	}
	return fatalError{unexpected(m, "answer to SUBSCRIBE_NAMESPACE")}
}

// suffix takes a namespace in. More than we can remember end the report and not the session.
func (r *report) suffix(suffix []string, active bool) error {
	if !r.accepted {
		return fatalError{&wire.Error{In: "answer to SUBSCRIBE_NAMESPACE", Field: strings.Join(suffix, "/"), Err: wire.ErrValue}}
	}
	if active && len(r.active) >= maxNamespaces {
		return &RequestError{Op: "subscribe to namespaces", Kind: ErrNotSupported, Reason: "there are too many of them: ask for a longer prefix"}
	}
	r.change(change{append(slices.Clone(r.prefix), suffix...), active})
	return nil
}

// announced waits for the announcements that the request brings.
func (r *report) announced(ctx context.Context, q *request, w *watcher) error {
	for {
		select {
		case e := <-q.events:
			if err := r.message(e.m); err != nil {
				return err
			}
		case c := <-w.events:
			r.change(c)
		case <-w.lost:
			return &RequestError{Op: "subscribe to namespaces", Kind: ErrBusy, Reason: "too slow to follow"}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.s.done:
			return r.s.err
		}
	}
}
