package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// selfSigned is a certificate that signs itself, and makes way for another one before its end: browsers want those that they know by
// their hash to last no longer than two weeks (W3C WebTransport, "serverCertificateHashes"), and a packager runs for longer.
type selfSigned struct {
	now atomic.Pointer[tls.Certificate]
}

const (
	renewBefore = 24 * time.Hour // its end: clocks differ
	renewLook   = time.Hour      // how often that is looked at: the clock of a machine that slept has jumped
)

func newSelfSigned(now time.Time) (*selfSigned, error) {
	s := &selfSigned{}
	return s, s.replace(now)
}

func (s *selfSigned) replace(now time.Time) error {
	cert, err := transport.Certify(now)
	if err == nil {
		s.now.Store(&cert)
	}
	return err
}

// get is for tls.Config.GetCertificate.
func (s *selfSigned) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.now.Load(), nil }

func (s *selfSigned) fingerprint() string {
	return fmt.Sprintf("%x", sha256.Sum256(s.now.Load().Certificate[0]))
}

// renew replaces the certificate in time, until ctx ends. Sessions that have begun go on.
func (s *selfSigned) renew(ctx context.Context, log *slog.Logger) error {
	clock := time.NewTicker(renewLook)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			now := time.Now()
			if now.Before(s.now.Load().Leaf.NotAfter.Add(-renewBefore)) {
				continue
			}
			if err := s.replace(now); err != nil {
				return err
			}
			log.Warn("there is a new certificate for publishers, which signs itself: tell them its fingerprint", "sha256", s.fingerprint())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
