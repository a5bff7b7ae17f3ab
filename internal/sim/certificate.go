package sim

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
)

// Certificate is what the publisher shows. It signs itself: whoever trusts it can add it to a pool.
func (p *Publisher) Certificate() *x509.Certificate { return p.cert.Leaf }

// Fingerprint is the SHA-256 of the certificate.
func (p *Publisher) Fingerprint() [sha256.Size]byte { return sha256.Sum256(p.cert.Certificate[0]) }

// KeyPair is the certificate with its key, for the Config of a publisher that takes this one's place.
func (p *Publisher) KeyPair() *tls.Certificate { return &p.cert }
