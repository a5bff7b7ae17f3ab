package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/moqpack/moqpack/storage"
)

// fail is err with the operation, the whole path and what to do about it.
func (r *Reader) fail(op, name string, err error) error {
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	err = bare(err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("disk: %s %s: %w: %w: free some space, or keep less", op, path, storage.ErrFull, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("disk: %s %s: %w: give the user that moqpack runs as write access to %s", op, path, err, r.dir)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("disk: %s %s: %w: mount it for writing; if it was, look for the disk's faults in the kernel's log", op, path, err)
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("disk: %s %s: %w: the disk may be failing, look at the kernel's log", op, path, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("disk: %s %s: %w: raise the limit of open files", op, path, err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return fmt.Errorf("disk: %s %s: %w: something else lies where a directory must be, move it away", op, path, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("disk: %s %s: %w: if the directory was removed or unmounted, restore it and restart", op, path, err)
	}
	return fmt.Errorf("disk: %s %s: %w", op, path, err)
}

// bare is err without the path, which os.Root tells relative to itself.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
