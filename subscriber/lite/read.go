package lite

import (
	"context"
	"errors"
	"log/slog"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// The properties of LOC that say what a frame's timestamp does (draft-ietf-moq-loc, "Timestamp" and "Timescale").
const (
	timescaleProperty = 0x08
	timestampProperty = 0x10
)

// properties say when an object is to be shown, if that is known. LOC has no times before 0.
func properties(timestamp int64, timescale uint64) []media.Property {
	if timescale == 0 || timestamp < 0 {
		return nil
	}
	return []media.Property{{Type: timescaleProperty, Value: timescale}, {Type: timestampProperty, Value: uint64(timestamp)}}
}

// read serves a group's stream to its end. What it brings waits until its timestamps have a meaning.
func (l *lifetime) read(ctx context.Context, st groupStream) {
	defer st.Cancel(dialect.ResetCancelled) // does nothing behind a FIN
	defer context.AfterFunc(ctx, func() { st.Cancel(dialect.ResetCancelled) })()
	select {
	case <-l.timed:
	case <-ctx.Done():
		return
	}
	if err := l.readGroup(ctx, st); err != nil {
		l.fail(ctx, err)
		return
	}
	select {
	case l.ended <- struct{}{}:
	case <-ctx.Done():
	}
}

// readGroup hands a stream's objects and then its end to the sink. The error is the sink's.
func (l *lifetime) readGroup(ctx context.Context, st groupStream) error {
	frames := l.s.d.Frames(st.r, l.s.c.Limits.Object)
	e := moqt.StreamEvent{Group: st.group, EndOfGroup: true, First: true}
	for f, ok := frames.Next(); ok; f, ok = frames.Next() {
		o := media.Object{Location: media.Location{Group: st.group, Object: e.Objects}, Payload: f.Payload}
		o.Properties = properties(f.Timestamp, l.timescale)
		l.s.c.Metrics.Object(len(o.Payload))
		if err := l.sink.Object(ctx, o); err != nil {
			return err
		}
		e.Last = e.Objects
		e.Objects++
	}
	return l.groupEnded(ctx, st.r.Err(), e)
}

// groupEnded reports the end of a group's stream, whose reader's error is err, to the sink.
func (l *lifetime) groupEnded(ctx context.Context, err error, e moqt.StreamEvent) error {
	switch code, lost := l.s.lost(ctx, err); {
	case ctx.Err() != nil:
		return nil
	case lost:
		e.Reset, e.Code = true, code
	case err != nil: // the connection has ended
		return nil
	case e.Objects == 0: // a group that says that it is empty
		o := media.Object{Location: media.Location{Group: e.Group}, Status: media.EndOfGroup}
		if err := l.sink.Object(ctx, o); err != nil {
			return err
		}
	}
	l.sink.Stream(ctx, e)
	return nil
}

// lost reports whether err, that of a group's reader, cost no more than the rest of the group; code is that of a reset. Frames
// that make no sense are as good as reset, as the draft has it.
func (s *Session) lost(ctx context.Context, err error) (code uint64, lost bool) {
	if reset, ok := errors.AsType[*transport.ResetError](err); ok {
		s.c.Metrics.Reset()
		return meant(reset), true
	}
	if _, ok := errors.AsType[*wire.Error](err); ok {
		s.c.Metrics.Malformed(reason(err))
		level := slog.LevelWarn
		if s.warned.Swap(true) {
			level = slog.LevelDebug
		}
		s.c.Logger.Log(ctx, level, "rest of a group is lost", "err", err)
		return 0, true
	}
	return 0, false
}

// serveDatagrams hands a subscription's datagrams, each a group, to its sink. Whoever is too slow for them loses some.
func (l *lifetime) serveDatagrams(ctx context.Context) {
	select {
	case <-l.timed:
	case <-ctx.Done():
		return
	}
	for {
		select {
		case g := <-l.datagrams:
			o := media.Object{Location: media.Location{Group: g.Sequence}, Last: true, Payload: g.Payload}
			o.Properties = properties(int64(g.Timestamp), l.timescale)
			l.s.c.Metrics.Object(len(o.Payload))
			if err := l.sink.Object(ctx, o); err != nil {
				l.fail(ctx, err)
				return
			}
			l.sink.Stream(ctx, moqt.StreamEvent{Group: g.Sequence, Datagram: true, Objects: 1, EndOfGroup: true})
		case <-ctx.Done():
			return
		}
	}
}

// offer hands over a datagram, or drops it.
func (s *Subscription) offer(g dialect.Datagram) {
	select {
	case s.datagrams <- g:
	default:
		s.s.c.Metrics.Drop()
	}
}
