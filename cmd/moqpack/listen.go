package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/subscriber"
)

// door is where publishers connect to. The nil *door is nowhere.
type door struct {
	reception *subscriber.Reception
	address   string
	own       *selfSigned // the certificate; nil: it is the operator's
	open      []string    // what may be published without a token
}

// newDoor makes that of a configuration, if it has one.
func newDoor(cfg *config.Config, m *subscriber.Metrics) (*door, error) {
	l := cfg.Listen
	if l.Address == "" {
		return nil, nil
	}
	d, conf := &door{address: l.Address}, &tls.Config{}
	if l.Cert != "" {
		cert, err := tls.LoadX509KeyPair(l.Cert, l.Key)
		if err != nil {
			return nil, fmt.Errorf("--listen-cert and --listen-key (listen.cert, listen.key): %w", err)
		}
		conf.Certificates = []tls.Certificate{cert}
	} else {
		var err error
		if d.own, err = newSelfSigned(time.Now()); err != nil {
			return nil, err
		}
		conf.GetCertificate = d.own.get
	}
	for _, p := range cfg.Permits() {
		if p.Token == "" {
			d.open = append(d.open, permitted(p))
		}
	}
	d.reception = subscriber.NewReception(subscriber.ReceptionConfig{Permits: cfg.Permits(), TLS: conf, Logger: slog.Default(), Metrics: m})
	return d, nil
}

// bind binds the address.
func (d *door) bind(ctx context.Context) (net.PacketConn, error) {
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

// unguarded reports whether addr can be reached from elsewhere.
func unguarded(addr net.Addr) bool {
	udp, ok := addr.(*net.UDPAddr)
	return !ok || !udp.IP.IsLoopback()
}

// serve takes publishers in until ctx ends.
func (d *door) serve(ctx context.Context, pc net.PacketConn, log *slog.Logger) error {
	defer pc.Close()
	log.Info("publishers may connect", "url", d.url(pc.LocalAddr()))
	if len(d.open) > 0 && unguarded(pc.LocalAddr()) {
		log.Warn("whoever reaches this address may publish: let publishers show a token (--listen-token, listen.token)", "address", pc.LocalAddr().String(),
			"namespaces", strings.Join(d.open, " "))
	}
	if d.own == nil {
		return d.reception.Run(ctx, pc)
	}
	log.Warn("the certificate for publishers signs itself, is another one with every start and before two weeks are over: they have to be told its fingerprint, or to verify nothing; "+
		"--listen-cert and --listen-key (listen.cert, listen.key) give another one", "sha256", d.own.fingerprint())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.own.renew(ctx, log) })
	g.Go(func() error { return d.reception.Run(ctx, pc) })
	return g.Wait()
}
