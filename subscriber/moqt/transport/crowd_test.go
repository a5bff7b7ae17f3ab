package transport

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/moqpack/moqpack/subscriber/moqt/transport/transporttest"
)

func TestTheCrowdIsBounded(t *testing.T) {
	at := func(ip string) net.Addr { return &net.UDPAddr{IP: net.ParseIP(ip), Port: 1} }
	c := newCrowd(Limits{All: 4, Host: 4, Strangers: 3, PerHost: 2})
	enter := func(ip string, ok bool) *ticket {
		t.Helper()
		x, err := c.enter(at(ip))
		if (err == nil) != ok {
			t.Errorf("%s: %v", ip, err)
		}
		return x
	}
	a := enter("10.0.0.1", true)
	b := enter("10.0.0.1", true)
	enter("10.0.0.1", false) // too many of one host
	d := enter("2001:db8::1", true)
	enter("10.0.0.2", false) // too many strangers
	a.trust()
	a.trust() // counts once
	e := enter("2001:db8::2", true)
	enter("10.0.0.1", false) // too many at all
	d.leave()
	d.leave()
	f := enter("2001:db8::3", true)
	for _, x := range []*ticket{a, b, e, f} {
		x.leave()
		x.trust() // too late
	}
	if c.all != 0 || c.strangers != 0 || len(c.hosts) != 0 {
		t.Errorf("%+v are left", c)
	}
}

func TestOneHostDoesNotTakeAllPlaces(t *testing.T) {
	at := func(ip string) net.Addr { return &net.UDPAddr{IP: net.ParseIP(ip), Port: 1} }
	c := newCrowd(Limits{All: 9, Host: 2, Strangers: 2, PerHost: 2})
	var in []*ticket
	for range 2 {
		x, err := c.enter(at("10.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		x.trust() // it is known, and still one host
		in = append(in, x)
	}
	if _, err := c.enter(at("10.0.0.1")); !errors.Is(err, ErrHost) {
		t.Errorf("a third connection: %v", err)
	}
	if _, err := c.enter(at("10.0.0.2")); err != nil {
		t.Errorf("another host: %v", err)
	}
	in[0].leave()
	if _, err := c.enter(at("10.0.0.1")); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}

func TestWhoIsNotLetInIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc, ps, _ := transporttest.Network(t)
		told := make(chan error, 100)
		limits := Limits{All: 4, Host: 0, Strangers: 4, PerHost: 4, Refused: func(_ net.Addr, err error) { told <- err }}
		ln, err := ListenFor(ps, limits, []string{"moqt-18"}, transporttest.Certificate(t))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if _, err := dialer(pc, "moqt-18").QUIC(t.Context(), addr); err == nil {
			t.Error("let in")
		}
		if len(told) == 0 || !errors.Is(<-told, ErrHost) {
			t.Error("nobody is told")
		}
	})
}

func TestASocketThatDiesEndsAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ps, _ := transporttest.Network(t)
		ln, err := ListenFor(ps, Limits{All: 4, Host: 4, Strangers: 4, PerHost: 4}, []string{"moqt-18"}, transporttest.Certificate(t))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ps.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := ln.Accept(ctx); err == nil || ctx.Err() != nil {
			t.Error(err)
		}
	})
}

func TestOneIPv6NetworkIsOneHost(t *testing.T) {
	c := newCrowd(Limits{All: 9, Host: 9, Strangers: 9, PerHost: 1})
	for ip, ok := range map[string]bool{"2001:db8::1": true, "2001:db8:0:1::1": true} {
		if _, err := c.enter(&net.UDPAddr{IP: net.ParseIP(ip)}); (err == nil) != ok {
			t.Errorf("%s: %v", ip, err)
		}
	}
	if _, err := c.enter(&net.UDPAddr{IP: net.ParseIP("2001:db8::2")}); err == nil {
		t.Error("another address of the same network was let in")
	}
}

