package moqt

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/transport/transporttest"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

func TestSetupSaysWhereWeWantToGo(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{Path: "/live?x=1", Tokens: []Token{{Type: 5, Value: []byte("secret")}}})
		if s.Draft() != d.ALPN || p.setup.Path != "/live?x=1" || p.setup.Authority != "1.0.0.2:9002" {
			t.Errorf("draft %s, %+v", s.Draft(), p.setup)
		}
		if len(p.setup.Tokens) != 1 || p.setup.Tokens[0].Type != 5 || string(p.setup.Tokens[0].Value) != "secret" {
			t.Errorf("tokens %+v", p.setup.Tokens)
		}
	})
}

func TestThePeersDraftIsTaken(t *testing.T) {
	for _, v := range []struct {
		peer []string
		want string
	}{
		{[]string{"moqt-16"}, "moqt-16"},
		{[]string{"moqt-99", "moqt-19", "moqt-16"}, "moqt-19"},
		{[]string{"moqt-99"}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server, _ := transporttest.Network(t)
			ln, err := transport.Listen(server, v.peer, transporttest.Certificate(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(ln.Close)
			conn, err := dialer(client).QUIC(t.Context(), "1.0.0.2:9002")
			if v.want == "" {
				if !errors.Is(err, transport.ErrNoProtocol) {
					t.Errorf("%v: %v", v.peer, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s, err := New(conn, Config{})
			if err != nil {
				t.Fatal(err)
			}
			run(t, s)
			if s.Draft() != v.want {
				t.Errorf("%v: %s, want %s", v.peer, s.Draft(), v.want)
			}
		})
	}
}

// other is a connection that has agreed on something that is not ours.
type other struct{ transport.Conn }

func (other) Protocol() string { return "moqt-99" }

func TestUnknownDraftsAreRefused(t *testing.T) {
	if _, err := New(other{}, Config{}); !errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
}

func TestNoSetupEndsTheSession(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{})
		begun := time.Now()
		e := closes(t, run(t, s))
		if e.Code != dialect.ControlMessageTimeout || !errors.Is(e, ErrTimeout) || time.Since(begun) != setupTimeout {
			t.Errorf("%v after %v", e, time.Since(begun))
		}
		peerSees(t, p, dialect.ControlMessageTimeout)
	})
}

// peerSees fails unless the client closed with code.
func peerSees(t *testing.T, p *peer, code uint64) {
	t.Helper()
	for {
		_, err := p.conn.AcceptStream(t.Context())
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[*transport.CloseError](err); !ok || e.Code != code || !e.Remote {
			t.Errorf("peer sees %v, want code %#x", err, code)
		}
		return
	}
}

func TestGoawayIsToldAndEndsNothing(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		_, _ = subscribed(t, s, p, sink)
		p.send(&dialect.Goaway{URI: "moqt://elsewhere/"})
		<-s.Moving()
		p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7, Group: 1}, "still here"))
		sink.gets(t, "still here")
		lives(t, ran)
		p.conn.Close(dialect.NoError, "enough")
		if e := closes(t, ran); !errors.Is(e, ErrGoingAway) || e.URI != "moqt://elsewhere/" {
			t.Error(e)
		}
	})
}

func TestASecondGoawayIsAViolation(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		p.send(&dialect.Goaway{})
		p.send(&dialect.Goaway{})
		if e := closes(t, ran); e.Code != dialect.ProtocolViolation {
			t.Error(e)
		}
		peerSees(t, p, dialect.ProtocolViolation)
	})
}

// drained is a connection whose transport wants to be left.
type drained struct{ transport.Conn }

func (drained) Draining() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestADrainingTransportIsLeft(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, _ := connect(t, d, Config{})
		s.conn = drained{s.conn}
		run(t, s)
		<-s.Moving()
		if e := s.Moved(); !errors.Is(e, ErrGoingAway) || e.URI != "" {
			t.Error(e)
		}
	})
}

// overWebTransport is a connection that has said its path already.
type overWebTransport struct{ transport.Conn }

func (overWebTransport) WebTransport() bool { return true }

func TestSetupOverWebTransportNamesNoPath(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{Path: "/live"})
		s.conn = overWebTransport{s.conn}
		run(t, s)
		p.begin()
		if p.setup.Path != "" || p.setup.Authority != "" {
			t.Errorf("%+v", p.setup)
		}
	})
}

func TestTheEndOfTheControlStreamBehindSetupIsTolerated(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		p.must(p.control.Close())
		sink := newRecorder()
		subscribed(t, s, p, sink)
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "still here")).Close())
		sink.gets(t, "still here")
		lives(t, ran)
	})
}

