package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

func listen(t *testing.T, protocols ...string) *Listener {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(pc, protocols, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close(); pc.Close() })
	return ln
}

func trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func TestDialOpensASocketOfItsOwn(t *testing.T) {
	ln := listen(t, "b", "a")
	conn, err := Dial(t.Context(), ln.Addr().String(), []string{"a", "b"}, trusting(), nil)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if conn.Protocol() != "b" || peer.Protocol() != "b" {
		t.Errorf("negotiated %q and %q: the listener's order counts", conn.Protocol(), peer.Protocol())
	}
	st, err := peer.OpenUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(st, "hello"); err != nil || st.Close() != nil {
		t.Fatal(err)
	}
	in, err := conn.AcceptUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(in); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	conn.Close(5, "bye")
	_, err = peer.AcceptStream(t.Context())
	if e, ok := errors.AsType[*CloseError](err); !ok || e.Code != 5 || e.Reason != "bye" || !e.Remote {
		t.Error(err)
	}
}

func TestDialSaysWhyItFailed(t *testing.T) {
	ln := listen(t, "a")
	if _, err := Dial(t.Context(), ln.Addr().String(), []string{"b"}, trusting(), nil); !errors.Is(err, ErrNoProtocol) {
		t.Errorf("no common protocol: %v", err)
	}
	if _, err := Dial(t.Context(), ln.Addr().String(), []string{"a"}, nil, nil); err == nil || errors.Is(err, ErrTimeout) {
		t.Errorf("a certificate of nobody's: %v", err)
	}
	if _, err := Dial(t.Context(), "no port", []string{"a"}, nil, nil); err == nil {
		t.Error("an address without a port")
	}
}
