package disk

import (
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"iter"
	"os"
	"slices"
)

// OpenGuest returns the store in a directory, which must exist, for someone who adds a few things of his own while another process
// may have it open: keys that this one does not write. It takes no lock, counts nothing and knows no limit but the file system's.
func OpenGuest(dir string) (*Disk, error) {
	r, err := OpenReader(dir)
	if err != nil {
		return nil, err
	}
	d := &Disk{Reader: *r, seed: maphash.MakeSeed()}
	d.temps.Store(uint64(os.Getpid()) << 32) // names that nobody else gives
	if err := d.root.Mkdir(tempDir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, errors.Join(d.fail("make", tempDir, err), d.root.Close())
	}
	if d.lock, err = d.root.Open("."); err != nil { // which is not locked, but shows how much is free
		return nil, errors.Join(d.fail("open", ".", err), d.root.Close())
	}
	return d, nil
}

// Directories yields the first elements of keys, ascending, without going through all that is in them.
func (r *Reader) Directories(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		f, err := r.root.Open(".")
		if err != nil {
			yield("", r.fail("list", ".", err))
			return
		}
		defer f.Close()
		entries, err := f.ReadDir(-1)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield("", r.fail("list", ".", err))
			return
		}
		var names []string
		for _, e := range entries {
			if e.IsDir() && isDir(e.Name()) {
				names = append(names, e.Name())
			}
		}
		for _, name := range slices.Sorted(slices.Values(names)) {
			if !yield(name, nil) {
				return
			}
		}
	}
}
