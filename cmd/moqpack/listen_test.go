package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// newStudio is a scene without a relay: publishers connect to its origin.
func newStudio(t *testing.T, namespaces ...string) *scene {
	s := &scene{board: &board{channels: map[string]server.Channel{}}, t: t, net: sim.NewNetwork(sim.Path{Latency: 10 * time.Millisecond})}
	t.Cleanup(s.net.Close)
	s.node = s.net.Listen()
	s.cfg = config.Default()
	s.cfg.Listen.Address = ":4443"
	for _, ns := range namespaces {
		ch := config.DefaultChannel()
		ch.Namespace = ns
		s.cfg.Channels = append(s.cfg.Channels, ch)
	}
	return s
}

// open opens the studio until the test ends.
func (s *scene) open() {
	s.t.Helper()
	s.run("")
	ctx, cancel := context.WithCancel(s.t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = s.door.reception.Run(ctx, s.node) }()
	s.t.Cleanup(func() { cancel(); <-ran })
}

// studio is a publisher of demos.
func studio(t *testing.T, namespaces ...string) *sim.Publisher {
	t.Helper()
	var c sim.Config
	for _, ns := range namespaces {
		c.Broadcasts = append(c.Broadcasts, small(t, ns))
	}
	p, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// connect has a publisher connect until leave is called.
func (s *scene) connect(p *sim.Publisher, draft string) (leave func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ran := make(chan struct{})
	d := sim.Dial{Addr: s.node.LocalAddr().String(), Dialer: transport.Dialer{
		Protocols: []string{draft}, TLS: &tls.Config{InsecureSkipVerify: true},
		Packet: func() (net.PacketConn, error) { return s.net.Listen(), nil },
	}}
	go func() { defer close(ran); _ = p.Publish(ctx, d) }()
	leave = sync.OnceFunc(func() { cancel(); <-ran })
	s.t.Cleanup(leave)
	return leave
}

func TestWhatIsPublishedToUsIsAChannel(t *testing.T) {
	for _, draft := range []string{"moqt-18", "moq-00", "moq-lite-05"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStudio(t, "live/*", "news")
				s.open()
				elapse(2 * time.Second)
				s.expect(t, "news: waiting")
				leave := s.connect(studio(t, "live/a", "live/eu/b", "news"), draft)
				elapse(8 * time.Second)
				s.expect(t, "a: live", "eu/b: live", "news: live")
				leave()
				elapse(withdrawnFor / 2)
				s.expect(t, "a: stalled", "eu/b: stalled", "news: stalled")
				leave = s.connect(studio(t, "live/a"), draft)
				elapse(withdrawnFor)
				s.expect(t, "a: live", "eu/b: ended", "news: stalled") // which somebody wants to see
				leave()
				elapse(2 * withdrawnFor)
				s.expect(t, "a: ended", "eu/b: ended", "news: stalled")
			})
		})
	}
}

func TestABroadcastThatWasEndedIsPublishedAgain(t *testing.T) {
	for _, ns := range []string{"live/*", "live/a"} {
		for _, draft := range []string{"moqt-18", "moqt-16"} {
			t.Run(ns+" "+draft, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStudio(t, ns)
					s.open()
					p := studio(t, "live/a")
					leave := s.connect(p, draft)
					elapse(15 * time.Second)
					if err := p.End([]string{"live", "a"}); err != nil {
						t.Fatal(err)
					}
					elapse(20 * time.Second)
					s.expect(t, "a: ended")
					last, _ := s.edge(t, "a")
					leave()
					elapse(20 * time.Second)
					s.connect(studio(t, "live/a"), draft)
					elapse(10 * time.Second)
					s.expect(t, "a: live")
					if now, ended := s.edge(t, "a"); ended || now <= last {
						t.Errorf("at slot %d (ended %v) after %d", now, ended, last)
					}
				})
			})
		}
	}
}

func TestPublishedChannelsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t, "live/*", "fixed")
		s.cfg.MaxChannels = 2
		s.open()
		s.connect(studio(t, "live/a", "live/b", "live/c", "fixed"), "moqt-18")
		elapse(10 * time.Second)
		if all := s.states(); len(all) != 3 || !slices.Contains(all, "fixed: live") || s.said("--max-channels") != 1 {
			t.Errorf("%q are there, %d complaints", all, s.said("--max-channels"))
		}
	})
}

// An encoder and moqpack, over real sockets: what is pushed in is there to be played, with the token that the file has from the
// environment.
func TestAnEncoderNeedsNoRelay(t *testing.T) {
	t.Setenv("PUBLISH_TOKEN", "hunter2-secret")
	file := filepath.Join(t.TempDir(), "moqpack.yaml")
	text := "server: {http: \"127.0.0.1:0\"}\nlisten: {address: \"127.0.0.1:0\", token: \"${PUBLISH_TOKEN}\"}\nchannels: [{namespace: \"live/*\"}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, out := begin(t, 60*time.Second, "serve", "--config", file)
	said := regexp.MustCompile(`serves (http://\S+/)[^\n]*\npublish to +moqt://(\S+)\n[^\n]*SHA-256 ([0-9a-f]{64})`)
	var screen strings.Builder
	var m []string
	for lines := bufio.NewScanner(out); m == nil && lines.Scan(); m = said.FindStringSubmatch(screen.String()) {
		screen.WriteString(lines.Text() + "\n")
	}
	if m == nil {
		t.Fatalf("nobody can know where to publish:\n%s", screen.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the test's process at the latest
	base, addr := m[1], m[2]
	p := studio(t, "live/one")
	for _, dial := range []sim.Dial{{}, {WebTransport: true, Path: "/x?token=hunter2-secret"}} {
		if dial.Addr = addr; dial.Path == "" {
			dial.Token = "hunter2-secret"
		}
		dial.Dialer.TLS = &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			if got := fmt.Sprintf("%x", sha256.Sum256(s.PeerCertificates[0].Raw)); got != m[3] {
				return fmt.Errorf("the certificate is %s, not %s", got, m[3])
			}
			return nil
		}}
		ectx, leave := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- p.Publish(ectx, dial) }()
		if body := get(t, ctx, base+"one/index.m3u8"); !strings.Contains(body, "video-180/index.m3u8") {
			t.Errorf("index.m3u8:\n%s", body)
		}
		if body := get(t, ctx, base+"one/video-180/index.m3u8"); !strings.Contains(body, "#EXT-X-PART:") {
			t.Errorf("index.m3u8:\n%s", body)
		}
		leave()
		<-ended
	}
}

func TestWhereToPublishIsChecked(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		address, cert, token string
		want                 []string // in this order
	}{
		{taken.LocalAddr().String(), "", "", []string{"FAIL  address 127.0.0.1:"}},
		{"127.0.0.1:0", "", "", []string{"WARN  address 127.0.0.1:0 for publishers: can be listened on"}},
		{":0", "c", "t", []string{"ok    address :0 for publishers"}},
		{":0", "", "", []string{"ok    address :0 for", "WARN  address :0 for publishers: the certificate", "may publish live/*", "may publish news"}},
	} {
		cfg := config.Default()
		cfg.Listen = config.Listen{Address: tt.address, Cert: tt.cert, Token: tt.token}
		cfg.Channels = []config.Channel{{Namespace: "live/*"}, {Namespace: "news"}}
		got := probeDoor(t.Context(), &cfg)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v", tt.address, got)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(got[i].String(), want) {
				t.Errorf("%s: %v, want %q", tt.address, got[i], want)
			}
		}
	}
}
