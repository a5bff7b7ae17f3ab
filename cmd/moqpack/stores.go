package main

import (
	"fmt"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage/disk"
)

// stores are where channels are recorded.
type stores struct {
	disk *disk.Disk // nil: there is none
}

// openStores opens what the configuration names.
func openStores(cfg *config.Config) (s stores, err error) {
	if d := cfg.Storage.Disk; d.Dir != "" {
		if s.disk, err = disk.Open(d.Dir, int64(d.Limit)); err != nil {
			return s, fmt.Errorf("--data (storage.disk.dir): %w", err)
		}
	}
	return s, nil
}

// assign gives a channel the stores that it is recorded in.
func (s *stores) assign(c *channel.Config, cfg *config.Config, ch *config.Channel) {
	if s.disk != nil && cfg.OnDisk(ch) {
		c.Disk = s.disk
	}
}

func (s *stores) close() error {
	if s.disk == nil {
		return nil
	}
	return s.disk.Close()
}
