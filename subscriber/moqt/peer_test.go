package moqt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/transport/transporttest"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// eachDraft runs test in a bubble of simulated time and network, once for each draft.
func eachDraft(t *testing.T, test func(t *testing.T, d *dialect.Dialect)) {
	for _, d := range dialect.All() {
		t.Run(d.ALPN, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, d) }) })
	}
}

// eachFamily runs a test that takes long once for each family of drafts.
func eachFamily(t *testing.T, test func(t *testing.T, d *dialect.Dialect)) {
	for _, d := range []*dialect.Dialect{dialect.Draft16(), dialect.Draft18()} {
		t.Run(d.ALPN, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, d) }) })
	}
}

// oneDraft runs test for one draft.
func oneDraft(t *testing.T, d *dialect.Dialect, test func(t *testing.T, d *dialect.Dialect)) {
	t.Run(d.ALPN, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, d) }) })
}

// peer is a scripted publisher: it does what a test says, and nothing else.
type peer struct {
	t        *testing.T
	d        *dialect.Dialect
	conn     transport.Conn
	cable    *transporttest.Cable
	control  transport.SendStream // ours
	requests *wire.Reader         // our control stream; OneStream: on which requests come, too
	id       uint64               // OneStream: of the session's next request
	odd      bool                 // the session's request ids are: the peer has dialled
	setup    *dialect.Setup       // the session's
}

// inSession connects a session and a peer that have exchanged SETUP, and ends both when the test does. Run's error comes
// from the returned channel.
func inSession(t *testing.T, d *dialect.Dialect, c Config) (*Session, *peer, chan error) {
	t.Helper()
	s, p := connect(t, d, c)
	ran := run(t, s)
	p.begin()
	return s, p, ran
}

func connect(t *testing.T, d *dialect.Dialect, c Config) (*Session, *peer) {
	t.Helper()
	client, server, cable := transporttest.Network(t)
	ln, err := transport.Listen(server, []string{d.ALPN}, transporttest.Certificate(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ln.Close)
	s := dial(t, client, server.LocalAddr(), c)
	conn, err := ln.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, &peer{t: t, d: d, conn: conn, cable: cable}
}

// accepted is inSession with a peer that has dialled.
func accepted(t *testing.T, d *dialect.Dialect, c Config) (*Session, *peer, chan error) {
	t.Helper()
	client, server, cable := transporttest.Network(t)
	ln, err := transport.Listen(server, []string{d.ALPN}, transporttest.Certificate(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ln.Close)
	conn, err := dialer(client).QUIC(t.Context(), server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(0, "") })
	mine, err := ln.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Accept(mine, c)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, d: d, conn: conn, cable: cable, odd: true}
	if d.Control == dialect.OneStream {
		p.id = 1
	}
	ran := run(t, s)
	p.begunBy(&dialect.Setup{Path: "/live", Authority: "here", MaxRequestID: 1 << 20})
	return s, p, ran
}

