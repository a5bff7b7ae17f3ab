package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/config"
)

func TestACertificateThatSignsItselfIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newSelfSigned(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.renew(ctx, slog.New(slog.NewTextHandler(&out, nil))) }()
		seen := map[string]bool{}
		for range 60 {
			cert, _ := s.get(nil)
			now, leaf := time.Now(), cert.Leaf
			if now.Before(leaf.NotBefore) || !now.Add(24*time.Hour).Before(leaf.NotAfter.Add(2*renewLook)) || leaf.NotAfter.Sub(leaf.NotBefore) > 14*24*time.Hour {
				t.Fatalf("at %v it is valid from %v to %v", now, leaf.NotBefore, leaf.NotAfter)
			}
			seen[s.fingerprint()] = true
			elapse(24 * time.Hour)
		}
		cancel()
		<-done
		seen[s.fingerprint()] = true
		if len(seen) < 4 || len(seen) > 7 || strings.Count(out.String(), "sha256=") != len(seen)-1 {
			t.Errorf("%d certificates in 60 days; log:\n%s", len(seen), out.String())
		}
		if !strings.Contains(out.String(), "sha256="+s.fingerprint()) {
			t.Errorf("the log does not tell %s:\n%s", s.fingerprint(), out.String())
		}
	})
}

func TestADoorThatIsOpenToAllIsToldOf(t *testing.T) {
	for _, tt := range []struct {
		address, token string
		want           int
	}{{"127.0.0.1:0", "", 0}, {"[::1]:0", "", 0}, {":0", "secret", 0}, {":0", "", 1}} {
		cfg := config.Default()
		cfg.Listen = config.Listen{Address: tt.address, Token: tt.token}
		cfg.Channels = []config.Channel{{Namespace: "live/*"}, {Namespace: "own", Token: "x"}}
		d, err := newDoor(&cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		pc, err := d.bind(t.Context())
		if err != nil {
			t.Logf("%s: %v", tt.address, err) // a machine without IPv6
			continue
		}
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = d.serve(ctx, pc, slog.New(slog.NewTextHandler(&out, nil)))
		if n := strings.Count(out.String(), "whoever reaches this address"); n != tt.want || n > 0 && !strings.Contains(out.String(), "namespaces=live/*\n") {
			t.Errorf("%s %q:\n%s", tt.address, tt.token, out.String())
		}
	}
}
