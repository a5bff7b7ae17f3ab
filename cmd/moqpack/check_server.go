package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"
)

// probeAddress tries to listen.
func probeAddress(ctx context.Context, addr string) []finding {
	what := "address " + addr
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return []finding{{levelFail, what, err.Error(),
			"choose another address with --http (server.http); ports below 1024 need the right to bind them; if moqpack runs already, that is why"}}
	}
	_ = ln.Close()
	text := "can be listened on"
	if host, _, _ := net.SplitHostPort(addr); host == "localhost" || net.ParseIP(host).IsLoopback() {
		return []finding{{levelWarn, what, text, "only this machine can reach it: say :8080 if viewers or a CDN shall"}}
	}
	return []finding{{levelOK, what, text, ""}}
}

// soon is how long before its end a certificate is worth a warning.
const soon = 14 * 24 * time.Hour

// probeCertificate loads the certificate and its key.
func probeCertificate(cert, key string, now time.Time) []finding {
	what := "certificate " + cert
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return []finding{{levelFail, what, err.Error(), "give the PEM chain and its key; both must be readable by the user that moqpack runs as"}}
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return []finding{{levelFail, what, err.Error(), "the first certificate of the file must be the server's own"}}
	}
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	text := fmt.Sprintf("for %s, until %s", strings.Join(names, ", "), leaf.NotAfter.UTC().Format(time.DateOnly))
	switch {
	case now.After(leaf.NotAfter):
		return []finding{{levelFail, what, text + ": it has expired", "renew it"}}
	case now.Before(leaf.NotBefore):
		return []finding{{levelFail, what, "it is not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339), "is this machine's clock right?"}}
	case len(names) == 0:
		return []finding{{levelFail, what, "it names no host", "players look at subjectAltName only: have it issued with the names that viewers use"}}
	case now.Add(soon).After(leaf.NotAfter):
		return []finding{{levelWarn, what, text, "renew it soon, and restart moqpack then"}}
	}
	return []finding{{levelOK, what, text, ""}}
}