// guarded is a listener for whoever comes, and who dials it.
func guarded(t *testing.T) (*Listener, Dialer) {
	t.Helper()
	pc, ps, _ := transporttest.Network(t)
	ln, err := ListenFor(ps, Limits{All: 4, Host: 4, Strangers: 4, PerHost: 4}, []string{"moqt-18"}, transporttest.Certificate(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ln.Close)
	return ln, dialer(pc, "moqt-18")
}

func TestAnHTTP3ConnectionIsForOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, d := guarded(t)
		conn, err := d.WebTransport(t.Context(), addr, "/a?token=x")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(0, "")
		got, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if Path(got) != "/a?token=x" {
			t.Errorf("path %q", Path(got))
		}
		Welcome(got)
		if ln.in.strangers != 0 || ln.in.all != 1 {
			t.Errorf("%+v", ln.in)
		}
		c := conn.(*webTransport)
		second := &webTransport{conn: c.conn, h3: c.h3, gone: make(chan struct{}), drain: make(chan struct{})}
		var refused *RefusedError
		if err := second.connect(t.Context(), addr, "/", []string{"moqt-18"}); !errors.As(err, &refused) || refused.Status != 429 {
			t.Errorf("a second session: %v", err)
		}
	})
}

func TestAnHTTP3ConnectionWithoutASessionIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, d := guarded(t)
		conn, done, err := d.dial(t.Context(), addr, []string{"h3"})
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		time.Sleep(sessionTimeout - time.Second)
		if conn.Context().Err() != nil {
			t.Error("ended too soon")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if conn.Context().Err() == nil || ln.in.all != 0 {
			t.Errorf("goes on: %+v", ln.in)
		}
	})
}

// Nobody's SETTINGS have come when a session is asked for just in time: that fails later.
func TestAnHTTP3ConnectionWhoseSessionFailsLateIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, d := guarded(t)
		conn, done, err := d.dial(t.Context(), addr, []string{"h3"})
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		time.Sleep(sessionTimeout - time.Second)
		st, err := conn.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		// HEADERS: CONNECT, https, /, :authority and :protocol (RFC 9114 7.2.2, RFC 9204 4.5).
		fields := "\x00\x00\xcf\xd7\xc1\x50\x04host\x27\x02:protocol\x0cwebtransport"
		if _, err := st.Write(append([]byte{0x01, byte(len(fields))}, fields...)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(sessionTimeout)
		synctest.Wait()
		if conn.Context().Err() == nil || ln.in.all != 0 {
			t.Errorf("goes on: %+v", ln.in)
		}
	})
}

// HTTP/3 takes a stream for SETTINGS, which a client may not give.
func TestAnHTTP3ConnectionThatCannotBeServedIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, d := guarded(t)
		pc, err := d.Packet()
		if err != nil {
			t.Fatal(err)
		}
		conf := config()
		conf.MaxIncomingUniStreams = -1
		tr := &quic.Transport{Conn: pc}
		defer tr.Close()
		conn, err := tr.Dial(t.Context(), ln.Addr(), clientTLS(d.TLS, "localhost", []string{"h3"}), conf)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(sessionTimeout + time.Second)
		synctest.Wait()
		if conn.Context().Err() == nil || ln.in.all != 0 {
			t.Errorf("goes on: %+v", ln.in)
		}
	})
}

func TestAClientThatLeavesWithoutAWordHasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, d := guarded(t)
		conn, err := d.WebTransport(t.Context(), addr, "/")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.(*webTransport).request.Close()
		for name, wait := range map[string]func() error{
			"stream":   func() error { _, err := got.AcceptStream(t.Context()); return err },
			"uni":      func() error { _, err := got.AcceptUniStream(t.Context()); return err },
			"datagram": func() error { _, err := got.ReceiveDatagram(t.Context()); return err },
		} {
			var closed *CloseError
			if err := wait(); !errors.As(err, &closed) || !closed.Remote {
				t.Errorf("%s: %v", name, err)
			}
		}
		conn.Close(0, "")
	})
}
