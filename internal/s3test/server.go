package s3test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Server is a running server, or one that was stopped. Its methods must not be called at the same time.
type Server struct {
	Endpoint       string // URL; it does not change
	Access, Secret string
	Data           string // directory: a sub-directory is a bucket

	t       testing.TB
	addr    string
	command func(s *Server) *exec.Cmd
	ready   string // path that is answered with 200 as soon as the server is of use; empty: as soon as it listens
	output  *output

	process *os.Process   // nil: it does not run
	exited  chan struct{} // closed when the process has ended
}

// Start starts versitygw with one empty bucket, which ends with the test.
func Start(t testing.TB, bucket string) *Server {
	t.Helper()
	path, err := binary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	return start(t, bucket, "", func(s *Server) *exec.Cmd {
		cmd := exec.Command(path, "--port", s.addr, "posix", s.Data)
		cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.Access, "ROOT_SECRET_KEY=" + s.Secret, "HOME=" + home}
		return cmd
	})
}

func start(t testing.TB, bucket, ready string, command func(*Server) *exec.Cmd) *Server {
	t.Helper()
	s := &Server{
		t: t, command: command, ready: ready, Data: t.TempDir(),
		Access: "moqpack-test", Secret: "moqpack-test-secret", output: &output{},
	}
	if err := os.MkdirAll(filepath.Join(s.Data, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	var err error
	for range 3 { // another process may take the port before the server does
		s.addr = freeAddr(t)
		s.Endpoint = "http://" + s.addr
		if err = s.launch(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// Restart starts the server on the same address, with the same data, after a Kill.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatal(err)
	}
}

// launch returns when the server can be used.
func (s *Server) launch() error {
	cmd := s.command(s)
	cmd.Stdout, cmd.Stderr = s.output, s.output
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("s3test: %w", err)
	}
	exited := make(chan struct{}) // Kill waits for it
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	s.process, s.exited = cmd.Process, exited
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		up := s.up()
		select {
		case <-exited: // whoever listens, it is not this server
			return fmt.Errorf("s3test: the server ends: %s", s.output)
		case <-time.After(20 * time.Millisecond):
		}
		if up {
			return nil
		}
	}
	s.Kill()
	return fmt.Errorf("s3test: the server does not listen: %s", s.output)
}

// up reports whether the server listens, and says that it is ready if it can.
func (s *Server) up() bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	if s.ready == "" {
		return true
	}
	res, err := (&http.Client{Timeout: time.Second}).Get(s.Endpoint + s.ready)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// Kill ends the server at once, whatever it is doing.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Kill()
	<-s.exited
	s.process = nil
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// output is what the server says.
type output struct {
	mu   sync.Mutex // guards what follows
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
