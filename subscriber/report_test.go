package subscriber

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// states is a Receiver that keeps states only.
type states []State

func (*states) Catalog(context.Context, *catalog.Catalog) ([]string, error) { return nil, nil }
func (*states) Object(context.Context, string, media.Object) error          { return nil }
func (s *states) State(_ context.Context, state State)                      { *s = append(*s, state) }

func TestTheLogTellsNewsOnly(t *testing.T) {
	var log bytes.Buffer
	var got states
	r := &reporter{recv: &got, log: slog.New(slog.NewTextHandler(&log, nil)), state: State{Relay: "r:443"}}
	ctx := t.Context()
	r.connecting(ctx, "r:443", nil)
	for port := range 5 {
		r.connecting(ctx, "r:443", fmt.Errorf("port %d: refused", port))
	}
	r.connecting(ctx, "r:443", errors.New("bad certificate"))
	r.connected(ctx, "r:443", "moqt-18", "quic")
	r.waiting(ctx, nil)
	r.waiting(ctx, nil)
	r.live(ctx)
	r.live(ctx)
	r.silent(ctx)
	var lines []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, "msg=")
		lines = append(lines, strings.TrimSpace(line))
	}
	want := []string{
		`"source changed" phase=connecting relay=r:443 draft=""`,
		`"source changed" phase=connecting relay=r:443 draft="" err="port 0: refused"`,
		`"source changed" phase=connecting relay=r:443 draft="" err="bad certificate"`,
		`"source changed" phase=waiting relay=r:443 draft=moqt-18`,
		`"source changed" phase=live relay=r:443 draft=moqt-18`,
		`"source changed" phase=waiting relay=r:443 draft=moqt-18`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got) != 11 || got[6].Attempts != 7 || got[9].Attempts != 0 {
		t.Errorf("%d states: %+v", len(got), got)
	}
}
