package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"
)

// Config of a Server. The zero value of every field is useful.
type Config struct {
	// CertFile and KeyFile hold a PEM certificate chain and its key. With them the server speaks TLS and HTTP/2, which
	// Apple's players want for low latency. Without, it speaks HTTP/1.1 and, to those who know beforehand, h2c.
	CertFile, KeyFile string

	// MaxWaits bounds the requests that wait for media at one time; 0 stands for DefaultMaxWaits.
	MaxWaits int

	Log            *slog.Logger // nil discards
	Metrics        *Metrics     // nil counts nothing
	MetricsHandler http.Handler // of /metrics; nil: there is none
}

// DefaultMaxWaits is far beyond what a server behind a CDN sees and costs some 100 MB.
const DefaultMaxWaits = 50_000

// ErrConfig is returned for a configuration that cannot work.
var ErrConfig = errors.New("server: bad configuration")

// Server answers for channels. It is safe for concurrent use.
type Server struct {
	cfg      Config
	log      *slog.Logger
	metrics  *Metrics
	refusals map[class]refusal
	assets   map[string]*document // of the page
	echo     *echo.Echo

	lineup atomic.Pointer[lineup] // replaced by Put and Remove

	waits atomic.Int64 // requests that wait
	press press
}

// New returns a server for the channels.
func New(cfg Config, channels []Channel) (*Server, error) {
	if (cfg.CertFile == "") != (cfg.KeyFile == "") {
		return nil, fmt.Errorf("%w: a certificate needs its key and a key its certificate", ErrConfig)
	}
	if cfg.MaxWaits == 0 {
		cfg.MaxWaits = DefaultMaxWaits
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, log: cfg.Log, metrics: cfg.Metrics, refusals: refusals()}
	all := &lineup{}
	for _, c := range channels {
		name := c.Status().Name
		if name == "" || all.find(name) != nil {
			return nil, fmt.Errorf("%w: two channels are called %q, or one has no name: name them apart", ErrConfig, name)
		}
		all = all.with(c)
	}
	s.lineup.Store(all)
	var err error
	if s.assets, err = assets(pageFiles); err != nil {
		return nil, fmt.Errorf("server: read the page: %w", err)
	}
	s.echo = s.routes()
	return s, nil
}

// Handler answers requests without a listener.
func (s *Server) Handler() http.Handler { return s.echo }

// Serve serves on ln until ctx is done, then lets requests finish for a few seconds. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	// Blocked requests end with ctx; bodies that are being written have the time of the shutdown.
	srv := &http.Server{
		Handler:           s.echo,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      2 * writeTimeout, // answers set their own, closer one
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 1000},
		Protocols:         new(http.Protocols),
	}
	tls := s.cfg.CertFile != ""
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(tls)
	srv.Protocols.SetUnencryptedHTTP2(!tls)

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		var err error
		if tls {
			err = srv.ServeTLS(ln, s.cfg.CertFile, s.cfg.KeyFile)
		} else {
			err = srv.Serve(ln)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("server: %w", err)
	})
	g.Go(func() error {
		<-gctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}

// routes is everything that has a URL.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard)
	e.Use(s.observe)
	s.get(e, "/", s.page)
	s.get(e, "/page/*", s.page)
	s.get(e, "/api/channels", s.listChannels)
	s.get(e, "/api/players", s.listPlayers)
	s.get(e, "/time", s.time)
	s.get(e, "/livez", s.health)
	s.get(e, "/readyz", s.ready)
	s.get(e, "/healthz", s.health)
	s.get(e, "/healthz/*", s.channelHealth)
	if s.cfg.MetricsHandler != nil {
		s.get(e, "/metrics", func(w http.ResponseWriter, r *http.Request) error {
			s.cfg.MetricsHandler.ServeHTTP(w, r)
			return nil
		})
	}
	s.get(e, "/*", s.resource)
	e.OPTIONS("/*", func(c echo.Context) error { return preflight(c.Response()) })
	return e
}

// handler answers a GET or HEAD, or returns why not, having written nothing.
type handler func(w http.ResponseWriter, r *http.Request) error

func (s *Server) get(e *echo.Echo, path string, h handler) {
	e.Match([]string{http.MethodGet, http.MethodHead}, path, func(c echo.Context) error {
		return h(c.Response(), c.Request())
	})
}

// observe surrounds every request: headers that all answers have, refusals, panics, metrics.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		w, r := c.Response(), c.Request()
		kind := kindOf(r.URL.Path)
		share(w)
		err := safely(next, c)
		if errors.Is(err, errAborted) {
			s.metrics.request(kind, 0, w.Size)
			s.log.Debug("body aborted", "path", r.URL.Path, "error", err)
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			e := asError(err)
			if e.class == broken {
				s.log.Error("request failed", "path", r.URL.Path, "error", e)
			}
			if !w.Committed {
				s.writeRefusal(w, r, e)
			}
		}
		status := w.Status
		if r.Context().Err() != nil && status >= http.StatusBadRequest {
			status = 0 // nobody reads the refusal of a request that was given up
		}
		s.metrics.request(kind, status, w.Size)
		return nil
	}
}

// safely makes a panic an error: a bug costs one request.
func safely(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault(fmt.Errorf("panic: %v", p))
			if c.Response().Committed {
				err = fmt.Errorf("%w: %w", errAborted, err)
			}
		}
	}()
	return next(c)
}
