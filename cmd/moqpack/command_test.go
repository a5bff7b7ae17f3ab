package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
)

func TestChannelNames(t *testing.T) {
	for _, tt := range []struct {
		namespaces, names, want []string
		err                     string
	}{
		{namespaces: []string{"live/studio1", "news"}, want: []string{"studio1", "news"}},
		{namespaces: []string{"live/a", "live/b"}, names: []string{"x", "y"}, want: []string{"x", "y"}},
		{namespaces: []string{"live/a", "other/a"}, err: "--name: two channels"},
		{namespaces: []string{"live"}, names: []string{""}, err: "--name"},
		{namespaces: []string{"a", "b"}, names: []string{"x"}, err: "one name for each namespace"},
	} {
		b := newBroadcasts()
		b.channel.Relays, b.namespaces, b.names = []string{"moqt://r"}, tt.namespaces, tt.names
		cfg, err := b.assemble()
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v %v: error %v, want one that says %q", tt.namespaces, tt.names, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v %v: %v", tt.namespaces, tt.names, err)
			continue
		}
		var got []string
		for _, c := range cfg.Channels {
			got = append(got, c.Name)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%v %v: %v, want %v", tt.namespaces, tt.names, got, tt.want)
		}
	}
}

func TestBadFlagsAreRefusedBeforeAnythingStarts(t *testing.T) {
	for _, tt := range []struct {
		args []string
		err  string
	}{
		{[]string{"serve"}, "give --relay and --namespace, or --listen and --allow, or --config FILE"},
		{[]string{"serve", "--listen", ":1"}, "or --listen and --allow"},
		{[]string{"serve", "--allow", "live/*"}, "say where, with --listen"},
		{[]string{"serve", "--relay", "moqt://x", "--listen", ":1", "--allow", "live/*"}, "--relay: say which broadcasts"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--listen", ":1"}, "--listen: nothing may be published there"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--listen-token", "t"}, "--listen-token: this needs"},
		{[]string{"serve", "--listen", "1", "--allow", "a"}, "--listen: \"1\" is not of the form"},
		{[]string{"serve", "--listen", ":1", "--allow", "a", "--listen-cert", "f"}, "--listen-cert and --listen-key: a certificate"},
		{[]string{"serve", "--listen", ":0", "--allow", "a", "--listen-cert", "/none", "--listen-key", "/none"}, "--listen-cert and --listen-key"},
		{[]string{"serve", "--listen", "256.0.0.1:1", "--http", "localhost:0", "--allow", "a"}, "--listen (listen.address)"},
		{[]string{"serve", "--config", "f", "--relay", "moqt://x"}, "put into f what --relay says"},
		{[]string{"serve", "--config", "/none/f"}, "/none/f"},
		{[]string{"serve", "--relay", "http://x", "--namespace", "a"}, "moqt://"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", ""}, "--namespace"},
		{[]string{"serve", "--relay", "moqt://x#msf:a--video"}, "--relay: the fragment names the track \"video\""},
		{[]string{"serve", "--relay", "moqt://x#msf:a--catalog", "--http", "bad"}, "--http"},
		{[]string{"probe", "moqt://x#msf:a--catalog&c4m=g"}, "--relay: fragment: c4m"},
		{[]string{"serve", "--relay", "moqt://x?draft=7", "--namespace", "a"}, "18, 19, 16"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--memory", "0"}, "--memory"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--memory", "10"}, "has no unit"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--namespace", "b", "--dvr", "4h"}, "--dvr: this needs a store, --data or --s3"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a/*", "--name", "b"}, "--name: \"b\" cannot be the name of every broadcast"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a/*", "--max-channels", "0"}, "--max-channels: 0 is not between"},
		{[]string{"demo", "--retain", "4h"}, "--retain: this needs a store"},
		{[]string{"demo", "--data", "d", "--retain", "1h", "--dvr", "1d"}, "--retain: 1h is shorter than the dvr of 1d"},
		{[]string{"demo", "--s3", "bucket"}, "--s3: \"bucket\" is not of the form s3://BUCKET/PREFIX"},
		{[]string{"demo", "--s3-path-style"}, "--s3: "},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--http-cert", "/none", "--http-key", "/none"}, "--http-cert"},
		{[]string{"demo", "--draft", "7"}, "18, 19, 16"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--segment", "1ms"}, "--segment"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--insecure", "--tls-ca", "f"}, "at most one"},
		{[]string{"serve", "--relay", "moqt://x", "--namespace", "a", "--http-cert", "f"}, "go together"},
		{[]string{"demo", "--http", "256.0.0.1:1"}, "--http"},
		{[]string{"demo", "surplus"}, "unknown command"},
	} {
		c := root()
		c.SetArgs(tt.args)
		if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("moqpack %s: error %v, want one that says %q", strings.Join(tt.args, " "), err, tt.err)
		}
	}
}

func TestVersionTellsWhatTheBuildRecorded(t *testing.T) {
	var b strings.Builder
	printVersion(&b, &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"},
	}})
	for _, want := range []string{"v1.2.3", "abc, modified", "moqt-18", "moqt-16"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
	b.Reset()
	printVersion(&b, nil)
	if !strings.Contains(b.String(), "unknown") {
		t.Errorf("a build without information claims to know what it is:\n%s", b.String())
	}
}

func TestHealthFollowsTheStatus(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer srv.Close()
	if err := health(t.Context(), srv.URL); err != nil {
		t.Error(err)
	}
	status = http.StatusServiceUnavailable
	if err := health(t.Context(), srv.URL); err == nil {
		t.Error("a server that answers 503 is reported healthy")
	}
}

func TestTheURLShownCanBeOpenedHere(t *testing.T) {
	for _, tt := range []struct{ addr, cert, want string }{
		{"localhost:8080", "", "http://localhost:9"},
		{":8080", "", "http://localhost:9"},
		{"0.0.0.0:8080", "c", "https://localhost:9"},
		{"192.0.2.1:0", "", "http://192.0.2.1:9"},
		{"[::1]:0", "", "http://[::1]:9"},
	} {
		o := origin{cfg: &config.Config{Server: config.Server{HTTP: tt.addr, Cert: tt.cert}}}
		if got := o.base(&net.TCPAddr{Port: 9}); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.addr, got, tt.want)
		}
	}
}

// fixed is a Channel that has an Output.
type fixed struct {
	name     string
	out      *segmenter.Output
	archives []server.Archive
}

func (f fixed) Output() *segmenter.Output { return f.out }
func (f fixed) Store() storage.Getter     { return nil }
func (f fixed) From() uint64              { return 0 }
func (f fixed) Status() server.Status {
	return server.Status{Name: f.name, Archives: f.archives}
}

func TestEachChannelOfTheBucketIsBilledOnce(t *testing.T) {
	b := bill{map[string]bool{}}
	out := &segmenter.Output{Plan: segmenter.Plan{Grid: timeline.Grid{Num: 2002, Den: 1000}}, Renditions: make([]segmenter.Rendition, 3)}
	both := []server.Archive{{Name: "disk"}, {Name: "s3"}}
	channels := []server.Channel{fixed{"a", out, both}, fixed{"b", out, both[:1]}, fixed{"c", nil, both}}
	got := b.due(channels)
	if len(got) != 1 || !strings.HasPrefix(got[0], "a in the bucket: 3 renditions in segments of 2.002s are at most 14384 PUT and 1918 GET an hour, $0.07") {
		t.Errorf("%q", got)
	}
	channels = append(channels, fixed{"appears later", out, both}) // as one of a pattern does
	if got := b.due(channels); len(got) != 1 || !strings.HasPrefix(got[0], "appears later in the bucket") {
		t.Errorf("then: %q", got)
	}
}
