package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// onAir serves the demo's broadcast on loopback until the test ends, and returns where, and the flag to believe it with.
func onAir(t *testing.T) (relay, trust string) {
	t.Helper()
	b, err := live.Demo("demo")
	if err != nil {
		t.Fatal(err)
	}
	p, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{b}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, conn) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	return "moqt://" + conn.LocalAddr().String(), fmt.Sprintf("--tls-fingerprint=%x", p.Fingerprint())
}

// run runs the command and returns what it wrote.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var out bytes.Buffer
	c := root()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(io.Discard)
	err := c.ExecuteContext(ctx)
	return out.String(), err
}

func TestProbeTellsWhatThereIs(t *testing.T) {
	t.Parallel() // it waits most of the time
	relay, trust := onAir(t)
	out, err := run(t, "probe", relay+"?draft=16", "--namespace", "demo", trust, "--for", "4s", "--json")
	if err != nil {
		t.Fatal(err, out)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Transport != "quic" || r.Under != "" || !slices.Equal(r.Namespaces, []string{"demo"}) || r.Unlisted != "" {
		t.Errorf("%s", out)
	}
	if r.Draft != "moqt-16" || r.Phase != "live" || len(r.Tracks) != 5 || r.Segment != 2 || len(r.Errors) > 0 || len(r.Hints) > 0 {
		t.Errorf("%s", out)
	}
	for _, row := range r.Tracks {
		if row.Objects == 0 || row.Codec == "" || row.Behind == nil || *row.Behind < 0 || *row.Behind > 5 || row.ClockFromArrival {
			t.Errorf("%+v", row)
		}
	}
}

func TestProbeSaysWhatToTry(t *testing.T) {
	t.Parallel() // it waits most of the time
	relay, trust := onAir(t)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no such broadcast": {[]string{relay, "--namespace", "other", trust}, "is the namespace right"},
		"another catalog":   {[]string{relay, "--namespace", "demo", trust, "--catalog", "moq-mi", "--variable", "a=b", "--token", "x"}, "there is no catalog"},
		"not to be trusted": {[]string{relay, "--namespace", "demo"}, "--tls-fingerprint"},
	} {
		out, err := run(t, append([]string{"probe", "--for", "1s"}, tt.args...)...)
		if err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestARecordingIsServedAsIfItWereLive(t *testing.T) {
	t.Parallel() // it waits most of the time
	relay, trust := onAir(t)
	path := filepath.Join(t.TempDir(), "studio.jsonl.gz")
	if out, err := run(t, "record", relay, path, "--namespace", "demo", trust, "--for", "4s"); err != nil {
		t.Fatal(err, out)
	}
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	out, in := io.Pipe()
	c := root()
	c.SetArgs([]string{"replay", path, "--http", "127.0.0.1:0"})
	c.SetOut(in)
	done := make(chan error, 1)
	go func() { done <- c.ExecuteContext(ctx) }()
	base := firstMatch(t, out, `LL-HLS +(http://\S+/studio/)index\.m3u8`)
	if got := get(t, ctx, base+"index.m3u8"); !strings.Contains(got, "video-360/index.m3u8") {
		t.Errorf("%s", got)
	}
	for !strings.Contains(get(t, ctx, base+"video-360/index.m3u8"), "#EXT-X-ENDLIST") { // the end of the recording
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the replay does not end")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
