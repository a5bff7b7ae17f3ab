// Command publisher puts the demo's broadcast on the air and does wrong what it is told to over HTTP, so that players can be
// watched over gaps, restarts, changes and the end of a broadcast:
//
//	POST /lose?track=video&for=5s   the objects of the tracks whose names begin so are lost from now on for so long
//	POST /kill?for=5s               is gone without a word for so long; what is missed meanwhile can be fetched then
//	POST /update?add=a&remove=b     adds a track to the catalog and takes another out of it, by a delta update; either may be missing
//	POST /end                       ends the broadcast for good
//
// With -absent the catalog does not list some tracks until they are added.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"golang.org/x/sync/errgroup"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4443", "address for MoQ, HOST:PORT")
	control := flag.String("control", "127.0.0.1:4444", "address for HTTP, HOST:PORT")
	absent := flag.String("absent", "", "tracks that the catalog does not list at first, with commas between them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *control, strings.Split(*absent, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "publisher:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, control string, absent []string) error {
	b, err := live.Demo("demo")
	if err != nil {
		return err
	}
	p, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{b}, Absent: absent})
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", listen)
	if err != nil {
		return err
	}
	defer conn.Close()
	web, err := net.Listen("tcp", control)
	if err != nil {
		return err
	}
	opened, err := live.Open(b)
	if err != nil {
		return err
	}
	s := stage{broadcast: opened, publisher: p, away: make(chan time.Duration, 1)}
	srv := &http.Server{Handler: s.routes(), ReadHeaderTimeout: time.Second}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		return srv.Close()
	})
	g.Go(func() error {
		if err := srv.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error { return s.serve(ctx, conn) })
	return g.Wait()
}

// stage is a publisher and what it is told.
type stage struct {
	broadcast *live.Broadcast
	publisher *sim.Publisher
	away      chan time.Duration // how long to stay away after a Kill
	lost      []loss             // owned by the one who tells us
}

// serve is on the air until ctx ends, but for the time after a kill.
func (s *stage) serve(ctx context.Context, conn net.PacketConn) error {
	for {
		err := s.publisher.Serve(ctx, conn)
		if !errors.Is(err, sim.ErrKilled) {
			return err
		}
		select {
		case <-time.After(<-s.away):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *stage) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /lose", timed(func(r *http.Request, d time.Duration) { s.lose(r.FormValue("track"), d) }))
	mux.HandleFunc("POST /kill", timed(func(_ *http.Request, d time.Duration) {
		s.away <- d
		s.publisher.Kill()
	}))
	mux.HandleFunc("POST /update", done(func(r *http.Request) error {
		_ = r.ParseForm() // whose fault shows by what is missing then
		return s.publisher.Update(s.broadcast.Namespace, r.Form["add"], r.Form["remove"], false)
	}))
	mux.HandleFunc("POST /end", done(func(*http.Request) error { return s.publisher.End(s.broadcast.Namespace) }))
	return mux
}

// done handles what is done at once.
func done(do func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}

// timed handles what takes a while, the parameter "for".
func timed(do func(*http.Request, time.Duration)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		do(r, d)
	}
}

// lose makes media disappear that is due from now on for so long. It does so for ever: a FETCH finds nothing either.
func (s *stage) lose(track string, length time.Duration) {
	from := time.Now()
	s.lost = append(slices.Clone(s.lost), loss{track, from, from.Add(length)})
	lost := s.lost
	s.publisher.SetFaults(sim.Faults{Lose: func(track string, l media.Location) bool {
		src, ok := s.broadcast.Source(track)
		return ok && slices.ContainsFunc(lost, func(x loss) bool { return x.has(track, src.Due(l)) })
	}})
}

// loss is the objects of some tracks that were due in a stretch of time.
type loss struct {
	track       string // how the tracks' names begin
	from, until time.Time
}

func (l loss) has(track string, due time.Time) bool {
	return strings.HasPrefix(track, l.track) && !due.Before(l.from) && due.Before(l.until)
}
