package sim

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// send sends the objects of one group from l on, as they come into being.
func (sub *subscription) send(ctx context.Context, l media.Location) {
	switch sub.feed.delivery() {
	case live.Streams:
		sub.sendSingly(ctx, l, sub.sendStream)
	case live.Datagrams:
		sub.sendSingly(ctx, l, sub.sendDatagram)
	default:
		sub.sendGroup(ctx, l)
	}
}

// sendGroup sends a group on one stream, which ends with the group or with the track.
func (sub *subscription) sendGroup(ctx context.Context, l media.Location) {
	h := dialect.SubgroupHeader{Alias: sub.alias, Group: l.Group, EndOfGroup: true, First: l.Object == 0, Properties: sub.feed.properties()}
	st, stop := sub.openStream(ctx)
	if st == nil {
		return
	}
	defer stop()
	buf, w := sub.s.d.AppendSubgroupHeader(nil, h), sub.s.d.NewSubgroupWriter(h)
	for ; ; l.Object++ {
		o, err := sub.s.p.object(ctx, sub.track, sub.feed, l)
		switch {
		case errors.Is(err, errDropped):
			continue
		case errors.Is(err, errGroupOver), errors.Is(err, errTrackOver):
			if _, err := st.Write(buf); err != nil { // a header without objects, if all were dropped
				return
			}
			_ = st.Close() // fails only if the peer stopped it
			return
		case err != nil:
			if ctx.Err() == nil { // otherwise openStream does it
				st.Reset(dialect.ResetInternal)
			}
			return
		}
		if _, err := st.Write(w.Append(buf, o)); err != nil {
			return // the peer stopped it, or it was too slow
		}
		buf = buf[:0]
	}
}

// sendSingly sends every object of a group by itself, so that a late one does not hold up the next.
func (sub *subscription) sendSingly(ctx context.Context, l media.Location, send func(context.Context, media.Location)) {
	var g errgroup.Group
	defer func() { _ = g.Wait() }() // no object has an error
	for l := l; ; l.Object++ {
		if sub.feed.wait(ctx, l) != nil {
			return
		}
		g.Go(func() error { send(ctx, l); return nil })
	}
}

// sendStream sends an object on a stream and in a subgroup of its own.
func (sub *subscription) sendStream(ctx context.Context, l media.Location) {
	o, err := sub.s.p.object(ctx, sub.track, sub.feed, l)
	if err == nil {
		sub.sendAlone(ctx, o)
	}
}

func (sub *subscription) sendAlone(ctx context.Context, o media.Object) {
	h := dialect.SubgroupHeader{
		Alias: sub.alias, Group: o.Group, ID: dialect.SubgroupOfFirst, EndOfGroup: sub.feed.last(o.Location), First: true,
		Properties: sub.feed.properties(),
	}
	st, stop := sub.openStream(ctx)
	if st == nil {
		return
	}
	defer stop()
	b := sub.s.d.NewSubgroupWriter(h).Append(sub.s.d.AppendSubgroupHeader(nil, h), o)
	if _, err := st.Write(b); err == nil {
		_ = st.Close() // fails only if the peer stopped it
	}
}

// sendDatagram sends an object in a datagram, or on a stream if it is too large for that.
func (sub *subscription) sendDatagram(ctx context.Context, l media.Location) {
	o, err := sub.s.p.object(ctx, sub.track, sub.feed, l)
	if err != nil {
		return
	}
	o.Last = sub.feed.last(l)
	err = sub.s.conn.SendDatagram(sub.s.d.AppendDatagram(nil, dialect.Datagram{Alias: sub.alias, Object: o}))
	if errors.Is(err, transport.ErrTooLong) {
		sub.sendAlone(ctx, o)
	}
}

// openStream opens a stream that is reset when ctx ends before stop is called.
func (sub *subscription) openStream(ctx context.Context) (st transport.SendStream, stop func() bool) {
	st, err := sub.s.conn.OpenUniStream(ctx)
	if err != nil {
		return nil, nil
	}
	sub.streams.Add(1)
	return st, context.AfterFunc(ctx, func() {
		code := uint64(dialect.ResetCancelled)
		if errors.Is(context.Cause(ctx), errTooSlow) {
			code = dialect.ResetDeliveryTimeout
		}
		st.Reset(code)
	})
}

var (
	errDropped = errors.New("the object is dropped")
	errReset   = errors.New("the stream is reset")
)

// object waits for an object and makes it, unless a fault stands in the way.
func (p *Publisher) object(ctx context.Context, track string, f feed, l media.Location) (o media.Object, err error) {
	if err := f.wait(ctx, l); err != nil {
		return o, err
	}
	faults := p.faults.Load()
	if err := pause(ctx, faults.delay(track, l)); err != nil {
		return o, err
	}
	if faults.reset(track, l) {
		return o, errReset
	}
	if faults.drop(track, l) {
		return o, errDropped
	}
	if o, err = f.object(l); err != nil {
		return o, err
	}
	o.Payload = faults.corrupt(track, l, o.Payload)
	return o, nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
