package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// BenchmarkChannels is what moqpack itself, in a process of its own, uses for one and for ten channels of the demo's broadcast that are
// recorded on the disk and in S3. Nobody watches. An op is ten seconds.
func BenchmarkChannels(b *testing.B) {
	path := filepath.Join(b.TempDir(), "moqpack")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, n := range []int{1, 10} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkChannels(b, path, n) })
	}
}

func benchmarkChannels(b *testing.B, path string, n int) {
	relay, args := publish(b, n)
	srv := s3test.Start(b, "recordings")
	args = append(args, "--http", "127.0.0.1:0", "--data", b.TempDir(), "--s3", "s3://recordings/live", "--s3-endpoint", srv.Endpoint, "--s3-path-style")
	url := serve(b, exec.Command(path, append([]string{"serve", "--relay", relay}, args...)...), srv)
	for usage(b, url, "moqpack_archive_bytes_total") < 0 { // until all have begun
		<-time.After(100 * time.Millisecond)
	}
	<-time.After(10 * time.Second)
	began, cpu := time.Now(), usage(b, url, "process_cpu_seconds_total")
	for b.Loop() {
		<-time.After(10 * time.Second)
	}
	cpu = usage(b, url, "process_cpu_seconds_total") - cpu
	hours := time.Since(began).Hours()
	b.ReportMetric(cpu/hours/float64(n), "CPU-s/channel-hour")
	b.ReportMetric(cpu/hours/36, "%-of-a-core")
	b.ReportMetric(usage(b, url, "process_resident_memory_bytes")/1e6/float64(n), "resident-MB/channel")
	b.ReportMetric(0, "ns/op")
}

// publish puts n of the demo's broadcasts on the air until the benchmark ends, and returns where they are.
func publish(b *testing.B, n int) (relay string, args []string) {
	cfg, rate := sim.Config{}, 0.0
	for i := range n {
		demo, err := live.Demo("demo", strconv.Itoa(i))
		if err != nil {
			b.Fatal(err)
		}
		cfg.Broadcasts = append(cfg.Broadcasts, demo)
		args = append(args, "--namespace", fmt.Sprint("demo/", i), "--name", fmt.Sprint("demo", i))
		if i == 0 {
			rate = bitrate(b, demo)
		}
	}
	b.Logf("%.2f Mbit/s for each channel", rate/1e6)
	pub, err := sim.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- pub.Serve(ctx, conn) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			b.Error(err)
		}
		_ = conn.Close()
	})
	return "moqt://" + conn.LocalAddr().String(), append(args, "--tls-fingerprint", fmt.Sprintf("%x", pub.Fingerprint()))
}

// bitrate is that of ten groups of every track.
func bitrate(b *testing.B, demo live.Broadcast) (bits float64) {
	on, err := live.Open(demo)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range on.Sources() {
		const first, groups = 1_000_000_000, 10
		end, size := media.Location{Group: first + groups}, 0
		for at := (media.Location{Group: first}); at.Before(end); at = s.Next(at) {
			p, err := s.Payload(at)
			if err != nil {
				b.Fatal(err)
			}
			size += len(p)
		}
		bits += float64(8*size) / (groups * float64(s.Clip.Group) / float64(s.Clip.Timescale))
	}
	return bits
}

// serve runs the command until the benchmark ends, and returns the URL it serves at.
func serve(b *testing.B, c *exec.Cmd, srv *s3test.Server) (url string) {
	c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+srv.Access, "AWS_SECRET_ACCESS_KEY="+srv.Secret, "AWS_REGION=us-east-1",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	where := regexp.MustCompile(`http://[^/ ]+:\d+`)
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		url = where.FindString(lines.Text())
	}
	if url == "" {
		b.Fatal("moqpack does not say where it serves")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the command
	return url
}

// usage is the first value of a metric, -1 if there is none.
func usage(b *testing.B, url, metric string) float64 {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + metric + `(?:\{[^}]*\})? (\S+)$`).FindSubmatch(body)
	if m == nil {
		return -1
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}
