package s3

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/storage"
)

// rule decides about request n of those that it is asked about, from 1: forward sends it on to the real server.
type rule func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler)

// proxy stands between a store and a server.
type proxy struct {
	*httptest.Server
	match func(*http.Request) bool
	rule  rule

	mu   sync.Mutex // guards what follows
	seen []string   // remote addresses of the requests that matched
}

// between starts a proxy in front of target that asks the rule about what matches.
func between(t *testing.T, target string, match func(*http.Request) bool, rule rule) *proxy {
	t.Helper()
	p := unstarted(t, target, match, rule)
	p.Start()
	return p
}

func unstarted(t *testing.T, target string, match func(*http.Request) bool, rule rule) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	forward := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p := &proxy{match: match, rule: rule}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.match(r) {
			forward.ServeHTTP(w, r)
			return
		}
		p.mu.Lock()
		p.seen = append(p.seen, r.RemoteAddr)
		n := len(p.seen)
		p.mu.Unlock()
		p.rule(n, w, r, forward)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() {
		p.Close()
		transport.CloseIdleConnections()
	})
	return p
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

func method(m string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m }
}

// refuse answers with an error of S3.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>says the proxy</Message></Error>`, code)
}

// swallow answers nothing until the other side gives up.
func swallow(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// lose does what is asked for, and cuts the connection before the answer.
func lose(r *http.Request, forward http.Handler) {
	forward.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// without forwards the request without a header, signed again.
func without(t *testing.T, name string, w http.ResponseWriter, r *http.Request, forward http.Handler) {
	r.Header.Del(name)
	sign(t, r, time.Now())
	forward.ServeHTTP(w, r)
}

// sign signs a request as if it were sent at a time.
func sign(t *testing.T, r *http.Request, at time.Time) {
	r.Header.Del("Authorization")
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}
	if err := signer.SignHTTP(r.Context(), creds, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", at); err != nil {
		t.Error(err)
	}
}

const (
	bucketName = "moqpack"
	access     = "moqpack-test"
	secret     = "moqpack-test-secret"
)

// storeAt opens a store with little patience.
func storeAt(t *testing.T, endpoint string) *Store {
	t.Helper()
	return storeOf(t, Config{
		Bucket: bucketName, Prefix: "pre/fix", Endpoint: endpoint, Region: "us-east-1", PathStyle: true, AccessKey: access, SecretKey: secret,
	})
}

func storeOf(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := New(t.Context(), c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.limits.pause, s.limits.pauses = time.Millisecond, 5*time.Millisecond
	return s
}

// server starts a server of credentials that the proxy knows.
func server(t testing.TB) *s3test.Server {
	t.Helper()
	srv := s3test.Start(t, bucketName)
	if srv.Access != access || srv.Secret != secret {
		t.Fatal("the server has other credentials")
	}
	return srv
}

// servers runs a test against versitygw, and against MinIO where there is one: start starts the server, which the test may kill.
func servers(t *testing.T, test func(t *testing.T, start func() *s3test.Server)) {
	t.Helper()
	t.Run("versitygw", func(t *testing.T) { test(t, func() *s3test.Server { return server(t) }) })
	t.Run("MinIO", func(t *testing.T) { test(t, func() *s3test.Server { return s3test.StartMinIO(t, bucketName) }) })
}

// isolate hides what this machine knows of AWS.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func blob(pieces ...string) storage.Blob {
	b := storage.Blob{ContentType: "video/mp4"}
	for _, p := range pieces {
		b.Pieces = append(b.Pieces, []byte(p))
	}
	return b
}
