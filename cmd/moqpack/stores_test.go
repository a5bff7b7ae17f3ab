package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/s3test"
)

// bucket starts a server with a bucket and gives its credentials to whoever asks the environment.
func bucket(t *testing.T) *s3test.Server {
	t.Helper()
	srv := s3test.Start(t, "recordings")
	environment(t, srv)
	return srv
}

// environment has the credentials of a server, and nothing else that this machine knows of AWS.
func environment(t *testing.T, srv *s3test.Server) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", srv.Access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", srv.Secret)
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
}

func TestCheckSaysWhatIsWrongWithABucket(t *testing.T) {
	srv := bucket(t)
	good := config.S3{URL: "s3://recordings/live", Endpoint: srv.Endpoint, PathStyle: true}
	if got := tryBucket(t.Context(), good); len(got) != 1 || got[0].Level != levelOK {
		t.Errorf("a good bucket: %v", got)
	}
	if left, err := filepath.Glob(filepath.Join(srv.Data, "recordings", "live", "*")); err != nil || len(left) > 0 {
		t.Errorf("the check leaves %v behind: %v", left, err)
	}
	for _, tt := range []struct {
		name   string
		change func(c *config.S3)
		says   string
	}{
		{"another bucket", func(c *config.S3) { c.URL = "s3://elsewhere/live" }, "there is no such bucket"},
		{"no name of a bucket", func(c *config.S3) { c.URL = "s3://UPPER/live" }, "no name of a bucket"},
		{"wrong secret", func(*config.S3) { t.Setenv("AWS_SECRET_ACCESS_KEY", "topsecret-but-wrong") }, "secret key is wrong"},
		{"wrong region", func(c *config.S3) { c.Region = "eu-nowhere-9" }, "--s3-region"},
		{"no store", func(c *config.S3) { c.Endpoint = "http://127.0.0.1:1" }, "store is not available"},
		{"wrong key", func(*config.S3) { t.Setenv("AWS_ACCESS_KEY_ID", "nobody") }, "does not know the access key"},
	} {
		c := good
		tt.change(&c)
		got := tryBucket(t.Context(), c)
		if len(got) != 1 || got[0].Level != levelFail || !strings.Contains(got[0].Text, tt.says) {
			t.Errorf("%s: %v, want FAIL that says %q", tt.name, got, tt.says)
		}
		if len(got) > 0 && (strings.Contains(got[0].String(), "topsecret") || strings.Contains(got[0].String(), srv.Secret)) {
			t.Errorf("%s: the secret is printed: %v", tt.name, got)
		}
	}
}

func TestTheDemoPlaysFromTheBucketToo(t *testing.T) {
	srv := bucket(t)
	ctx, out := begin(t, 30*time.Second, "demo", "--http", "127.0.0.1:0", "--s3", "s3://recordings/live", "--s3-endpoint", srv.Endpoint, "--s3-path-style", "--dvr", "1h")
	lines := bufio.NewScanner(out)
	want := regexp.MustCompile(`demo in the bucket: 5 renditions in segments of 2s are at most 21600 PUT and 1920 GET an hour`)
	for lines.Scan() && !want.MatchString(lines.Text()) {
	}
	if !want.MatchString(lines.Text()) {
		t.Error("the cost is not said")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the command
	at := filepath.Join(srv.Data, "recordings", "live", "demo")
	body := wait(t, ctx, filepath.Join(at, "video-360", "legacy.m3u8"))
	for _, m := range regexp.MustCompile(`(?m)^(\d+\.m4s)$`).FindAllStringSubmatch(body, -1) {
		if _, err := os.Stat(filepath.Join(at, "video-360", m[1])); err != nil {
			t.Errorf("the playlist in the bucket lists what is not there: %v", err)
		}
	}
	for _, doc := range []string{"legacy.m3u8", "legacy.mpd", "record.json", "plan.json"} {
		wait(t, ctx, filepath.Join(at, doc))
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(cache, "moqpack", "spool", "demo", "record.json")); err != nil {
		t.Errorf("there is no spool: %v", err)
	}
	st, closeStore, err := openArchive(ctx, "s3://recordings/live", config.S3{Endpoint: srv.Endpoint, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.Load(ctx, "demo/record.json"); err != nil {
		t.Errorf("another process cannot read the recording: %v", err)
	}
	if err := closeStore(); err != nil {
		t.Error(err)
	}
	if _, closeStore, err = openArchive(ctx, filepath.Join(cache, "moqpack", "spool"), config.S3{}); err != nil {
		t.Errorf("another process cannot open the spool: %v", err)
	} else if err := closeStore(); err != nil {
		t.Error(err)
	}
}

// wait returns the file once it is there.
func wait(t *testing.T, ctx context.Context, path string) string {
	t.Helper()
	for {
		body, err := os.ReadFile(path)
		if err == nil && len(body) > 0 {
			return string(body)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s does not come: %v", path, err)
		}
	}
}
