package moqt

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/transport/transporttest"
)

// long is a token that does not fit what quic-go writes without waiting.
func long() []Token { return []Token{{Value: make([]byte, 8<<10)}} }

// toDeafPeer connects to a peer that accepts connections and streams, but gives them no more room than a few bytes.
func toDeafPeer(t *testing.T, d *dialect.Dialect, c Config) (*Session, *quic.Conn) {
	t.Helper()
	client, server, _ := transporttest.Network(t)
	tc := transporttest.Certificate(t)
	tc.NextProtos = []string{d.ALPN}
	ln, err := (&quic.Transport{Conn: server}).Listen(tc, &quic.Config{
		InitialStreamReceiveWindow: 8, MaxStreamReceiveWindow: 8, EnableDatagrams: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	s := dial(t, client, server.LocalAddr(), c)
	conn, err := ln.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseWithError(0, "") })
	return s, conn
}

func TestRequestsToADeafPeerEndWithTheirContext(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, conn := toDeafPeer(t, d, Config{})
		ran := run(t, s)
		st, err := conn.OpenUniStream()
		if err != nil {
			t.Fatal(err)
		}
		st.Write(d.Append(nil, &dialect.Setup{Server: true}))
		for name, ask := range map[string]func(ctx context.Context) error{
			"subscribe": func(ctx context.Context) error {
				_, err := s.Subscribe(ctx, track("video"), SubscribeOptions{Tokens: long()}, newRecorder())
				return err
			},
			"fetch": func(ctx context.Context) error {
				return s.Fetch(ctx, FetchRequest{Track: track("video"), Tokens: long()}, newRecorder())
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			asked := time.Now()
			if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(asked) != time.Minute {
				t.Errorf("%s: %v after %v", name, err, time.Since(asked))
			}
			cancel()
		}
		if n := len(s.tracks.fetches); n != 0 {
			t.Errorf("%d fetch streams are still expected", n)
		}
		lives(t, ran)
	})
}

func TestAControlStreamThatIsNotReadEndsTheSession(t *testing.T) {
	oneDraft(t, dialect.Draft16(), func(t *testing.T, d *dialect.Dialect) {
		s, conn := toDeafPeer(t, d, Config{Tokens: long()})
		begun := time.Now()
		ran := run(t, s)
		st, err := conn.AcceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st.Write(d.Append(nil, &dialect.Setup{Server: true, MaxRequestID: 1 << 20}))
		e := closes(t, ran)
		if e.Code != dialect.ControlMessageTimeout || time.Since(begun) > controlTimeout {
			t.Errorf("%v after %v", e, time.Since(begun))
		}
	})
}

// Whatever a stream stops in the middle of, it holds up nobody else, and Close does not wait for it.
func TestStalledStreamsHoldUpNobody(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		sub, _ := subscribed(t, s, p, sink)
		header := d.AppendSubgroupHeader(nil, dialect.SubgroupHeader{Alias: 7, Group: 1})
		endless := d.Varint.Append(append(header[:len(header):len(header)], 0), 1<<62-1)
		large := d.Varint.Append(append(header[:len(header):len(header)], 0), 30<<20)
		stalled := []transport.SendStream{p.stream(header[:1]), p.stream(header), p.stream(append(large, "begun"...))}
		for range 500 { // each of them only costs its own stream
			p.stream(endless)
		}
		for range 500 {
			p.stream(d.AppendSubgroupHeader(nil, dialect.SubgroupHeader{Alias: 1 << 20}))
		}
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7, Group: 2}, "on and on")).Close())
		sink.gets(t, "on and on")
		begun := time.Now()
		sub.Close()
		if d := time.Since(begun); d > time.Second {
			t.Errorf("Close took %v", d)
		}
		time.Sleep(time.Second)
		for i, st := range stalled[1:] {
			if _, err := st.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
				t.Errorf("stalled stream %d was not stopped: %v", i+1, err)
			}
		}
		lives(t, ran)
	})
}

func TestAStalledFetchEndsWithItsContext(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var st transport.SendStream
		err := while(func() error { return s.Fetch(ctx, FetchRequest{Track: track("x")}, newRecorder()) }, func() {
			a := p.next()
			a.reply(&dialect.FetchOK{})
			st = p.stream(p.fetched(a.id, dialect.FetchObject{Object: object(3, 0, "ab")})[:6])
			a.cancelled()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if _, err := st.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
			t.Errorf("the stream was not stopped: %v", err)
		}
		lives(t, ran)
	})
}

// slowLink is a link whose requests are sent at the very moment at which they are given up.
type slowLink struct{ link }

func (l slowLink) request(ctx context.Context, build func(uint64) dialect.Message) (*request, error) {
	q, err := l.link.request(ctx, build)
	<-ctx.Done()
	return q, err
}

func TestASubscribeGivenUpWhileItIsSentIsWithdrawn(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{})
		s.link = slowLink{s.link}
		ran := run(t, s)
		p.begin()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := s.Subscribe(ctx, track("video"), SubscribeOptions{}, newRecorder())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		p.next().cancelled()
		lives(t, ran)
	})
}

func TestAFetchGivenUpWhileItIsSentIsWithdrawn(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{})
		s.link = slowLink{s.link}
		ran := run(t, s)
		p.begin()
		for range 20 { // it is given up in one of two places
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := s.Fetch(ctx, FetchRequest{Track: track("video")}, newRecorder()); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			cancel()
			p.next().cancelled()
		}
		lives(t, ran)
	})
}
