package subscriber

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TLS says how to know the relay. The zero value verifies it against the system's certificate authorities; at most one field
// may be set.
type TLS struct {
	CA          string         // file of PEM certificates to trust instead
	Roots       *x509.CertPool // pool to trust instead
	Fingerprint string         // SHA-256 of the relay's certificate, in hex with or without colons: no other one is accepted
	Insecure    bool           // verify nothing
}

// ErrFingerprint is returned when the relay's certificate is not the pinned one.
var ErrFingerprint = errors.New("the relay's certificate is not the pinned one")

func (t TLS) validate() error {
	var errs []error
	set := 0
	for _, is := range []bool{t.CA != "", t.Roots != nil, t.Fingerprint != "", t.Insecure} {
		if is {
			set++
		}
	}
	if set > 1 {
		errs = append(errs, errors.New("tls: at most one of ca, roots, fingerprint and insecure may be set"))
	}
	if t.Fingerprint != "" {
		if _, err := t.pin(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (t TLS) pin() (pin [sha256.Size]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(t.Fingerprint, ":", ""))
	if err != nil || len(b) != len(pin) {
		return pin, fmt.Errorf("tls.fingerprint: %q is not 64 hex digits", t.Fingerprint)
	}
	return [sha256.Size]byte(b), nil
}

// config builds the client's configuration.
func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: t.Roots, InsecureSkipVerify: t.Insecure}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no PEM certificate", t.CA)
		}
	}
	if t.Fingerprint != "" {
		pin, err := t.pin()
		if err != nil {
			return nil, err
		}
		c.InsecureSkipVerify = true // the pin replaces names and authorities
		c.VerifyConnection = func(s tls.ConnectionState) error {
			if got := sha256.Sum256(s.PeerCertificates[0].Raw); got != pin {
				return fmt.Errorf("%w: it has %x", ErrFingerprint, got)
			}
			return nil
		}
	}
	return c, nil
}
