package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Dial says how to publish to somebody who listens, as an encoder does.
type Dial struct {
	Dialer       transport.Dialer // without Protocols: those of the publisher
	Addr, Path   string
	WebTransport bool
	Token        string // shown in SETUP
	RequestToken string // shown with every announcement
	Push         bool   // a PUBLISH for every track, and nothing else: no announcement, no answer to a SUBSCRIBE but a refusal
}

// Refusal is what a client publishes and is not let.
type Refusal struct {
	Code   uint64
	Reason string
}

func (r *Refusal) Error() string { return fmt.Sprintf("refused with code %#x: %s", r.Code, r.Reason) }

// ErrGoaway is that a client was asked to leave.
var ErrGoaway = errors.New("asked to leave")

// Publish connects and publishes all broadcasts until ctx or the session ends, and says why. It ends with a *Refusal or with
// ErrGoaway, too.
func (p *Publisher) Publish(ctx context.Context, c Dial) error {
	d := c.Dialer
	if d.Protocols == nil {
		d.Protocols = p.drafts
	}
	dial := d.QUIC
	if c.WebTransport {
		dial = func(ctx context.Context, addr string) (transport.Conn, error) {
			return d.WebTransport(ctx, addr, c.Path)
		}
	}
	conn, err := dial(ctx, c.Addr)
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	log := p.log.With("peer", conn.RemoteAddr().String(), "draft", conn.Protocol())
	return p.session(ctx, conn, &c, log)
}

// setup is our SETUP.
func (s *session) setup() *dialect.Setup {
	m := &dialect.Setup{Server: s.client == nil, MaxRequestID: 1 << 30, Implementation: implementation}
	if s.client == nil {
		return m
	}
	if m.WebTransport = s.conn.WebTransport(); !m.WebTransport {
		m.Path, m.Authority = s.client.Path, s.client.Addr
	}
	m.Tokens = tokens(s.client.Token)
	return m
}

func tokens(token string) []dialect.Token {
	if token == "" {
		return nil
	}
	return []dialect.Token{{Value: []byte(token)}}
}

// requestID is the id of the i-th request: a client's are even.
func (s *session) requestID(i int) uint64 {
	if s.client != nil {
		return uint64(2 * i)
	}
	return uint64(2*i + 1)
}

// goaway ends a client's session that the peer wants to end.
func (s *session) goaway(m dialect.Message) error {
	if _, ok := m.(*dialect.Goaway); ok && s.client != nil {
		return ErrGoaway
	}
	return nil
}

// pushes are the tracks that a client offers.
func (s *session) pushes() (all []*dialect.Publish) {
	if s.client == nil || !s.client.Push {
		return nil
	}
	for _, c := range s.p.channels {
		names := []string{live.CatalogTrack}
		for _, t := range c.Tracks {
			names = append(names, t.Name)
		}
		for _, name := range names {
			all = append(all, &dialect.Publish{
				RequestID: s.requestID(len(all)), Track: dialect.TrackName{Namespace: c.Namespace, Name: name}, Alias: s.aliases.Add(1),
				Params: dialect.Params{Tokens: tokens(s.client.RequestToken)},
			})
		}
	}
	return all
}

// push sends a track that has been offered, from the beginning of the group that is being made, until somebody has it enough: then nil is among
// the answers, or an UNSUBSCRIBE.
func (s *session) push(ctx context.Context, m *dialect.Publish, send func(dialect.Message) error, answers <-chan dialect.Message) error {
	f, ok := s.p.feedOf(m.Track)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	var g sync.WaitGroup
	defer g.Wait()
	defer cancel()
	for {
		select {
		case a := <-answers:
			switch a := a.(type) {
			case *dialect.RequestError:
				return &Refusal{a.Code, a.Reason}
			case *dialect.RequestOK, *dialect.PublishOK:
				g.Go(func() { s.deliver(ctx, m, f, send) })
			default:
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// deliver sends a track that has been accepted.
func (s *session) deliver(ctx context.Context, m *dialect.Publish, f feed, send func(dialect.Message) error) {
	sub := &subscription{s: s, track: m.Track.Name, feed: f, alias: m.Alias, endGroup: math.MaxUint64}
	sub.begin(nil)
	sub.start.Object = 0
	if status, done := sub.deliver(ctx); done {
		_ = send(&dialect.PublishDone{ReplyTo: dialect.ReplyTo{RequestID: m.RequestID}, Code: s.d.StatusCode(status), Streams: sub.streams.Load()})
	}
}

// pushOnStream is push on a stream of its own (17 and later).
func (s *session) pushOnStream(ctx context.Context, m *dialect.Publish) error {
	st, err := s.conn.OpenStream(ctx)
	if err != nil {
		return nil // the session says why
	}
	ctx, cancel := context.WithCancel(ctx)
	answers := make(chan dialect.Message)
	var g sync.WaitGroup
	g.Go(func() {
		r := wire.NewReader(st, s.d.Varint, "answer to PUBLISH")
		for more := true; more; {
			a, err := s.d.Read(r)
			if more = a != nil && err == nil; !more {
				a = nil
			}
			if _, update := a.(*dialect.RequestUpdate); update { // which changes nothing here
				continue
			}
			select {
			case answers <- a:
			case <-ctx.Done():
				return
			}
		}
	})
	defer g.Wait()
	defer st.Cancel(dialect.ResetCancelled)
	defer st.Close()
	defer cancel()
	send := sendOn(s.d, st)
	if send(m) != nil {
		return nil // the peer is gone
	}
	return s.push(ctx, m, send, answers)
}

// pushOnControl offers all tracks on the control stream (up to 16), in the order of their ids.
func (s *session) pushOnControl(ctx context.Context, g *errgroup.Group, send func(dialect.Message) error) {
	for _, m := range s.pushes() {
		answers := make(chan dialect.Message, 8)
		s.mu.Lock()
		s.answers[m.RequestID] = answers
		s.mu.Unlock()
		if send(m) != nil {
			return // the peer is gone
		}
		g.Go(func() error { return s.push(ctx, m, send, answers) })
	}
}

// answered takes what the peer says of what we have published. A client ends when it is refused.
func (s *session) answered(m dialect.Reply) error {
	s.mu.Lock()
	answers := s.answers[m.Request()]
	s.mu.Unlock()
	if answers != nil {
		select {
		case answers <- m:
		default: // nobody says so much
		}
		return nil
	}
	if e, ok := m.(*dialect.RequestError); ok && s.client != nil {
		return &Refusal{e.Code, e.Reason}
	}
	return nil
}
