package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/s3"
)

// stores are where channels are recorded.
type stores struct {
	disk *disk.Disk // nil: there is none
	s3   *s3.Store  // nil: there is none
}

// openStores opens what the configuration names.
func openStores(ctx context.Context, cfg *config.Config, log *slog.Logger, metrics *s3.Metrics) (s stores, err error) {
	if cfg.Storage.S3.URL != "" {
		if s.s3, err = openBucket(ctx, cfg.Storage.S3, log, metrics); err != nil {
			return s, fmt.Errorf("--s3 (storage.s3): %w", err)
		}
	}
	dir, spool, err := dataDir(cfg)
	if err != nil || dir == "" {
		return s, err
	}
	if spool {
		log.Info("what is on its way to the bucket is kept in a spool, --data (storage.disk) gives it another place", "dir", dir)
	}
	if s.disk, err = disk.Open(dir, int64(cfg.Storage.Disk.Limit)); err != nil {
		return s, fmt.Errorf("--data (storage.disk.dir): %w", err)
	}
	return s, nil
}

// dataDir is the directory to record in, or empty. spool: nobody asked for it, but the way to the bucket needs one.
func dataDir(cfg *config.Config) (dir string, spool bool, err error) {
	if cfg.Storage.Disk.Dir != "" || cfg.Storage.S3.URL == "" {
		return cfg.Storage.Disk.Dir, false, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", false, fmt.Errorf("there is no place for what is on its way to the bucket: %w: give one with --data (storage.disk.dir)", err)
	}
	return filepath.Join(cache, "moqpack", "spool"), true, nil
}

// assign gives a channel the stores that it is recorded in. What goes to a bucket goes through a spool, unless the file says that
// the channel has no business on the disk.
func (s *stores) assign(c *channel.Config, cfg *config.Config, ch *config.Channel) {
	spool := cfg.Storage.Disk.Dir == "" && cfg.OnS3(ch)
	if s.disk != nil && (cfg.OnDisk(ch) || spool) {
		c.Disk = s.disk
	}
	if s.s3 != nil && cfg.OnS3(ch) {
		c.S3 = s.s3
		if u := cfg.Storage.S3.Redirect; u != "" {
			c.Elsewhere = strings.TrimSuffix(u, "/") + "/"
		}
	}
}

// openBucket opens a bucket without talking to it.
func openBucket(ctx context.Context, c config.S3, log *slog.Logger, metrics *s3.Metrics) (*s3.Store, error) {
	bucket, prefix, err := s3.ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	return s3.New(ctx, s3.Config{
		Bucket: bucket, Prefix: prefix, Endpoint: c.Endpoint, Region: c.Region, Profile: c.Profile, Role: c.Role,
		PathStyle: c.PathStyle, SSE: c.SSE, KMSKey: c.KMSKey, StorageClass: c.StorageClass, Gzip: c.Gzip,
	}, log, metrics)
}

// probeEvery is how long to wait before a bucket that did not answer is probed again.
const probeEvery = 30 * time.Second

// probe finds out what the bucket honours, and says what is wrong with it. The broadcast does not wait for that.
func (s *stores) probe(ctx context.Context, log *slog.Logger) {
	if s.s3 == nil {
		return
	}
	for {
		a, err := s.s3.Probe(ctx, probeID())
		switch {
		case err == nil:
			log.Info("S3 answers", "conditionalPut", a.Put, "conditionalSwap", a.Swap, "clockSkew", a.Skew)
			return
		case ctx.Err() != nil:
			return
		}
		log.Error("S3 does not work: nothing is recorded there, viewers of this origin notice nothing", "err", err)
		t := time.NewTimer(probeEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// probeID keeps the probes of instances apart.
func probeID() string { return strings.ToLower(rand.Text()) }

func (s *stores) close() error {
	if s.disk == nil {
		return nil
	}
	return s.disk.Close()
}
