package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/moqpack/moqpack/subscriber/moqt/transport/transporttest"
)

// old is a server as quinn's are: it knows draft 02's setting and no other, only the protocol "webtransport", and no
// RESET_STREAM_AT.
type old struct {
	t      *testing.T
	server http3.Server
	answer func(w http.ResponseWriter, r *http.Request)
	conns  chan *quic.Conn
}

// serveOld serves old on a network, and returns how to reach it.
func serveOld(t *testing.T, settings map[uint64]uint64, answer func(w http.ResponseWriter, r *http.Request)) (Dialer, *old) {
	pc, ps, _ := transporttest.Network(t)
	o := &old{t: t, answer: answer, conns: make(chan *quic.Conn, 8)}
	o.server = http3.Server{EnableDatagrams: true, AdditionalSettings: settings, Handler: http.HandlerFunc(o.request)}
	tc := transporttest.Certificate(t)
	tc.NextProtos = []string{"h3"}
	tr := &quic.Transport{Conn: ps}
	ln, err := tr.Listen(tc, &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	go func() {
		for {
			conn, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			go o.serve(conn)
		}
	}()
	return dialer(pc, "moqt-18", "moqt-16"), o
}

func (o *old) serve(conn *quic.Conn) {
	h3, err := o.server.NewRawServerConn(conn)
	if err != nil {
		return
	}
	go func() {
		for range 3 { // control and QPACK; quic-go has no QPACK streams, so that this waits for the end
			st, err := conn.AcceptUniStream(context.Background())
			if err != nil {
				return
			}
			if typ, err := quicvarint.Peek(st); err == nil && typ != uniStream {
				go h3.HandleUnidirectionalStream(st)
			}
		}
	}()
	st, err := conn.AcceptStream(context.Background())
	if err != nil {
		return
	}
	o.conns <- conn
	h3.HandleRequestStream(st)
}

func (o *old) request(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Proto != "webtransport" || r.Header.Get("Sec-Webtransport-Http3-Draft02") != "1" {
		o.t.Errorf("%s %s %v", r.Method, r.Proto, r.Header)
	}
	<-w.(http3.Settingser).ReceivedSettings()
	if s := w.(http3.Settingser).Settings(); !s.EnableDatagrams || s.Other[settingDraft02] != 1 || s.Other[settingMaxSessions] != 1 || s.Other[settingEnabled] != 1 {
		o.t.Errorf("settings %+v", s)
	}
	o.answer(w, r)
	w.(http.Flusher).Flush()
	_, _ = io.Copy(io.Discard, r.Body)
}

func only02() map[uint64]uint64 { return map[uint64]uint64{settingDraft02: 1, settingMaxSessions: 1} }

func TestOldServersAreUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var path, offer string
		d, o := serveOld(t, only02(), func(w http.ResponseWriter, r *http.Request) {
			path, offer = r.URL.RequestURI(), r.Header.Get("Wt-Available-Protocols")
			w.Header().Set("Wt-Protocol", `"moqt-16"`)
		})
		c, err := d.WebTransport(t.Context(), addr, "/live?jwt=a%2Fb")
		if err != nil {
			t.Fatal(err)
		}
		if path != "/live?jwt=a%2Fb" || offer != `"moqt-18", "moqt-16"` || c.Protocol() != "moqt-16" {
			t.Errorf("path %s, offer %s, protocol %s", path, offer, c.Protocol())
		}
		server := <-o.conns
		st, err := server.OpenUniStream()
		if err != nil {
			t.Fatal(err)
		}
		st.Write([]byte{0x40, 0x54, 0, 'h', 'i'})
		in, err := c.AcceptUniStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st.Close()
		if b, err := io.ReadAll(in); err != nil || string(b) != "hi" {
			t.Errorf("read %q, %v", b, err)
		}
		out, err := c.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(out, "yes")
		out.Close()
		heard, err := server.AcceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(heard); err != nil || string(b) != "\x40\x41\x00yes" {
			t.Errorf("the server read %q, %v", b, err)
		}
		c.Close(1, "bye")
	})
}

func TestWhatAServerSaysOfProtocols(t *testing.T) {
	for _, v := range []struct {
		offer  []string
		header string
		want   string
		err    error
	}{
		{[]string{"moqt-18"}, "", "moqt-18", nil},
		{[]string{"moqt-18", "moqt-16"}, "", "", nil},
		{[]string{"moqt-18", "moqt-16"}, `"moqt-16";a=1`, "moqt-16", nil},
		{[]string{"moqt-18", "moqt-16"}, "moqt-18", "moqt-18", nil},
		{[]string{"moqt-18", "moqt-16"}, `"moqt-17"`, "", ErrNoProtocol},
	} {
		synctest.Test(t, func(t *testing.T) {
			d, _ := serveOld(t, only02(), func(w http.ResponseWriter, r *http.Request) {
				if v.header != "" {
					w.Header().Set("Wt-Protocol", v.header)
				}
			})
			d.Protocols = v.offer
			c, err := d.WebTransport(t.Context(), addr, "")
			if !errors.Is(err, v.err) {
				t.Errorf("%q: %v", v.header, err)
			}
			if err == nil {
				if c.Protocol() != v.want {
					t.Errorf("%q: %s, want %s", v.header, c.Protocol(), v.want)
				}
				c.Close(0, "")
			}
		})
	}
}

func TestRefusalsNameTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := serveOld(t, only02(), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		_, err := d.WebTransport(t.Context(), addr, "/live")
		if e, ok := errors.AsType[*RefusedError](err); !ok || e.Status != http.StatusForbidden || !strings.Contains(err.Error(), "403") {
			t.Error(err)
		}
	})
}

// hostile does to a session what its name says, and returns what the client should see of it.
func TestHostileServersAreSurvived(t *testing.T) {
	for name, harm := range map[string]func(conn *quic.Conn){
		"a stream of no session":       func(c *quic.Conn) { write(c, 0x40, 0x54, 8, 1) },
		"a stream of half a header":    func(c *quic.Conn) { write(c, 0x40) },
		"a reserved stream":            func(c *quic.Conn) { write(c, 0x21, 1, 2) },
		"a datagram of no session":     func(c *quic.Conn) { _ = c.SendDatagram([]byte{9, 1}) },
		"a stream that is reset early": func(c *quic.Conn) { st, _ := c.OpenUniStream(); st.CancelWrite(7) },
		"many streams of no session":   func(c *quic.Conn) { many(c) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, o := serveOld(t, only02(), func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Wt-Protocol", "moqt-18") })
				c, err := d.WebTransport(t.Context(), addr, "/")
				if err != nil {
					t.Fatal(err)
				}
				server := <-o.conns
				harm(server)
				write(server, 0x40, 0x54, 0, 'o', 'k')
				in, err := c.AcceptUniStream(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(in); err != nil || string(b) != "ok" {
					t.Errorf("read %q, %v", b, err)
				}
				c.Close(0, "")
			})
		})
	}
}

func write(c *quic.Conn, b ...byte) {
	st, err := c.OpenUniStreamSync(context.Background())
	if err != nil {
		return
	}
	_, _ = st.Write(b)
	_ = st.Close()
}

func many(c *quic.Conn) {
	for range 3000 { // more than may be open at once
		write(c, slices.Concat([]byte{0x40, 0x54, 4}, make([]byte, 10))...)
	}
}
