package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
)

// probeDirectory opens the data directory, or the spool, as serve would, writes, reads and deletes a file in it, and looks at what is
// free.
func probeDirectory(ctx context.Context, cfg *config.Config) []finding {
	dir, spool, err := dataDir(cfg)
	d, what := cfg.Storage.Disk, "directory "+dir
	if spool {
		what = "spool " + dir
	}
	if err != nil {
		return []finding{{levelFail, "spool", err.Error(), ""}}
	}
	store, err := disk.Open(dir, int64(d.Limit))
	if err != nil {
		return []finding{{levelFail, what, err.Error(), ""}}
	}
	defer store.Close()
	if err := roundTrip(ctx, store); err != nil {
		return []finding{{levelFail, what, err.Error(), ""}}
	}
	used := config.Size(store.Used())
	text := fmt.Sprintf("can be written to; %s of %s are used", rough(used), d.Limit)
	free, ok := freeSpace(dir)
	if !ok {
		return []finding{{levelOK, what, text, ""}}
	}
	text += fmt.Sprintf(", %s are free on the file system", rough(free))
	if free < d.Limit-used {
		return []finding{{levelWarn, what, text,
			fmt.Sprintf("the file system is full before the limit is reached: free some space, or say --data-limit %s (storage.disk.limit)", rough(used+free))}}
	}
	return []finding{{levelOK, what, text, ""}}
}

// roundTrip puts a blob, which is a temporary file, fsync, rename and fsync of the directory, gets it and deletes it.
func roundTrip(ctx context.Context, s storage.Store) (err error) {
	const key = "moqpack-check/probe.json"
	b := storage.Blob{Pieces: [][]byte{[]byte("{}\n")}, ContentType: "application/json", CacheControl: "no-store"}
	b.Digest = storage.Digest(b.Pieces)
	defer func() { err = errors.Join(err, s.Delete(context.WithoutCancel(ctx), key)) }()
	if err := s.Put(ctx, key, b); err != nil {
		return err
	}
	got, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	if storage.Digest(got.Pieces) != b.Digest {
		return errors.New("what was read is not what was written: check the disk")
	}
	return nil
}

// rough is the size to three digits or so.
func rough(z config.Size) string {
	for _, u := range []struct {
		name  string
		bytes config.Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if z >= 10*u.bytes {
			return fmt.Sprintf("%d%s", z/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", z)
}
