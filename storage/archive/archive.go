package archive

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// Config of an Archive.
type Config struct {
	Name    string // of the store, for people and metrics: "disk", "s3"
	Channel string
	Store   storage.Durable // where the archive is
	Media   storage.Getter  // where media is read: memory, or memory and then a nearer store
	// Nearer is the archive of the same channel in a nearer store, or nil. What timelines have forgotten before it was stored
	// here is read from its record.
	Nearer *Archive
	// Full is called each time the store has refused something for want of room, and must not wait; nil: nobody cares. A Keeper's
	// MakeRoom fits.
	Full    func()
	Logger  *slog.Logger // names the channel already; nil discards
	Metrics *Metrics     // nil counts nothing
}

// Archive keeps one channel in one store. Run drives it; the other methods may be called by anyone, at any time, and tell what
// is known since Run has read the record.
type Archive struct {
	cfg     Config
	books   books
	log     *slog.Logger
	metrics *Metrics
	chunks  chunkCache
	fresh   chan struct{} // the head has news
	// Owned by open, and then the round:
	revised  uint64           // the Head.Revised that lines are up to
	heard    uint64           // the Head.Events that happened is up to
	happened []timeline.Event // the newest of the record
	untold   bool             // the head does not say yet that the record has new events

	mu        sync.RWMutex // guards what follows; head and lines have the round as their only writer
	opened    bool         // the record has been read
	stopped   bool         // Run has returned
	head      Head
	lines     map[string]*line // by track: those of head
	progress  progress         // written by the loop
	troubles  map[string]error // by what is being tried: what goes wrong now
	warned    time.Time        // when the log was told of trouble last
	told      bool             // and not yet that it is over
	conflicts int64
	lost      int64
	forgotten []record // segments that the store has lost, as the record still has them
}

// progress is how far the archive is behind what is published.
type progress struct {
	live    []string // tracks that have not ended
	all     []string // tracks of the channel
	pending uint64   // the first slot that some track may still get; never when there is none
	behind  int64    // slots
	lag     time.Duration
	queued  int64 // bytes
}

// New returns an archive that Run brings to life.
func New(cfg Config) *Archive {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Archive{
		cfg: cfg, books: books{cfg.Store, cfg.Channel}, metrics: cfg.Metrics,
		log:   cfg.Logger.With("store", cfg.Name),
		lines: map[string]*line{}, troubles: map[string]error{}, progress: progress{pending: 0},
		fresh: make(chan struct{}, 1),
	}
}

// ErrOtherGrid is returned when the store holds a recording of the channel with segments of another duration.
var ErrOtherGrid = errors.New("the store has this channel with segments of another duration: give the channel another name, or the store another prefix")

// Run keeps the archive up to what await returns, which is segmenter.Await's, until ctx ends; then what is whole has a few seconds
// to get out. It fails when nothing it could try again would help; the live line does not need it.
func (a *Archive) Run(ctx context.Context, await func(ctx context.Context, old *segmenter.Output) (*segmenter.Output, error)) error {
	defer a.stop()
	out, err := await(ctx, nil)
	if err != nil {
		return nil // the broadcast never began
	}
	err = a.insist(ctx, "record", func() error { return a.open(ctx, out.Plan) })
	switch {
	case errors.Is(err, ErrOtherGrid):
		return err
	case err != nil:
		return nil // ctx has ended
	}
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	r := &run{
		a: a, plan: out.Plan, feeds: map[string]*feed{}, pages: map[string]*page{},
		outs: make(chan *segmenter.Output), events: make(chan func()), wake: make(chan struct{}, 1),
	}
	// The group's functions end with ctx, with cut, or with their timeline.
	defer r.group.Wait()
	defer cut()
	r.group.Go(func() { r.outputs(ctx, await, out) })
	r.adopt(ctx, out)
	r.fill(ctx)
	r.loop(ctx, work, cut)
	return r.fatal
}

// Refresh has the head read, and documents written that change with it, as soon as the store lets that happen. It does not wait.
func (a *Archive) Refresh() {
	select {
	case a.fresh <- struct{}{}:
	default:
	}
}

func (a *Archive) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	a.progress.pending = never
}

// drainTime is how long what is whole may take to get out after the end of Run's context.
const drainTime = 5 * time.Second

// never is a slot that does not come.
const never = uint64(math.MaxUint64)
