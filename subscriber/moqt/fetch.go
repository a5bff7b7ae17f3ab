package moqt

import (
	"context"
	"errors"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Fetch asks for past objects and blocks until the fetch stream has ended. It returns nil after a FIN, a *RequestError if the
// peer refused, a *ResetError if the peer gave up underway, a *SessionError if the session ended, or what Sink.Object
// returned. Ending ctx cancels the fetch; some peers never answer, so it should have a deadline.
func (s *Session) Fetch(ctx context.Context, r FetchRequest, sink Sink) error {
	f := &fetch{s: s, sink: sink, tokens: len(r.Tokens)}
	if r.Join != nil && r.Join.offered != nil && s.d.Control == dialect.OneStream {
		return &RequestError{Op: "fetch", Kind: ErrNotSupported, Reason: "only a SUBSCRIBE can be joined"} // 17 changed that
	}
	if r.Join != nil && s.d.Join == dialect.Fill {
		return f.fill(ctx, r)
	}
	q, err := s.link.request(ctx, func(id uint64) dialect.Message {
		f.expect(id)
		return r.message(s.d, id)
	})
	defer f.close()
	if err != nil {
		return s.lost(ctx, err)
	}
	f.q = q
	if err = s.start(ctx, q.serve); err == nil {
		err = f.serve(ctx)
	}
	q.end(context.WithoutCancel(ctx), err != nil && !f.refused)
	return f.fatal(ctx, err)
}

// fatal ends the session if err has to.
func (f *fetch) fatal(ctx context.Context, err error) error {
	if fatal, ok := err.(fatalError); ok {
		err = f.s.sessionError(fatal.error)
		_ = f.s.start(ctx, func(context.Context) error { return err }) // fails only if the session has ended
	}
	return err
}

// fill fetches as part of the subscription that is joined. The publisher must end a subscription with an update that it refuses,
// so a session in which that has happened asks no more.
func (f *fetch) fill(ctx context.Context, r FetchRequest) error {
	sub := r.Join
	select {
	case <-sub.accepted:
	case <-sub.done:
		return sub.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch {
	case sub.largest == nil:
		return &RequestError{Op: "fill", Kind: ErrRange, Reason: "nothing was published when the subscription began"}
	case sub.offered != nil && sub.offered.held():
		return &RequestError{Op: "fill", Kind: ErrNotSupported, Reason: "its answer could be that to our FORWARD"}
	case f.s.unfilled.Load() || !sub.filled.CompareAndSwap(false, true):
		return &RequestError{Op: "fill", Kind: ErrNotSupported, Reason: "this was asked before"}
	}
	f.q, f.over = newRequest(0), sub
	err := sub.update(ctx, func(id uint64) dialect.Message {
		f.expect(id)
		sub.fill.Store(f.q)
		return r.fill(id)
	})
	defer f.close()
	if err != nil {
		return f.s.lost(ctx, err)
	}
	err = f.serve(ctx)
	if f.refused {
		f.s.unfilled.Store(true)
	}
	return f.fatal(ctx, err)
}

// expect has the stream of request id brought to f.
func (f *fetch) expect(id uint64) { f.id, f.streams = id, f.s.tracks.expect(id) }

// lost is why something that needs the session failed with err: with the connection the session ends, and says why.
func (s *Session) lost(ctx context.Context, err error) error {
	if onlyReset(err) != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
		return s.err
	}
}

// close cancels a stream that came too late to be read.
func (f *fetch) close() {
	if f.streams == nil { // no request was made
		return
	}
	f.s.tracks.unexpect(f.id)
	select {
	case st := <-f.streams:
		st.Cancel(dialect.ResetCancelled)
	default:
	}
}

type fetch struct {
	s       *Session
	q       *request
	id      uint64
	streams chan dataStream
	sink    Sink
	tokens  int           // that were sent
	ok      bool          // FETCH_OK has come
	refused bool          // the peer ended it
	over    *Subscription // with which it ends, if it is part of one
}

// serve waits for the answer and the stream, which come in any order.
func (f *fetch) serve(ctx context.Context) error {
	events, over := f.q.events, make(<-chan struct{})
	if f.over != nil {
		over = f.over.done
	}
	for {
		select {
		case e := <-events:
			if err := f.event(e); err != nil {
				return err
			}
			if e.m == nil {
				events = nil // the request's stream has ended; the data stream has yet to come
			}
		case st := <-f.streams:
			return f.read(ctx, st)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-over:
			return f.over.err
		case <-f.s.done:
			return f.s.err
		}
	}
}

func (f *fetch) event(e event) error {
	switch m := e.m.(type) {
	case nil:
		if e.err == nil && !f.ok {
			f.refused = true
			return &RequestError{Op: "fetch", Kind: ErrRefused, Reason: "closed without an answer"}
		}
		return onlyReset(e.err)
	case *dialect.FetchOK:
		if f.ok {
			break
		}
		if typ, unknown := f.s.d.Mandatory(m.Properties); unknown {
			return mandatory("fetch", typ)
		}
		f.ok = true
		return nil
	case *dialect.RequestOK: // to an update
		if f.over != nil && !f.ok {
			f.ok = true
			return nil
		}
	case *dialect.RequestError:
		f.refused = true
		return refused("fetch", f.s.d, m, f.tokens)
	case *dialect.Goaway:
		return &RequestError{Op: "fetch", Kind: ErrGoingAway, Reason: "moves to " + m.URI}
	}
	return fatalError{unexpected(e.m, "answer to FETCH")}
}

// read serves the fetch stream to its end.
func (f *fetch) read(ctx context.Context, st dataStream) error {
	defer st.Cancel(dialect.ResetCancelled) // does nothing behind a FIN
	defer context.AfterFunc(ctx, func() { st.Cancel(dialect.ResetCancelled) })()
	objects := f.s.peer.Load().Fetched(st.r, f.s.c.Limits.Object)
	e := StreamEvent{Fetch: true}
	for {
		o, ok := objects.Next()
		if !ok {
			break
		}
		if o.Gap != dialect.NoGap {
			e.Unknown = e.Unknown || o.Gap == dialect.Unknown
			continue
		}
		if !f.s.admit(o.Object) {
			continue
		}
		if err := f.sink.Object(ctx, o.Object); err != nil {
			return err
		}
		e.Objects, e.Last, e.Group, e.Subgroup = e.Objects+1, o.Location.Object, o.Group, o.Subgroup
	}
	return f.end(ctx, st.r.Err(), e)
}

// end makes the reader's error the fetch's. A reset may be due to a refusal that is still on its way to us.
func (f *fetch) end(ctx context.Context, err error, e StreamEvent) error {
	if fatal := f.s.streamEnded(ctx, err, e, f.sink); fatal != nil {
		return fatal
	}
	if err == nil || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, cut := errors.AsType[*wire.Error](err); cut {
		return err
	}
	if onlyReset(err) == nil {
		return f.s.lost(ctx, err)
	}
	select {
	case ev := <-f.q.events:
		if refusal := f.event(ev); refusal != nil {
			return refusal
		}
	default:
	}
	return err
}
