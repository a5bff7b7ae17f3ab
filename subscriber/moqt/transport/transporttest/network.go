package transporttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"
)

// Cable is what lies between two sockets, and can be cut.
type Cable struct {
	simnet.PerfectRouter
	Cut atomic.Bool
}

// SendPacket implements simnet.Router.
func (c *Cable) SendPacket(p simnet.Packet) error {
	if c.Cut.Load() {
		return nil
	}
	return c.PerfectRouter.SendPacket(p)
}

// Network is two sockets with 10 ms between them.
func Network(t *testing.T) (client, server net.PacketConn, c *Cable) {
	t.Helper()
	c = &Cable{}
	n := &simnet.Simnet{Router: c}
	settings := simnet.NodeBiDiLinkSettings{Latency: 5 * time.Millisecond}
	client = n.NewEndpoint(&net.UDPAddr{IP: net.IPv4(1, 0, 0, 1), Port: 9001}, settings)
	server = n.NewEndpoint(&net.UDPAddr{IP: net.IPv4(1, 0, 0, 2), Port: 9002}, settings)
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close(); n.Close() })
	return client, server, c
}

// Certificate is a server's.
func Certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"peer"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
