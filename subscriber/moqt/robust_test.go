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

// toDeafPeer connects to a peer that accepts connections and streams, but gives them no more room than a few bytes.
func toDeafPeer(t *testing.T, d *dialect.Dialect) (*Session, *quic.Conn) {
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
	s, err := Dial(t.Context(), Config{Addr: server.LocalAddr().String(), Packet: client, TLS: &tls.Config{InsecureSkipVerify: true}})
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
		s, conn := toDeafPeer(t, d)
		ran := run(t, s)
		st, err := conn.OpenUniStream()
		if err != nil {
			t.Fatal(err)
		}
		st.Write(d.Append(nil, &dialect.Setup{Server: true}))
		for name, ask := range map[string]func(ctx context.Context) error{
			"subscribe": func(ctx context.Context) error {
				_, err := s.Subscribe(ctx, track("video"), SubscribeOptions{}, newRecorder())
				return err
			},
			"fetch": func(ctx context.Context) error {
				return s.Fetch(ctx, FetchRequest{Track: track("video")}, newRecorder())
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
		s, conn := toDeafPeer(t, d)
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
