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
	"github.com/moqpack/moqpack/subscriber"
)

// onAir serves the demo's broadcast on loopback until the test ends, by other namespaces if there are any, and returns where, and the
// flag to believe it with. An empty one is none at all.
func onAir(t *testing.T, namespaces ...string) (relay, trust string) {
	t.Helper()
	if namespaces == nil {
		namespaces = []string{"demo"}
	}
	var c sim.Config
	for _, ns := range namespaces {
		b, err := live.Demo("demo")
		if err != nil {
			t.Fatal(err)
		}
		if b.Namespace = strings.Split(ns, "/"); ns != "" {
			c.Broadcasts = append(c.Broadcasts, b)
		}
	}
	p, err := sim.New(c)
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

func TestProbeFindsTheBroadcastThatIsAlone(t *testing.T) {
	t.Parallel() // it waits most of the time
	relay, trust := onAir(t)
	out, err := run(t, "probe", relay, trust, "--for", "3s", "--json")
	if err != nil {
		t.Fatal(err, out)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Namespace != "demo" || r.Phase != "live" || len(r.Tracks) != 5 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestProbeSaysWhichBroadcastsThereAre(t *testing.T) {
	t.Parallel() // it waits most of the time
	several, trust := onAir(t, "live/a", "live/b/c")
	none, trustNone := onAir(t, "")
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"several":         {[]string{several, trust}, "  live/a\n  live/b/c\n\nwhat to try\n  choose one of these broadcasts"},
		"none":            {[]string{none, trustNone}, "told of no broadcast within 2s"},
		"not to be known": {[]string{several + "?draft=14", trust}, "does not tell which broadcasts"},
		"no session":      {[]string{several}, "--tls-fingerprint"},
	} {
		out, err := run(t, append([]string{"probe", "--for", "2s"}, tt.args...)...)
		if err == nil || !strings.Contains(err.Error(), "none could be chosen") || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		out, err = run(t, append([]string{"probe", "--for", "2s", "--json"}, tt.args...)...)
		var r report
		if bad := json.Unmarshal([]byte(out), &r); bad != nil || err == nil || r.Namespace != "" || (name == "several") != slices.Equal(r.Namespaces, []string{"live/a", "live/b/c"}) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestAParameterIsBlamedOnlyInThePeersWords(t *testing.T) {
	for words, want := range map[string]string{
		`session ended by the peer (code 0x3: "unknown parameter 0x21"): closed`: "0x21",
		`(code 0x3: "Unsupported parameter type: 33")`:                           "0x21",
		`(code 0x3: "bad param 4")`:                                              "0x4",
		`(code 0x3: "unknown parameter")`:                                        "",
		`(code 0x3: "parameters": 7 of them`:                                     "",
		`(code 0x3: "unexpected message 0x21")`:                                  "",
		`parameter 99999999999999999999`:                                         "",
	} {
		if got := blamed(words); got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
	r := report{Draft: "moqt-18", Errors: []string{`moqt session ended by the peer (code 0x3: "unknown parameter 0x21"): closed`}}
	if r.hint(subscriber.State{}); len(r.Hints) != 1 || !strings.Contains(r.Hints[0], "parameter 0x21: try ?draft=16") {
		t.Errorf("%q", r.Hints)
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
