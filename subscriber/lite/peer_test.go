package lite

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
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

// newest runs test for the newest draft only.
func newest(t *testing.T, test func(t *testing.T, d *dialect.Dialect)) {
	synctest.Test(t, func(t *testing.T) { test(t, dialect.Draft05()) })
}

// peer is a scripted publisher: it does what a test says, and nothing else.
type peer struct {
	t    *testing.T
	d    *dialect.Dialect
	conn transport.Conn
}

// inSession connects a session and a peer, and ends both when the test does. Run's error comes from the returned channel.
func inSession(t *testing.T, d *dialect.Dialect, c Config) (*Session, *peer, chan error) {
	t.Helper()
	client, server, _ := transporttest.Network(t)
	ln, err := transport.Listen(server, []string{d.ALPN}, transporttest.Certificate(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ln.Close)
	conn, err := transport.Dialer{
		Protocols: Protocols(), TLS: &tls.Config{InsecureSkipVerify: true},
		Packet: func() (net.PacketConn, error) { return client, nil },
	}.QUIC(t.Context(), server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(conn, c)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-s.done })
	return s, &peer{t: t, d: d, conn: accepted}, ran
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// asked is a request of the client's.
type asked struct {
	p  *peer
	m  dialect.Request
	st transport.Stream
	r  *wire.Reader
}

// next waits for the client's next request.
func (p *peer) next() *asked {
	p.t.Helper()
	st, err := p.conn.AcceptStream(p.t.Context())
	p.must(err)
	a := &asked{p: p, st: st, r: p.d.NewReader(st)}
	a.m, err = p.d.ReadRequest(a.r)
	p.must(err)
	return a
}

// write writes b.
func (a *asked) write(b []byte) {
	a.p.t.Helper()
	_, err := a.st.Write(b)
	a.p.must(err)
}

// answer answers a SUBSCRIBE.
func (a *asked) answer(m dialect.Message) { a.p.t.Helper(); a.write(a.p.d.AppendAnswer(nil, m)) }

// fin ends our half of the request.
func (a *asked) fin() { a.p.t.Helper(); a.p.must(a.st.Close()) }

// accept answers a SUBSCRIBE that begins with the group.
func (a *asked) accept(group uint64) {
	a.p.t.Helper()
	a.answer(&dialect.SubscribeOK{Group: group, Delivery: dialect.Delivery{Start: &group}})
}

// request opens a bidirectional stream of the peer's own.
func (p *peer) request(b []byte) transport.Stream {
	p.t.Helper()
	st, err := p.conn.OpenStream(p.t.Context())
	p.must(err)
	_, err = st.Write(b)
	p.must(err)
	return st
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

// group codes a group's stream. Its frames are 40 ticks apart.
func (p *peer) group(subscribe, sequence uint64, payloads ...string) []byte {
	b := p.d.AppendStream(nil, &dialect.Group{Subscribe: subscribe, Sequence: sequence})
	return append(b, p.frames(payloads...)...)
}

func (p *peer) frames(payloads ...string) (b []byte) {
	w := p.d.NewFrameWriter()
	for i, s := range payloads {
		b = w.Append(b, dialect.Frame{Timestamp: 1000 + 40*int64(i), Payload: []byte(s)})
	}
	return b
}

// object is a frame of group's as the Sink gets it.
func (p *peer) object(group, id uint64, payload string) media.Object {
	o := media.Object{Location: media.Location{Group: group, Object: id}, Payload: []byte(payload)}
	if p.d.Timed {
		o.Properties = []media.Property{{Type: 0x08, Value: 90000}, {Type: 0x10, Value: 1000 + 40*id}}
	}
	return o
}

// subscribe subscribes, and has the peer accept from group 5 on.
func subscribe(t *testing.T, s *Session, p *peer, sink moqt.Sink) (*Subscription, *asked) {
	t.Helper()
	var a *asked
	var sub *Subscription
	err := while(func() (err error) {
		sub, err = s.Subscribe(t.Context(), name("video"), moqt.SubscribeOptions{}, sink)
		return err
	}, func() {
		a = p.asks()
		a.accept(5)
	})
	if err != nil {
		t.Fatal(err)
	}
	return sub, a
}

// asks waits for a SUBSCRIBE, and answers the TRACK beside it.
func (p *peer) asks() (sub *asked) {
	p.t.Helper()
	for n := 0; n < 1 || p.d.Timed && n < 2; n++ {
		switch a := p.next(); a.m.(type) {
		case *dialect.TrackRequest:
			a.write(p.d.AppendMessage(nil, &dialect.TrackInfo{Timescale: 90000}))
			a.fin()
		case *dialect.Subscribe:
			sub = a
		default:
			p.t.Fatalf("got %#v", a.m)
		}
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

func name(track string) moqt.TrackName {
	return moqt.TrackName{Namespace: []string{"moqpack", "test"}, Name: track}
}

// recorder is a Sink that keeps what it gets.
type recorder struct {
	objects chan media.Object
	streams chan moqt.StreamEvent
}

func newRecorder() recorder {
	return recorder{make(chan media.Object, 1<<10), make(chan moqt.StreamEvent, 1<<10)}
}

func (r recorder) Object(_ context.Context, o media.Object) error { r.objects <- o; return nil }
func (r recorder) Stream(_ context.Context, e moqt.StreamEvent)   { r.streams <- e }

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

func (r recorder) ends(t *testing.T) moqt.StreamEvent {
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
func closes(t *testing.T, ran chan error) *moqt.SessionError {
	t.Helper()
	select {
	case err := <-ran:
		e, ok := errors.AsType[*moqt.SessionError](err)
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
