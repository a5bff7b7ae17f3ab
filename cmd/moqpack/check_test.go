package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/storage/disk"
)

// runCheck runs the command and returns what it prints and its error.
func runCheck(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := root()
	c.SetOut(&out)
	c.SetArgs(append([]string{"check"}, args...))
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCheckTriesEverythingThatTheFileNames(t *testing.T) {
	broadcast, err := live.Demo("demo")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{broadcast}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- pub.Serve(ctx, conn) }()
	defer func() { stop(); <-served }()

	dir := t.TempDir()
	t.Setenv("RELAY_TOKEN", "s3cr3t-token")
	file := filepath.Join(dir, "moqpack.yaml")
	text := fmt.Sprintf(`
server: {http: "127.0.0.1:0"}
storage:
  disk: {dir: %q, limit: 64MiB}
channels:
  - {name: here, relay: "moqt://%s/?token=${RELAY_TOKEN}", namespace: %s, tls: {fingerprint: "%x"}}
  - {name: elsewhere, relay: "moqt://%s", namespace: nobody, tls: {fingerprint: "%x"}}
  - {name: stranger, relay: "moqt://%s/${RELAY_TOKEN}", namespace: a}
`, filepath.Join(dir, "data"), conn.LocalAddr(), strings.Join(broadcast.Namespace, "/"), pub.Fingerprint(), conn.LocalAddr(), pub.Fingerprint(), conn.LocalAddr())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runCheck(t, "--config", file, "--wait", "2s", "--json")
	if err == nil || err.Error() != "1 of 5 checks failed" {
		t.Errorf("error %v, want that one check failed", err)
	}
	var got []finding
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 5 {
		t.Fatalf("%v:\n%s", err, out)
	}
	for i, want := range []struct {
		level      level
		what, text string
	}{
		{levelWarn, "address 127.0.0.1:0", "can be listened on"},
		{levelOK, "directory " + filepath.Join(dir, "data"), "can be written to; 0B of 64MiB are used"},
		{levelOK, "channel here", "moqt-18, msf, 5 tracks"},
		{levelWarn, "channel elsewhere", "no catalog of \"nobody\" within 2s"},
		{levelFail, "channel stranger", "certificate"},
	} {
		f := got[i]
		if f.Level != want.level || !strings.HasPrefix(f.What, want.what) || !strings.Contains(f.Text, want.text) {
			t.Errorf("finding %d is %+v, want %+v", i, f, want)
		}
	}
	if strings.Contains(out, "s3cr3t") {
		t.Errorf("a secret is printed:\n%s", out)
	}
	left, err := filepath.Glob(filepath.Join(dir, "data", "[^.]*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the check leaves %v behind: %v", left, err)
	}
}

func TestCheckSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	store, err := disk.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	out, err := runCheck(t, "--relay", "moqt://127.0.0.1:1", "--namespace", "a", "--wait", "1s", "--data", dir, "--http", ln.Addr().String())
	if err == nil || err.Error() != "3 of 3 checks failed" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"FAIL  address " + ln.Addr().String(), "in use", "no session", "-> "} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q:\n%s", want, out)
		}
	}
}

func TestProbeCertificate(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name     string
		from, to time.Time
		hosts    []string
		level    level
		says     string
	}{
		{"good", now.Add(-time.Hour), now.Add(90 * 24 * time.Hour), []string{"live.example"}, levelOK, "for live.example, until"},
		{"ending", now.Add(-time.Hour), now.Add(24 * time.Hour), []string{"live.example"}, levelWarn, "renew"},
		{"expired", now.Add(-2 * time.Hour), now.Add(-time.Hour), []string{"live.example"}, levelFail, "expired"},
		{"early", now.Add(time.Hour), now.Add(2 * time.Hour), []string{"live.example"}, levelFail, "clock"},
		{"nameless", now.Add(-time.Hour), now.Add(90 * 24 * time.Hour), nil, levelFail, "names no host"},
	} {
		cert, key := certificate(t, tt.from, tt.to, tt.hosts)
		got := probeCertificate(cert, key, now)
		if len(got) != 1 || got[0].Level != tt.level || !strings.Contains(got[0].String(), tt.says) {
			t.Errorf("%s: %v, want %s that says %q", tt.name, got, tt.level, tt.says)
		}
	}
	if got := probeCertificate("/none", "/none", now); got[0].Level != levelFail {
		t.Errorf("a file that does not exist: %v", got)
	}
}

// certificate writes one that signs itself.
func certificate(t *testing.T, from, to time.Time, hosts []string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, DNSNames: hosts}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestDirectoryThatWillNotHoldTheLimitIsAWarning(t *testing.T) {
	dir := t.TempDir()
	free, ok := freeSpace(dir)
	if !ok || free == 0 {
		t.Fatalf("free space of %s: %d, %v", dir, free, ok)
	}
	got := probeDirectory(t.Context(), &config.Config{Storage: config.Storage{Disk: config.Disk{Dir: dir, Limit: 1 << 60}}})
	if len(got) != 1 || got[0].Level != levelWarn || !strings.Contains(got[0].Next, "--data-limit") {
		t.Errorf("%v", got)
	}
}

// Nobody asks for the spool of a bucket, but without it nothing starts.
func TestTheSpoolOfABucketIsTriedToo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for cache, want := range map[string]level{t.TempDir(): levelOK, file: levelFail} {
		t.Setenv("XDG_CACHE_HOME", cache)
		out, err := runCheck(t, "--relay", "moqt://127.0.0.1:1", "--namespace", "a", "--wait", "1ms",
			"--s3", "s3://nobucket", "--s3-endpoint", "http://127.0.0.1:1", "--data-limit", "64MiB")
		if line := string(want) + "  spool " + filepath.Join(cache, "moqpack", "spool"); err == nil || !strings.Contains(strings.ReplaceAll(out, "ok    ", "ok  "), line) {
			t.Errorf("nothing says %q: %v\n%s", line, err, out)
		}
	}
}

func TestARecordingThatIsToBeServedIsTriedToo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "moqpack.yaml")
	text := "server: {http: \"127.0.0.1:0\"}\nchannels: [{replay: /no/such/file, namespace: demo}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runCheck(t, "--config", file)
	if err == nil || !strings.Contains(out, "FAIL  channel demo from /no/such/file") {
		t.Errorf("%v:\n%s", err, out)
	}
}
