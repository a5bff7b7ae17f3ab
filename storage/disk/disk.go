package disk

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/moqpack/moqpack/storage"
)

// Directories of ours, beside the keys'.
const (
	tempDir       = ".tmp"
	quarantineDir = ".quarantine"
)

// Modes of what is written: another user's web server may read it.
const (
	fileMode fs.FileMode = 0o644
	dirMode  fs.FileMode = 0o755
)

// headroom is how many bytes of the file system blobs leave to documents: without them, nothing could be given up any more.
const headroom = 64 << 20

// Disk is a storage.Durable in a directory of which it is the only writer.
type Disk struct {
	Reader
	limit    int64    // bytes; 0 is unbounded
	headroom int64    // bytes
	lock     *os.File // holds the directory's lock

	used  atomic.Int64  // bytes of all content, and of what is being put
	temps atomic.Uint64 // temporary files so far

	// A lock of writers is held while a directory's files change, so that comparing and replacing is one step. It is chosen by
	// the directory's name. These locks are held during system calls, but not while content is written.
	writers [64]sync.Mutex
	seed    maphash.Seed
	tree    sync.Mutex // held while directories come and go; taken after one of writers
}

var _ storage.Durable = (*Disk)(nil)

// Open returns the store in the directory dir, which is made if need be, for limit bytes of content; 0 is unbounded. It
// removes what a crash left behind and counts what is there. It fails while another process, or another Disk of this one, has
// the directory open.
func Open(dir string, limit int64) (*Disk, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		abs, _ := filepath.Abs(dir)
		return nil, (&Reader{dir: abs}).fail("open", ".", err)
	}
	r, err := OpenReader(dir)
	if err != nil {
		return nil, err
	}
	d := &Disk{Reader: *r, limit: limit, headroom: headroom, seed: maphash.MakeSeed()}
	if d.lock, err = takeLock(r); err != nil {
		d.root.Close()
		return nil, err
	}
	if err := errors.Join(d.sweep(), d.count()); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close lets others open the directory. What is called later fails.
func (d *Disk) Close() error { return errors.Join(d.root.Close(), d.lock.Close()) }

// Used is the number of bytes of content that the store holds, or is about to.
func (d *Disk) Used() int64 { return d.used.Load() }

// sweep removes the temporary files that are left.
func (d *Disk) sweep() error {
	if err := d.root.RemoveAll(tempDir); err != nil {
		return d.fail("remove", tempDir, err)
	}
	if err := d.root.Mkdir(tempDir, dirMode); err != nil {
		return d.fail("make", tempDir, err)
	}
	return nil
}

// count sets what is used.
func (d *Disk) count() error {
	return d.walk(context.Background(), "", "", func(key string, e fs.DirEntry) error {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return d.fail("open", key, err)
		}
		d.used.Add(info.Size())
		return nil
	})
}

// reserve takes size bytes of what is free.
func (d *Disk) reserve(key string, size int64) error {
	if left, err := free(d.lock); err == nil && left-size < d.headroom {
		return fmt.Errorf("disk: put %s: %w: %d bytes are left on the file system of %s, %d are for documents: free some space, or keep less",
			key, storage.ErrFull, left, d.dir, d.headroom)
	}
	for {
		used := d.used.Load()
		if d.limit > 0 && used+size > d.limit {
			return fmt.Errorf("disk: put: %w", &storage.FullError{Key: key, Size: size, Used: used, Limit: d.limit})
		}
		if d.used.CompareAndSwap(used, used+size) {
			return nil
		}
	}
}

// enter waits until nobody else changes the files of the directory, and returns the way out.
func (d *Disk) enter(dir string) (leave func()) {
	m := &d.writers[maphash.String(d.seed, dir)%uint64(len(d.writers))]
	m.Lock()
	return m.Unlock
}
