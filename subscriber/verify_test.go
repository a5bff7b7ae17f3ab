package subscriber_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// states is a Receiver that only listens to what becomes of the connection.
type states chan subscriber.State

func (states) Catalog(context.Context, *catalog.Catalog) ([]string, error) { return nil, nil }
func (states) Object(context.Context, string, media.Object) error          { return nil }

func (s states) State(ctx context.Context, v subscriber.State) {
	select {
	case s <- v:
	case <-ctx.Done():
	}
}

func TestTheRelayIsVerifiedUnlessToldOtherwise(t *testing.T) {
	pub, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- pub.Serve(ctx, conn) }()
	defer func() {
		stop()
		if err := errors.Join(<-served, conn.Close()); err != nil {
			t.Error(err)
		}
	}()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pub.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		tls  subscriber.TLS
		fail string // part of the error; empty: it connects
	}{
		"by default":            {subscriber.TLS{}, "certificate"},
		"with its authority":    {subscriber.TLS{CA: ca}, ""},
		"with its fingerprint":  {subscriber.TLS{Fingerprint: fmt.Sprintf("%X", pub.Fingerprint())}, ""},
		"with another's":        {subscriber.TLS{Fingerprint: strings.Repeat("00", 32)}, "not the pinned one"},
		"when nothing is asked": {subscriber.TLS{Insecure: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := subscriber.DefaultConfig()
			cfg.Relays, cfg.Namespace, cfg.TLS = []string{"moqt://" + conn.LocalAddr().String()}, []string{"demo"}, tt.tls
			src, err := subscriber.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(ctx)
			run, seen := make(chan error, 1), make(states)
			go func() { run <- src.Run(ctx, seen) }()
			defer func() { stop(); <-run }()
			for {
				switch s := <-seen; {
				case tt.fail == "" && s.Draft != "":
					return
				case s.Err == nil:
				case tt.fail != "" && strings.Contains(s.Err.Error(), tt.fail):
					return
				default:
					t.Fatalf("%s: %v", s.Phase, s.Err)
				}
			}
		})
	}
}
