package moqt

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// read serves a subgroup stream to its end.
func (l *lifetime) read(ctx context.Context, st dataStream) {
	if err := l.s.readSubgroup(ctx, st, l.sink); err != nil {
		l.fail(ctx, err)
		return
	}
	select {
	case l.ended <- struct{}{}:
	case <-ctx.Done():
	}
}

// readSubgroup hands a stream's objects and then its end to sink. The error is sink's, or a fatalError. When ctx ends the
// stream is cancelled and sink hears no more.
func (s *Session) readSubgroup(ctx context.Context, st dataStream, sink Sink) error {
	defer st.Cancel(dialect.ResetCancelled) // does nothing behind a FIN
	defer context.AfterFunc(ctx, func() { st.Cancel(dialect.ResetCancelled) })()
	objects := s.peer.Load().Objects(st.r, st.h, s.c.Limits.Object)
	e := StreamEvent{EndOfGroup: st.h.EndOfGroup, First: st.h.First}
	for {
		o, ok := objects.Next()
		if !ok {
			break
		}
		if !s.admit(o) {
			continue
		}
		if err := sink.Object(ctx, o); err != nil {
			return err
		}
		e.Objects, e.Last = e.Objects+1, o.Location.Object
	}
	e.Group, e.Subgroup = st.h.Group, objects.Header().Subgroup
	return s.streamEnded(ctx, st.r.Err(), e, sink)
}

// admit counts an object. One that does not exist is left out, and so are statuses that the draft does not define; they may have
// been removed from it (16: 1, does not exist).
func (s *Session) admit(o media.Object) bool {
	if s.d.Absent(o.Status) {
		return false
	}
	if o.Status != media.Normal && o.Status != media.EndOfGroup && o.Status != media.EndOfTrack {
		s.c.Metrics.Malformed("status")
		return false
	}
	s.c.Metrics.Object(len(o.Payload))
	return true
}

// streamEnded reports the end of a data stream, whose reader's error is err, to sink, and returns what has to end more
// than that.
func (s *Session) streamEnded(ctx context.Context, err error, e StreamEvent, sink Sink) error {
	reset, isReset := errors.AsType[*ResetError](err)
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
	case isReset:
		s.c.Metrics.Reset()
		e.Reset, e.Code = true, reset.Code
	case errors.Is(err, wire.ErrLimit), errors.Is(err, io.ErrUnexpectedEOF):
		s.c.Metrics.Malformed(reason(err))
		level := slog.LevelWarn
		if s.warned.Swap(true) {
			level = slog.LevelDebug
		}
		s.c.Logger.Log(ctx, level, "rest of a stream is lost", "group", e.Group, "subgroup", e.Subgroup, "err", err)
		e.Reset = true
	case violation(err):
		s.c.Metrics.Malformed("violation")
		return fatalError{err}
	default: // the connection has ended
		return nil
	}
	sink.Stream(ctx, e)
	return nil
}

func reason(err error) string {
	if errors.Is(err, wire.ErrLimit) {
		return "too_large"
	}
	return "truncated"
}

// serveDatagrams hands a subscription's datagrams to its sink. Whoever is too slow for them loses some.
func (l *lifetime) serveDatagrams(ctx context.Context) {
	for {
		select {
		case o := <-l.datagrams:
			if !l.s.admit(o) {
				continue
			}
			if err := l.sink.Object(ctx, o); err != nil {
				l.fail(ctx, err)
				return
			}
			l.sink.Stream(ctx, StreamEvent{
				Group: o.Group, Subgroup: o.Subgroup, Datagram: true, Objects: 1, Last: o.Object, EndOfGroup: o.Last,
			})
		case <-ctx.Done():
			return
		}
	}
}

// offer hands over a datagram's object, or drops it.
func (s *Subscription) offer(o media.Object) {
	select {
	case s.datagrams <- o:
	default:
		s.s.c.Metrics.Drop()
	}
}
