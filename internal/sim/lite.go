package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	lite "github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// liteSession is one subscriber's connection that speaks moq-lite.
type liteSession struct {
	p      *Publisher
	conn   transport.Conn
	d      *lite.Dialect
	client *Dial // nil: the peer has dialled
	log    *slog.Logger
}

// run serves the session until it or ctx ends.
func (s *liteSession) run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	if s.d.Setup {
		g.Go(func() error { return s.setUp(gctx) })
	}
	g.Go(func() error { return s.acceptUni(gctx, g) })
	g.Go(func() error { return s.acceptRequests(gctx, g) })
	g.Go(func() error { return s.p.awaitGoaway(gctx, func(uri string) error { return s.goaway(gctx, uri) }) })
	<-gctx.Done()
	if !errors.Is(context.Cause(ctx), ErrKilled) {
		goodbye(s.conn, context.Cause(gctx)) // this wakes whoever waits for the connection
	}
	return g.Wait()
}

// goaway asks the subscriber to move to uri. 03 has no way to.
func (s *liteSession) goaway(ctx context.Context, uri string) error {
	if s.d.ALPN == lite.Draft03().ALPN {
		return nil
	}
	st, err := s.conn.OpenStream(ctx)
	if err != nil {
		return fmt.Errorf("goaway: %w", err)
	}
	_, err = st.Write(s.d.AppendRequest(nil, &lite.Goaway{URI: uri}))
	return err
}

func (s *liteSession) setUp(ctx context.Context) error {
	st, err := s.conn.OpenUniStream(ctx)
	if err != nil {
		return fmt.Errorf("setup stream: %w", err)
	}
	setup := &lite.Setup{}
	if s.client != nil && !s.conn.WebTransport() {
		setup.Path = &s.client.Path
	}
	if _, err := st.Write(s.d.AppendStream(nil, setup)); err != nil {
		return fmt.Errorf("setup stream: %w", err)
	}
	return st.Close()
}

// acceptUni accepts the peer's SETUP. A subscriber has nothing else to send.
func (s *liteSession) acceptUni(ctx context.Context, g *errgroup.Group) error {
	for {
		st, err := s.conn.AcceptUniStream(ctx)
		if err != nil {
			return fmt.Errorf("accept stream: %w", err)
		}
		g.Go(func() error {
			m, err := s.d.ReadStream(s.d.NewReader(st))
			if _, ok := m.(*lite.Setup); !ok {
				st.Cancel(lite.ResetCancelled)
			}
			return fatal(err)
		})
	}
}

func (s *liteSession) acceptRequests(ctx context.Context, g *errgroup.Group) error {
	for {
		st, err := s.conn.AcceptStream(ctx)
		if err != nil {
			return fmt.Errorf("accept request: %w", err)
		}
		g.Go(func() error { return s.serve(ctx, st) })
	}
}

// serve serves one request until it is through, or the peer closes or resets its stream.
func (s *liteSession) serve(ctx context.Context, st transport.Stream) error {
	r := s.d.NewReader(st)
	m, err := s.d.ReadRequest(r)
	if err != nil {
		st.Reset(lite.ResetInternal)
		st.Cancel(lite.ResetInternal)
		if errors.Is(err, wire.ErrUnknown) { // of this stream only
			return nil
		}
		return fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var g sync.WaitGroup
	defer g.Wait()
	defer st.Cancel(lite.ResetCancelled)
	defer cancel()
	g.Go(func() {
		defer cancel()
		for more := true; more; { // SUBSCRIBE_UPDATEs, which change nothing here
			u, err := s.d.ReadUpdate(r)
			more = u != nil && err == nil
		}
	})
	defer context.AfterFunc(ctx, func() { st.Reset(lite.ResetCancelled) })() // nothing behind a FIN
	code := s.handle(ctx, st, m)
	if code != 0 {
		st.Reset(code)
		return nil
	}
	_ = st.Close() // fails only if the peer has stopped it
	return nil
}

// handle answers a request. It returns the code to reset the stream with, or 0.
func (s *liteSession) handle(ctx context.Context, st transport.Stream, m lite.Request) uint64 {
	switch m := m.(type) {
	case *lite.AnnounceRequest:
		return s.announce(ctx, st, m)
	case *lite.Subscribe:
		return s.subscribe(ctx, st, m)
	case *lite.Fetch:
		return s.fetch(ctx, st, m)
	case *lite.TrackRequest:
		return s.trackInfo(st, m)
	}
	return lite.ResetNotFound
}

// feed finds a track, as far as the faults let it.
func (s *liteSession) feed(t lite.Track) (feed, bool) {
	return s.p.feedOf(dialect.TrackName{Namespace: strings.Split(t.Broadcast, "/"), Name: t.Name})
}

// announce says which broadcasts there are, and when they end.
func (s *liteSession) announce(ctx context.Context, st transport.Stream, m *lite.AnnounceRequest) uint64 {
	var mu sync.Mutex
	var g sync.WaitGroup
	defer g.Wait()
	say := func(messages ...lite.Message) {
		mu.Lock()
		defer mu.Unlock()
		var b []byte
		for _, m := range messages {
			b = s.d.AppendMessage(b, m)
		}
		_, _ = st.Write(b) // a peer that is gone needs no answer
	}
	var first []lite.Message
	for _, c := range s.p.channels {
		suffix, ok := strings.CutPrefix(strings.Join(c.Namespace, "/"), m.Prefix)
		if _, ended := c.end.at(); !ok || ended {
			continue
		}
		first = append(first, &lite.Announce{Status: lite.Active, Suffix: suffix})
		g.Go(func() {
			select {
			case <-c.end.done:
				say(&lite.Announce{Status: lite.Ended, Suffix: suffix})
			case <-ctx.Done():
			}
		})
	}
	if s.d.AnnounceOK {
		first = append([]lite.Message{&lite.AnnounceOK{Hop: 1, Active: uint64(len(first))}}, first...)
	}
	say(first...)
	<-ctx.Done()
	return 0
}

// liteTimescale is what timestamps count in: they are Unix time.
const liteTimescale = 1_000_000

func (s *liteSession) trackInfo(st transport.Stream, m *lite.TrackRequest) uint64 {
	if _, ok := s.feed(m.Track); !ok {
		return lite.ResetNotFound
	}
	info := &lite.TrackInfo{Priority: 128, Ordered: true, MaxLatency: kept, Timescale: liteTimescale}
	_, _ = st.Write(s.d.AppendMessage(nil, info)) // a peer that is gone needs no answer
	return 0
}

// goodbye closes a connection because of err. If it is closed already this does nothing.
func goodbye(conn transport.Conn, err error) {
	code, reason := uint64(dialect.NoError), "the publisher stops"
	var malformed *wire.Error
	var v violation
	if errors.As(err, &malformed) || errors.As(err, &v) {
		code, reason = dialect.ProtocolViolation, err.Error()
	}
	conn.Close(code, reason)
}
