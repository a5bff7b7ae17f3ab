package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage/disk"
)

// stores are where channels are recorded.
type stores struct {
	disk *disk.Disk // nil: there is none
}

// openStores opens what the configuration names.
func openStores(_ context.Context, cfg *config.Config, log *slog.Logger) (s stores, err error) {
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
}

func (s *stores) close() error {
	if s.disk == nil {
		return nil
	}
	return s.disk.Close()
}
