package subscriber_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// stranger connects somebody who says nothing by himself.
func (h *hall) stranger(draft string) transport.Conn {
	h.t.Helper()
	d := transport.Dialer{Protocols: []string{draft}, TLS: &tls.Config{InsecureSkipVerify: true}}
	d.Packet = func() (net.PacketConn, error) { return h.net.Listen(), nil }
	conn, err := d.QUIC(h.t.Context(), h.node.LocalAddr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close(0, "") })
	return conn
}

// A client that speaks moq-lite need not say where it wants to go before anything else.
func TestWhoSaysNothingIsSentAway(t *testing.T) {
	for _, draft := range []string{"moqt-16", "moqt-18", "moq-lite-03", "moq-lite-05"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, anyUnder("live"))
				conn := h.stranger(draft)
				ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
				defer cancel()
				var closed *transport.CloseError
				if _, err := conn.ReceiveDatagram(ctx); !errors.As(err, &closed) || !closed.Remote {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// Those who publish end a track and begin it anew, as with another encoding.
func TestATrackMayBePushedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := newHall(t, anyUnder("live")), dialect.ByALPN("moqt-18")
		conn := h.stranger(d.ALPN)
		say := func(st transport.SendStream, err error, m dialect.Message) {
			if err == nil {
				_, err = st.Write(d.Append(nil, m))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		control, err := conn.OpenUniStream(t.Context())
		say(control, err, &dialect.Setup{Authority: "here", Path: "/"})
		track := dialect.TrackName{Namespace: []string{"live", "one"}, Name: "video"}
		for i := range uint64(3) {
			st, err := conn.OpenStream(t.Context())
			say(st, err, &dialect.Publish{RequestID: 2 * i, Track: track, Alias: i})
			m, err := d.Read(wire.NewReader(st, d.Varint, "answer"))
			if _, ok := m.(*dialect.RequestOK); !ok || err != nil {
				t.Fatalf("%d: %+v, %v", i, m, err)
			}
			say(st, nil, &dialect.PublishDone{})
			_ = st.Close()
		}
		if s := h.said("publisher came"); s != 1 {
			t.Errorf("it came %d times", s)
		}
	})
}

// guess announces a namespace with the token. The control stream has been begun.
func guess(t *testing.T, conn transport.Conn, d *dialect.Dialect, id uint64, token string) {
	t.Helper()
	m := &dialect.PublishNamespace{RequestID: id, Namespace: []string{"live", "one"}}
	m.Params.Tokens = []dialect.Token{{Value: []byte(token)}}
	st, err := conn.OpenStream(t.Context())
	if err == nil {
		_, err = st.Write(d.Append(nil, m))
	}
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Read(wire.NewReader(st, d.Varint, "answer"))
	if no, ok := answer.(*dialect.RequestError); err == nil && (!ok || d.Refusal(no) != dialect.NotAuthorized) {
		t.Errorf("answered with %#v", answer)
	}
}

func TestGuessingTokensEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := newHall(t, subscriber.Permit{Namespace: []string{"live"}, Below: true, Token: "secret"}), dialect.Draft18()
		conn := h.stranger(d.ALPN)
		control, err := conn.OpenUniStream(t.Context())
		if err == nil {
			_, err = control.Write(d.Append(nil, &dialect.Setup{}))
		}
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan error, 1)
		go func() { _, err := conn.ReceiveDatagram(t.Context()); closed <- err }()
		guess(t, conn, d, 0, "a")
		guess(t, conn, d, 2, "b")
		elapse(time.Second)
		if len(closed) > 0 {
			t.Fatal(<-closed)
		}
		guess(t, conn, d, 4, "c")
		elapse(time.Second)
		var why *transport.CloseError
		select {
		case err := <-closed:
			if !errors.As(err, &why) || why.Code != dialect.NoEntry || !why.Remote {
				t.Error(err)
			}
		default:
			t.Error("the session goes on")
		}
	})
}
