package s3_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/s3"
	"github.com/moqpack/moqpack/storage/storagetest"
)

const bucket = "moqpack"

// endpoint is a server to test against.
type endpoint struct {
	name, url, access, secret string
}

// endpoints are versitygw, and another implementation if the environment names one, with a bucket of the same name.
func endpoints(t *testing.T) []endpoint {
	s := s3test.Start(t, bucket)
	all := []endpoint{{"versitygw", s.Endpoint, s.Access, s.Secret}}
	if url := os.Getenv("MOQPACK_TEST_S3_ENDPOINT"); url != "" {
		all = append(all, endpoint{"other", url, os.Getenv("MOQPACK_TEST_S3_ACCESS"), os.Getenv("MOQPACK_TEST_S3_SECRET")})
	} else {
		t.Log("no second implementation: MOQPACK_TEST_S3_ENDPOINT is not set")
	}
	return all
}

func (e endpoint) config(prefix string) s3.Config {
	return s3.Config{
		Bucket: bucket, Prefix: prefix, Endpoint: e.url, Region: "us-east-1", PathStyle: true, AccessKey: e.access, SecretKey: e.secret,
	}
}

func open(t testing.TB, c s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.New(t.Context(), c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuite(t *testing.T) {
	var n atomic.Int64
	for _, e := range endpoints(t) {
		t.Run(e.name, func(t *testing.T) {
			storagetest.RunDurable(t, func(t *testing.T) storage.Durable {
				return open(t, e.config(fmt.Sprintf("suite-%d-%d", time.Now().UnixNano(), n.Add(1))))
			})
		})
	}
}

func TestProbeFindsWhatTheEndpointHonours(t *testing.T) {
	for _, e := range endpoints(t) {
		s := open(t, e.config("probe"))
		a, err := s.Probe(t.Context(), "test")
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if !a.Put || !a.Swap || !a.Headers || a.Skew > 2e9 || a.Skew < -2e9 || len(a.Missing()) > 0 {
			t.Errorf("%s: %+v", e.name, a)
		}
		for key, err := range s.List(t.Context(), "") {
			t.Errorf("%s: the probe leaves %s behind, %v", e.name, key, err)
		}
	}
}

func TestWrongConfigurationIsNamed(t *testing.T) {
	e := endpoints(t)[0]
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for _, tt := range []struct {
		name   string
		change func(*s3.Config)
		want   string
	}{
		{"secret", func(c *s3.Config) { c.SecretKey = "not-the-secret" }, "secret key is wrong"},
		{"access key", func(c *s3.Config) { c.AccessKey = "nobody" }, "does not know the access key"},
		{"bucket", func(c *s3.Config) { c.Bucket = "no-such-bucket" }, "there is no such bucket"},
		{"host", func(c *s3.Config) { c.Endpoint = "http://no-such-host.invalid" }, "there is no such host"},
		{"TLS", func(c *s3.Config) { c.Endpoint = strings.Replace(c.Endpoint, "http:", "https:", 1) }, "does not speak TLS"},
		{"region", func(c *s3.Config) { c.Region = "eu-nowhere-9" }, "region"},
		{"endpoint", func(c *s3.Config) { c.Endpoint = web.URL }, "not the answer of an S3 API: check the endpoint"},
	} {
		c := e.config("")
		tt.change(&c)
		_, err := open(t, c).Probe(t.Context(), "test")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("wrong %s: %v", tt.name, err)
			continue
		}
		if !errors.Is(err, s3.ErrConfig) {
			t.Errorf("wrong %s is not a fault of the configuration: %v", tt.name, err)
		}
		if strings.Contains(err.Error(), c.SecretKey) {
			t.Errorf("wrong %s: the error tells the secret: %v", tt.name, err)
		}
	}
}