// dial begins a session with what listens at addr.
func dial(t *testing.T, client net.PacketConn, addr net.Addr, c Config) *Session {
	t.Helper()
	conn, err := dialer(client).QUIC(t.Context(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c.Authority = addr.String()
	s, err := New(conn, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dialer(client net.PacketConn) transport.Dialer {
	return transport.Dialer{
		Protocols: append(Protocols(), Experimental()...), TLS: &tls.Config{InsecureSkipVerify: true},
		Packet: func() (net.PacketConn, error) { return client, nil },
	}
}

func run(t *testing.T, s *Session) chan error {
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-s.done })
	return ran
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) reader(r io.Reader) *wire.Reader { return wire.NewReader(r, p.d.Varint, "peer") }

func (p *peer) read(r *wire.Reader) dialect.Message {
	p.t.Helper()
	m, err := p.d.Read(r)
	p.must(err)
	return m
}

// begin exchanges SETUP.
func (p *peer) begin() {
	p.t.Helper()
	p.begunBy(&dialect.Setup{Server: true, MaxRequestID: 1 << 20})
}

func (p *peer) begunBy(setup *dialect.Setup) {
	p.t.Helper()
	ctx := p.t.Context()
	if p.odd {
		setup.Server = false
	}
	if p.d.Control == dialect.PerRequest {
		out, err := p.conn.OpenUniStream(ctx)
		p.must(err)
		p.control = out
		p.send(setup)
		in, err := p.conn.AcceptUniStream(ctx)
		p.must(err)
		p.requests = p.reader(in)
		p.setup = p.read(p.requests).(*dialect.Setup)
		return
	}
	if p.odd {
		st, err := p.conn.OpenStream(ctx)
		p.must(err)
		p.control, p.requests = st, p.reader(st)
		p.send(setup)
		if p.setup = p.read(p.requests).(*dialect.Setup); !p.setup.Server {
			p.t.Error("a server sent CLIENT_SETUP")
		}
		return
	}
	st, err := p.conn.AcceptStream(ctx)
	p.must(err)
	p.control, p.requests = st, p.reader(st)
	p.setup = p.read(p.requests).(*dialect.Setup)
	p.send(setup)
}

// send writes on the control stream.
func (p *peer) send(m dialect.Message) {
	p.t.Helper()
	_, err := p.control.Write(p.d.Append(nil, m))
	p.must(err)
}

// asked is a request of the client's.
type asked struct {
	p  *peer
	m  dialect.Message
	id uint64
	st transport.Stream // PerRequest only
	r  *wire.Reader
}

// next waits for the client's next request.
func (p *peer) next() *asked {
	p.t.Helper()
	if p.d.Control == dialect.OneStream {
		a := &asked{p: p, m: p.read(p.requests)}
		if a.id = askedID(a.m); a.id != p.id {
			p.t.Fatalf("request id %d, want %d", a.id, p.id)
		}
		p.id += 2
		return a
	}
	st, err := p.conn.AcceptStream(p.t.Context())
	p.must(err)
	a := &asked{p: p, st: st, r: p.reader(st)}
	a.m = p.read(a.r)
	if a.id = askedID(a.m); a.id%2 == 1 != p.odd {
		p.t.Fatalf("request id %d", a.id)
	}
	return a
}

func askedID(m dialect.Message) uint64 {
	id, _, _ := dialect.Asked(m)
	return id
}

// reply answers; m's request id is set.
func (a *asked) reply(m dialect.Message) {
	a.p.t.Helper()
	to := dialect.ReplyTo{RequestID: a.id}
	switch m := m.(type) {
	case *dialect.SubscribeOK:
		m.ReplyTo = to
	case *dialect.RequestError:
		m.ReplyTo = to
	case *dialect.PublishDone:
		m.ReplyTo = to
	case *dialect.FetchOK:
		m.ReplyTo = to
	case *dialect.RequestOK:
		m.ReplyTo = to
	}
	if a.st == nil {
		a.p.send(m)
		return
	}
	_, err := a.st.Write(a.p.d.Append(nil, m))
	a.p.must(err)
}

// fin ends our half of the request, where it has one.
func (a *asked) fin() {
	if a.st != nil {
		a.p.must(a.st.Close())
	}
}

// cancelled waits for the client's cancellation.
func (a *asked) cancelled() {
	a.p.t.Helper()
	if a.st == nil {
		m, ok := a.p.read(a.p.requests).(dialect.Reply)
		if !ok || m.Request() != a.id {
			a.p.t.Fatalf("got %#v, want the cancellation of %d", m, a.id)
		}
		return
	}
	if err := stopped(a.p.d, a.st, a.r); err != nil {
		a.p.t.Fatal(err)
	}
}

// stopped waits for the client to end its half of a request's stream, which is r, and to stop ours. It does not reset its half unless
// that was blocked.
func stopped(d *dialect.Dialect, st transport.SendStream, r *wire.Reader) error {
	m, err := d.Read(r)
	if m != nil || err != nil && !isReset(err, dialect.ResetCancelled) {
		return fmt.Errorf("request stream ended with %v, %w, want a FIN", m, err)
	}
	for err = nil; err == nil; { // until there is no room, or for good
		_, err = st.Write(make([]byte, 1<<10))
	}
	if !isReset(err, dialect.ResetCancelled) {
		return fmt.Errorf("request stream stopped with %w, want CANCELLED", err)
	}
	return nil
}

func isReset(err error, code uint64) bool {
	e, ok := errors.AsType[*ResetError](err)
	return ok && e.Code == code && e.Remote
}

// stream opens a unidirectional stream with b on it.
func (p *peer) stream(b []byte) transport.SendStream {
	p.t.Helper()
	st, err := p.conn.OpenUniStream(p.t.Context())
	p.must(err)
	_, err = st.Write(b)
	p.must(err)
	return st
}

// subgroup codes a whole subgroup stream.
func (p *peer) subgroup(h dialect.SubgroupHeader, payloads ...string) []byte {
	w, b := p.d.NewSubgroupWriter(h), p.d.AppendSubgroupHeader(nil, h)
	for id, s := range payloads {
		b = w.Append(b, object(h.Group, uint64(id), s))
	}
	return b
}

func object(group, id uint64, payload string) media.Object {
	return media.Object{Location: media.Location{Group: group, Object: id}, Payload: []byte(payload)}
}

// subscribed makes a subscription of alias 7.
func subscribed(t *testing.T, s *Session, p *peer, sink Sink) (*Subscription, *asked) {
	t.Helper()
	var a *asked
	sub := subscribe(t, s, sink, func() {
		a = p.next()
		a.reply(&dialect.SubscribeOK{Alias: 7})
	})
	return sub, a
}

// subscribe subscribes while script runs.
func subscribe(t *testing.T, s *Session, sink Sink, script func()) *Subscription {
	t.Helper()
	var sub *Subscription
	err := while(func() (err error) {
		sub, err = s.Subscribe(t.Context(), track("video"), SubscribeOptions{}, sink)
		return err
	}, script)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// while runs f beside script and returns f's error.
func while(f func() error, script func()) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	script()
	return <-done
}

func track(name string) TrackName {
	return TrackName{Namespace: []string{"moqpack", "test"}, Name: name}
}

// recorder is a Sink that keeps what it gets.
type recorder struct {
	objects chan media.Object
	streams chan StreamEvent
}

func newRecorder() recorder {
	return recorder{make(chan media.Object, 1<<15), make(chan StreamEvent, 1<<15)}
}

func (r recorder) Object(_ context.Context, o media.Object) error { r.objects <- o; return nil }
func (r recorder) Stream(_ context.Context, e StreamEvent)        { r.streams <- e }

// gets fails unless the next objects have these payloads.
func (r recorder) gets(t *testing.T, payloads ...string) {
	t.Helper()
	for _, want := range payloads {
		select {
		case o := <-r.objects:
			if string(o.Payload) != want {
				t.Errorf("got %q, want %q", o.Payload, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q has not come", want)
		}
	}
}

func (r recorder) ends(t *testing.T) StreamEvent {
	t.Helper()
	select {
	case e := <-r.streams:
		return e
	case <-time.After(time.Minute):
		t.Fatal("no stream has ended")
		panic("unreachable")
	}
}

// closes waits for the session's end and returns why.
func closes(t *testing.T, ran chan error) *SessionError {
	t.Helper()
	select {
	case err := <-ran:
		e, ok := errors.AsType[*SessionError](err)
		if !ok {
			t.Fatalf("Run returned %v", err)
		}
		return e
	case <-time.After(time.Minute):
		t.Fatal("the session has not ended")
		panic("unreachable")
	}
}

// lives fails if the session has ended.
func lives(t *testing.T, ran chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-ran:
		t.Fatalf("the session has ended: %v", err)
	default:
	}
}
