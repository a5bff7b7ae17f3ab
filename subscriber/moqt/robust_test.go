package moqt

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// long is a token that does not fit what quic-go writes without waiting.
func long() []Token { return []Token{{Value: make([]byte, 8<<10)}} }

// toDeafPeer connects to a peer that accepts connections and streams, but gives them no more room than a few bytes.
func toDeafPeer(t *testing.T, d *dialect.Dialect, c Config) (*Session, *quic.Conn) {
	t.Helper()
	client, server, _ := network(t)
	tc := certificate(t)
	tc.NextProtos = []string{d.ALPN}
	ln, err := (&quic.Transport{Conn: server}).Listen(tc, &quic.Config{
		InitialStreamReceiveWindow: 8, MaxStreamReceiveWindow: 8, EnableDatagrams: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	c.Addr, c.Packet, c.TLS = server.LocalAddr().String(), client, &tls.Config{InsecureSkipVerify: true}
	s, err := Dial(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
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
