package channel

import (
	"context"
	"log/slog"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
)

// Names of the stores, for people and metrics.
const (
	onDisk = "disk"
	onS3   = "s3"
)

// keep is a store that the channel is recorded in, its archive there, and what deletes from it.
type keep struct {
	name    string
	store   storage.Durable
	archive *archive.Archive
	keeper  *archive.Keeper
}

// newKeeps sets up the archives, nearest first, and the store that viewers are served from: memory, and behind it theirs.
func newKeeps(cfg *Config, memory storage.Store, lost *losses, log *slog.Logger) (keeps []*keep, media storage.Getter) {
	tiers := []storage.Getter{memory}
	for _, s := range []struct {
		name  string
		store storage.Durable
	}{{onDisk, cfg.Disk}, {onS3, cfg.S3}} {
		if s.store == nil {
			continue
		}
		k := &keep{name: s.name, store: s.store}
		c := archive.Config{
			Name: s.name, Channel: cfg.Name, Store: s.store, Media: reader(tiers, keeps, log),
			Full:   func() { k.keeper.MakeRoom() },
			Logger: log, Metrics: cfg.Archive,
		}
		if n := len(keeps); n > 0 {
			c.Nearer, c.Media = keeps[n-1].archive, lost.hear(c.Media)
		}
		k.archive = archive.New(c)
		keeps, tiers = append(keeps, k), append(tiers, s.store)
	}
	for i, k := range keeps {
		c := archive.KeeperConfig{Name: k.name, Channel: cfg.Name, Store: k.store, Retain: cfg.Retain, Logger: log, Metrics: cfg.Archive,
			Raised: k.archive.Refresh}
		if i+1 < len(keeps) {
			c.Farther = keeps[i+1].archive
		}
		k.keeper = archive.NewKeeper(c)
	}
	viewers := reader(tiers, keeps, log)
	viewers.Cache = rewound
	return keeps, lost.hear(viewers)
}

// reader reads from the tiers, and believes a segment only with the digest that the archives know of it.
func reader(tiers []storage.Getter, keeps []*keep, log *slog.Logger) *storage.Tiers {
	r := storage.NewTiers(slices.Clone(tiers)...)
	known := slices.Clone(keeps)
	r.Report = func(key string, err error) { log.Warn("media not readable where it should be", "key", key, "err", err) }
	r.Want = func(key string) string { return want(known, key) }
	return r
}

// rewound is how many bytes of what viewers who went back asked for are kept in memory.
const rewound = 64 << 20

// want is the digest that the archives know of a key, as far as they remember.
func want(keeps []*keep, key string) string {
	name, err := manifest.Parse(key)
	switch {
	case err != nil:
	case name.Kind == manifest.Init:
		return name.Digest
	case name.Kind == manifest.Segment:
		for _, k := range keeps {
			if d := k.archive.Digest(name.Track, name.N); d != "" {
				return d
			}
		}
	}
	return ""
}

// record runs an archive and its retention. What ends it is the archive's trouble, not the broadcast's.
func (k *keep) record(ctx context.Context, fold *segmenter.Segmenter, log *slog.Logger) {
	if err := k.archive.Run(ctx, fold.Await); err != nil && ctx.Err() == nil {
		log.Error("archive stopped: the broadcast goes on without it", "store", k.name, "err", err)
	}
}

// From implements server.Channel.
func (c *Channel) From() uint64 { return c.floor.at() }

// Elsewhere implements server.Redirector: segments that are neither in memory nor on the disk are the bucket's.
func (c *Channel) Elsewhere(key string) string {
	name, err := manifest.Parse(key)
	if c.elsewhere == "" || err != nil || name.Kind != manifest.Segment || len(c.keeps) == 0 {
		return ""
	}
	if _, err := c.memory.Get(context.Background(), key); err == nil {
		return ""
	}
	last := c.keeps[len(c.keeps)-1]
	for _, k := range c.keeps[:len(c.keeps)-1] {
		if k.archive.Has(name.Track, name.N) {
			return ""
		}
	}
	if last.name != onS3 || !last.archive.Has(name.Track, name.N) {
		return ""
	}
	return c.elsewhere + key
}

// archives says how the archives keep up, and counts what they miss and where they have other content than this instance.
func (c *Channel) archives(out *server.Status) {
	for _, k := range c.keeps {
		s := k.archive.Status()
		a := server.Archive{Name: k.name, State: string(s.State), Behind: s.Lag.Milliseconds()}
		if s.Err != nil {
			a.Error = s.Err.Error()
		}
		out.Archives = append(out.Archives, a)
		out.Counters = append(out.Counters,
			server.Counter{Name: "segments lost on " + k.name, Value: s.Lost},
			server.Counter{Name: "conflicts on " + k.name, Value: s.Conflicts})
	}
}