func TestAResetOfTheControlStreamIsAViolation(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		p.control.Reset(dialect.ResetCancelled)
		if e := closes(t, ran); e.Code != dialect.ProtocolViolation { // "Session initialization": it MUST NOT be closed
			t.Error(e)
		}
	})
}

func TestLostStreamsAreWarnedOfOnce(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		var log bytes.Buffer
		s, p, _ := inSession(t, d, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		for range 3 {
			b := p.subgroup(dialect.SubgroupHeader{Alias: 7}, "cut off")
			p.must(p.stream(b[:len(b)-1]).Close())
			sink.ends(t)
		}
		if n := bytes.Count(log.Bytes(), []byte("rest of a stream is lost")); n != 1 {
			t.Errorf("warned %d times", n)
		}
	})
}

func TestAKilledPeerIsNoticed(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, _ := subscribed(t, s, p, newRecorder())
		time.Sleep(time.Minute)
		lives(t, ran) // keep-alives
		p.cable.Cut.Store(true)
		killed := time.Now()
		if e := closes(t, ran); !errors.Is(e, ErrTimeout) || time.Since(killed) > 8*time.Second {
			t.Errorf("%v after %v", e, time.Since(killed))
		}
		<-sub.Done()
		if _, ok := errors.AsType[*SessionError](sub.Err()); !ok {
			t.Errorf("subscription: %v", sub.Err())
		}
	})
}

func TestThePeersCloseIsPassedOn(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		err := while(func() error {
			_, err := s.Subscribe(t.Context(), track("x"), SubscribeOptions{}, newRecorder())
			return err
		}, func() { p.next(); p.conn.Close(2, "who are you") })
		e := closes(t, ran)
		if e.Code != 2 || e.Reason != "who are you" || !e.Remote {
			t.Error(e)
		}
		if got, ok := errors.AsType[*SessionError](err); !ok || got.Code != 2 {
			t.Errorf("subscribe: %v", err)
		}
		if _, err := s.Subscribe(t.Context(), track("x"), SubscribeOptions{}, newRecorder()); !errors.Is(err, e) {
			t.Errorf("later: %v", err)
		}
		if err := s.Fetch(t.Context(), FetchRequest{Track: track("x")}, newRecorder()); !errors.Is(err, e) {
			t.Errorf("later fetch: %v", err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		p.begin()
		sub, _ := subscribed(t, s, p, newRecorder())
		cancel()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if !errors.Is(sub.Err(), ErrClosed) {
			t.Error(sub.Err())
		}
		peerSees(t, p, dialect.NoError)
	})
}

func TestViolationsCloseTheSessionAndSayWhere(t *testing.T) {
	for name, v := range map[string]struct {
		in, field string
		do        func(p *peer, a *asked)
	}{
		"unknown stream type":   {"stream", "type 0x1f", func(p *peer, _ *asked) { p.stream([]byte{0x1f, 0, 0, 0}) }},
		"unknown datagram type": {"datagram", "type", func(p *peer, _ *asked) { p.must(p.conn.SendDatagram([]byte{0x2f, 0, 0, 0})) }},
		"second SUBSCRIBE_OK":   {"answer to SUBSCRIBE", "*dialect.SubscribeOK", func(_ *peer, a *asked) { a.reply(&dialect.SubscribeOK{Alias: 8}) }},
		"malformed message":     {"GOAWAY", "new session uri", func(p *peer, a *asked) { a.raw(0x10, 0, 1, 5) }},
		"properties of a status": {"subgroup object", "properties of a status", func(p *peer, _ *asked) {
			h := dialect.SubgroupHeader{Alias: 7, Properties: true}
			p.stream(append(p.subgroup(h), 0, 2, 2, 9, 0, 1))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
				s, p, ran := inSession(t, d, Config{})
				_, a := subscribed(t, s, p, newRecorder())
				v.do(p, a)
				e := closes(t, ran)
				where, ok := errors.AsType[*wire.Error](e)
				if e.Code != dialect.ProtocolViolation || !ok || where.In != v.in || where.Field != v.field {
					t.Errorf("%v, want %s: %s", e, v.in, v.field)
				}
				peerSees(t, p, dialect.ProtocolViolation)
			})
		})
	}
}

func TestATokenThatCannotBeReadHasACodeOfItsOwn(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		b := d.Append(nil, &dialect.PublishNamespace{RequestID: 1, Namespace: []string{"a"}, Params: dialect.Params{Tokens: []dialect.Token{{}}}})
		b[len(b)-2] = 9 // the alias type, before the token's
		if d.Control == dialect.OneStream {
			_, err := p.control.Write(b)
			p.must(err)
		} else {
			st, err := p.conn.OpenStream(t.Context())
			p.must(err)
			_, err = st.Write(b)
			p.must(err)
		}
		if e := closes(t, ran); e.Code != dialect.KeyValueFormatting {
			t.Error(e)
		}
		peerSees(t, p, dialect.KeyValueFormatting)
	})
}

