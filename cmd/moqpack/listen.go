package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// door is where publishers connect to. The nil *door is nowhere.
type door struct {
	reception   *subscriber.Reception
	address     string
	fingerprint string // of a certificate that signs itself; empty: it is the operator's
}

// newDoor makes that of a configuration, if it has one.
func newDoor(cfg *config.Config, m *subscriber.Metrics) (*door, error) {
	l := cfg.Listen
	if l.Address == "" {
		return nil, nil
	}
	d := &door{address: l.Address}
	var cert tls.Certificate
	var err error
	if l.Cert != "" {
		if cert, err = tls.LoadX509KeyPair(l.Cert, l.Key); err != nil {
			return nil, fmt.Errorf("--listen-cert and --listen-key (listen.cert, listen.key): %w", err)
		}
	} else {
		if cert, err = transport.Certify(time.Now()); err != nil {
			return nil, err
		}
		d.fingerprint = fmt.Sprintf("%x", sha256.Sum256(cert.Certificate[0]))
	}
	d.reception = subscriber.NewReception(subscriber.ReceptionConfig{
		Permits: cfg.Permits(), TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Logger: slog.Default(), Metrics: m,
	})
	return d, nil
}

// open binds the address.
func (d *door) open(ctx context.Context) (net.PacketConn, error) {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", d.address)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another address with --listen (listen.address)", err)
	}
	return pc, nil
}

// url is what a publisher on this machine would connect to at addr.
func (d *door) url(addr net.Addr) string {
	host, _, _ := net.SplitHostPort(d.address)
	_, port, _ := net.SplitHostPort(addr.String())
	return "moqt://" + net.JoinHostPort(local(host), port)
}

// local is a host that a person on this machine reaches what listens on host by.
func local(host string) string {
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "localhost"
	}
	return host
}

// serve takes publishers in until ctx ends.
func (d *door) serve(ctx context.Context, pc net.PacketConn, log *slog.Logger) error {
	defer pc.Close()
	log.Info("publishers may connect", "url", d.url(pc.LocalAddr()))
	if d.fingerprint != "" {
		log.Warn("the certificate for publishers signs itself, is new with every start and good for less than two weeks: they have to be told its fingerprint, or to verify nothing; "+
			"--listen-cert and --listen-key (listen.cert, listen.key) give another one", "sha256", d.fingerprint)
	}
	return d.reception.Run(ctx, pc)
}
