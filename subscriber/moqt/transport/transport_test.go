package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/moqpack/moqpack/subscriber/moqt/transport/transporttest"
)

func dialer(client net.PacketConn, protocols ...string) Dialer {
	return Dialer{
		Protocols: protocols, TLS: &tls.Config{InsecureSkipVerify: true},
		Packet: func() (net.PacketConn, error) { return client, nil },
	}
}

const addr = "1.0.0.2:9002"

// everyWay runs test in a bubble for QUIC itself and for WebTransport, on two ends of a connection.
func everyWay(t *testing.T, test func(t *testing.T, client, server Conn)) {
	for name, dial := range map[string]func(context.Context, Dialer) (Conn, error){
		"quic":         func(ctx context.Context, d Dialer) (Conn, error) { return d.QUIC(ctx, addr) },
		"webtransport": func(ctx context.Context, d Dialer) (Conn, error) { return d.WebTransport(ctx, addr, "/live?x=1") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pc, ps, _ := transporttest.Network(t)
				ln, err := Listen(ps, []string{"moqt-18", "moqt-16"}, transporttest.Certificate(t))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(ln.Close)
				client, err := dial(t.Context(), dialer(pc, "moqt-99", "moqt-16"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { client.Close(0, "") })
				server, err := ln.Accept(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range []Conn{client, server} {
					if c.Protocol() != "moqt-16" || c.WebTransport() != (name == "webtransport") {
						t.Fatalf("%T speaks %q, over WebTransport %v", c, c.Protocol(), c.WebTransport())
					}
				}
				test(t, client, server)
			})
		})
	}
}

// pipe has from open a stream on which to reads.
func pipe(t *testing.T, from, to Conn, first string) (SendStream, ReceiveStream) {
	t.Helper()
	out, err := from.OpenUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(out, first); err != nil {
		t.Fatal(err)
	}
	in, err := to.AcceptUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(first))
	if _, err := io.ReadFull(in, b); err != nil || string(b) != first {
		t.Fatalf("read %q, %v", b, err)
	}
	return out, in
}

func TestStreamsCarryBytesBothWays(t *testing.T) {
	everyWay(t, func(t *testing.T, client, server Conn) {
		long := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
		for _, way := range [][2]Conn{{client, server}, {server, client}} {
			st, err := way[0].OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			go func() { st.Write(long); st.Close() }()
			peer, err := way[1].AcceptStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(peer)
			if err != nil || !bytes.Equal(got, long) {
				t.Errorf("%T read %d bytes, %v", way[1], len(got), err)
			}
			io.WriteString(peer, "answer")
			peer.Close()
			if got, err := io.ReadAll(st); err != nil || string(got) != "answer" {
				t.Errorf("%T read %q, %v", way[0], got, err)
			}
			pipe(t, way[0], way[1], "one way")
		}
	})
}

func TestResetsCarryTheirCode(t *testing.T) {
	everyWay(t, func(t *testing.T, client, server Conn) {
		for _, code := range []uint64{0, 1, 0x1d, 0x1e, 0x1f, 300, 1<<32 - 1} {
			for _, way := range [][2]Conn{{client, server}, {server, client}} {
				out, in := pipe(t, way[0], way[1], "x")
				out.Reset(code)
				_, err := in.Read(make([]byte, 1))
				if e, ok := errors.AsType[*ResetError](err); !ok || *e != (ResetError{Code: code, Remote: true}) {
					t.Errorf("%T: reset with %#x is %v", way[0], code, err)
				}
				out, in = pipe(t, way[0], way[1], "x")
				in.Cancel(code)
				<-out.Stopped()
				_, err = out.Write([]byte("y"))
				if e, ok := errors.AsType[*ResetError](err); !ok || *e != (ResetError{Code: code, Remote: true}) {
					t.Errorf("%T: stopped with %#x is %v", way[1], code, err)
				}
			}
		}
	})
}

func TestDatagramsCarryBytesBothWays(t *testing.T) {
	everyWay(t, func(t *testing.T, client, server Conn) {
		for _, way := range [][2]Conn{{client, server}, {server, client}} {
			if err := way[0].SendDatagram([]byte("object")); err != nil {
				t.Fatal(err)
			}
			if b, err := way[1].ReceiveDatagram(t.Context()); err != nil || string(b) != "object" {
				t.Errorf("got %q, %v", b, err)
			}
			if err := way[0].SendDatagram(make([]byte, 60_000)); !errors.Is(err, ErrTooLong) {
				t.Errorf("%T: 60000 bytes: %v", way[0], err)
			}
		}
	})
}

func TestClosingCarriesCodeAndReason(t *testing.T) {
	for _, first := range []string{"client", "server"} {
		everyWay(t, func(t *testing.T, client, server Conn) {
			near, far := client, server
			if first == "server" {
				near, far = server, client
			}
			_, in := pipe(t, near, far, "x")
			ended, read := make(chan error, 2), make(chan error, 1)
			go func() { _, err := far.AcceptUniStream(t.Context()); ended <- err }()
			go func() { _, err := far.AcceptStream(t.Context()); ended <- err }()
			go func() { _, err := in.Read(make([]byte, 1)); read <- err }()
			near.Close(0x11, "that is all")
			for range 2 {
				err := <-ended
				if e, ok := errors.AsType[*CloseError](err); !ok || *e != (CloseError{Code: 0x11, Reason: "that is all", Remote: true}) {
					t.Errorf("%T sees %v", far, err)
				}
			}
			far.Close(0, "")
			if _, err := near.AcceptStream(t.Context()); err == nil {
				t.Error("a stream on a closed connection")
			}
			if _, err := far.OpenStream(t.Context()); err == nil {
				t.Error("a stream on a closed connection")
			}
			err := <-read
			if e, ok := errors.AsType[*CloseError](err); far == client && (!ok || e.Code != 0x11) || err == nil || errors.Is(err, io.EOF) {
				t.Errorf("a stream of a session that is over ended with %v", err)
			}
		})
	}
}

func TestAStreamWithoutAHeaderYetHoldsUpNoOther(t *testing.T) {
	everyWay(t, func(t *testing.T, client, server Conn) {
		if !client.WebTransport() {
			return // there are no headers
		}
		slow, err := server.OpenUniStream(t.Context()) // opened, and nothing is on it yet
		if err != nil {
			t.Fatal(err)
		}
		pipe(t, server, client, "fast")
		pipe(t, server, client, "fast too")
		io.WriteString(slow, "late")
		in, err := client.AcceptUniStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slow.Close()
		if b, err := io.ReadAll(in); err != nil || string(b) != "late" {
			t.Errorf("read %q, %v", b, err)
		}
	})
}

func TestListenerTellsThoseThatItHasNothingFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc, ps, _ := transporttest.Network(t)
		ln, err := Listen(ps, []string{"moqt-18"}, transporttest.Certificate(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ln.Close)
		if _, err := dialer(pc, "moqt-99").QUIC(t.Context(), addr); !errors.Is(err, ErrNoProtocol) {
			t.Errorf("QUIC: %v", err)
		}
	})
}