func (a *asked) raw(b ...byte) {
	var err error
	if a.st == nil {
		_, err = a.p.control.Write(b)
	} else {
		_, err = a.st.Write(b)
	}
	a.p.must(err)
}

func TestUnsolicitedRequestsAreAnsweredPolitely(t *testing.T) {
	announce := &dialect.PublishNamespace{RequestID: 1, Namespace: []string{"a"}}
	publish := &dialect.Publish{RequestID: 3, Track: track("pushed"), Alias: 9}
	subscribe := &dialect.Subscribe{RequestID: 5, Track: track("video")}
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		if _, ok := p.ask(announce).(*dialect.RequestOK); !ok {
			t.Error("PUBLISH_NAMESPACE was not accepted")
		}
		if m, ok := p.ask(publish).(*dialect.RequestError); !ok || d.Refusal(m) != dialect.Uninterested {
			t.Errorf("PUBLISH: %+v", m)
		}
		if m, ok := p.ask(subscribe).(*dialect.RequestError); !ok || d.Refusal(m) != dialect.DoesNotExist {
			t.Errorf("SUBSCRIBE: %+v", m)
		}
		st := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 9}, "unwanted"))
		time.Sleep(time.Second) // well before a parked stream would be given up
		if _, err := st.Write([]byte("x")); !isReset(err, dialect.ResetCancelled) {
			t.Errorf("a stream of the refused track: %v", err)
		}
		lives(t, ran)
	})
}

// ask sends a request of the peer's and waits for the answer.
func (p *peer) ask(m dialect.Message) dialect.Message {
	p.t.Helper()
	if p.d.Control == dialect.OneStream {
		p.send(m)
		return p.read(p.requests)
	}
	st, err := p.conn.OpenStream(p.t.Context())
	p.must(err)
	_, err = st.Write(p.d.Append(nil, m))
	p.must(err)
	return p.read(p.reader(st))
}

func TestThePeersRequestsMayGoOnForEver(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		limit := p.setup.MaxRequestID
		for id := uint64(1); id < 1000; id += 2 {
			if d.Control == dialect.OneStream && id >= limit {
				t.Fatalf("request id %d is at the limit", id)
			}
			m := p.ask(&dialect.Publish{RequestID: id, Track: track("pushed"), Alias: id})
			for raised, ok := m.(*dialect.MaxRequestID); ok; raised, ok = m.(*dialect.MaxRequestID) {
				limit = raised.Max
				m = p.read(p.requests)
			}
			if _, ok := m.(*dialect.RequestError); !ok {
				t.Fatalf("%T", m)
			}
		}
		lives(t, ran)
	})
}

func TestRequestsWaitForTheirID(t *testing.T) {
	oneDraft(t, dialect.Draft16(), func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{})
		run(t, s)
		p.begunBy(&dialect.Setup{Server: true})
		begun := time.Now()
		subscribe(t, s, newRecorder(), func() {
			time.Sleep(time.Second)
			p.send(&dialect.MaxRequestID{Max: 1})
			p.next().reply(&dialect.SubscribeOK{Alias: 7})
		})
		if time.Since(begun) < time.Second {
			t.Error("the request did not wait")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Subscribe(ctx, track("audio"), SubscribeOptions{}, newRecorder()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the second id: %v", err)
		}
	})
}

func TestPaddingIsThrownAway(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		p.must(p.stream(append(d.Varint.Append(nil, d.PaddingStream), make([]byte, 5<<20)...)).Close())
		p.must(p.conn.SendDatagram(append(d.Varint.Append(nil, d.PaddingDatagram), 0, 0)))
		lives(t, ran)
	})
}

func TestALongReasonClosesTheSessionToo(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		go func() { _ = s.Namespaces(t.Context(), nil, func([]string, bool) {}) }()
		x := p.prefix()
		x.send(&dialect.Namespace{Suffix: []string{strings.Repeat("x", 4000)}}) // before it was accepted
		if e := closes(t, ran); e.Code != dialect.ProtocolViolation {
			t.Error(e)
		}
		_, err := p.conn.AcceptUniStream(t.Context())
		var c *transport.CloseError
		if !errors.As(err, &c) || c.Code != dialect.ProtocolViolation {
			t.Errorf("the peer was told %v", err)
		}
	})
}
