package disk

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// ensure makes the directory, durable, unless it is there. If it is to hold content, the caller has entered it.
func (d *Disk) ensure(dir string) error {
	if _, err := d.root.Lstat(dir); err == nil {
		return nil
	}
	d.tree.Lock()
	defer d.tree.Unlock()
	if err := d.root.MkdirAll(dir, dirMode); err != nil {
		return d.fail("make", dir, err)
	}
	for dir != "." {
		dir = path.Dir(dir)
		if err := d.sync(dir); err != nil {
			return err
		}
	}
	return nil
}

// sync makes durable what is in the directory, though not what is in its files. One that is gone needs no more.
func (d *Disk) sync(dir string) error {
	f, err := d.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return d.fail("sync", dir, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // which says that directories need no sync there
		return d.fail("sync", dir, err)
	}
	return nil
}

// prune removes the directory and those above it as far as they hold nothing.
func (d *Disk) prune(dir string) error {
	for ; dir != "."; dir = path.Dir(dir) {
		removed, err := d.removeDir(dir)
		if err != nil || !removed {
			return err
		}
	}
	return nil
}

// removeDir removes the directory if there is nothing but type files in it.
func (d *Disk) removeDir(dir string) (removed bool, err error) {
	defer d.enter(dir)()
	d.tree.Lock()
	defer d.tree.Unlock()
	rest, empty, err := d.rest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, d.fail("remove", dir, err)
	}
	if !empty {
		return false, nil
	}
	for _, name := range append(rest, dir) {
		if err := d.root.Remove(name); err != nil {
			return false, d.fail("remove", name, err)
		}
	}
	return true, nil
}

// rest returns the type files of a directory and whether there is nothing else in it, which it sees soon if there is.
func (d *Disk) rest(dir string) (types []string, empty bool, err error) {
	f, err := d.root.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(16)
		for _, name := range names {
			if !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, typeSuffix) {
				return nil, false, nil
			}
			types = append(types, path.Join(dir, name))
		}
		if err != nil {
			return types, errors.Is(err, io.EOF), ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
