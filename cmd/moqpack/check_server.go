package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/subscriber"
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

// probeDoor tries to listen for publishers, and says who may come.
func probeDoor(ctx context.Context, cfg *config.Config) []finding {
	l := cfg.Listen
	what := "address " + l.Address + " for publishers"
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", l.Address)
	if err != nil {
		return []finding{{levelFail, what, err.Error(), "choose another address with --listen (listen.address); if moqpack runs already, that is why"}}
	}
	_ = pc.Close()
	all := []finding{{levelOK, what, "can be listened on, over UDP", ""}}
	host, _, _ := net.SplitHostPort(l.Address)
	if host == "localhost" || net.ParseIP(host).IsLoopback() {
		all[0].Level, all[0].Next = levelWarn, "only this machine can reach it: say :4443 if encoders elsewhere shall"
		return all
	}
	if l.Cert == "" {
		all = append(all, finding{levelWarn, what, "the certificate will sign itself, and be new with every start",
			"give encoders one to verify: --listen-cert and --listen-key (listen.cert, listen.key)"})
	}
	for _, p := range cfg.Permits() {
		if p.Token == "" {
			all = append(all, finding{levelWarn, what, fmt.Sprintf("whoever reaches it may publish %s", permitted(p)),
				"ask for a token with --listen-token (listen.token)"})
		}
	}
	return all
}

// permitted is what a permit allows, as it is written in a configuration.
func permitted(p subscriber.Permit) string {
	name := subscriber.FormatNamespace(p.Namespace)
	if p.Below {
		name = strings.TrimPrefix(name+"/*", "/")
	}
	return name
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
