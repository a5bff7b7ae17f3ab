package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"

	"github.com/moqpack/moqpack/storage"
)

// Put writes b so that it is there as a whole, and durable, when Put returns nil. It refuses with a *storage.FullError what
// would exceed the limit, and with another storage.ErrFull what the file system has no room for. What is there already may always
// be put again.
func (d *Disk) Put(ctx context.Context, key string, b storage.Blob) error {
	at, b, err := d.check(ctx, "put", key, b)
	if err != nil {
		return err
	}
	if there, err := d.holds(at, b); there || err != nil {
		return err
	}
	if err := d.reserve(key, b.Size()); err != nil {
		return err
	}
	placed, err := d.put(ctx, at, b)
	if !placed {
		d.used.Add(-b.Size())
	}
	return err
}

// check is what every writing begins with. A blob without a type gets the one that it would be read with.
func (d *Disk) check(ctx context.Context, op, key string, b storage.Blob) (place, storage.Blob, error) {
	if err := ctx.Err(); err != nil {
		return place{}, b, fmt.Errorf("%s %s: %w", op, key, err)
	}
	at, err := locate(key)
	if err != nil {
		return place{}, b, err
	}
	if b.Size() > maxFile {
		return place{}, b, fmt.Errorf("disk: %s %s: %d bytes are too many, the limit is %d: make shorter segments", op, key, b.Size(), maxFile)
	}
	b.ContentType = cmp.Or(b.ContentType, fixedType(at.file), anyType)
	if len(b.ContentType) >= maxTypeFile {
		return place{}, b, fmt.Errorf("disk: %s %s: the content type is longer than %d bytes", op, key, maxTypeFile-1)
	}
	return at, b, nil
}

// holds reports whether b is at the place, and durable there. If something else is, it returns ErrConflict.
func (d *Disk) holds(at place, b storage.Blob) (bool, error) {
	old, err := d.read(at)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case !old.Equal(b):
		return false, fmt.Errorf("disk: put %s: %w", at.path(), storage.ErrConflict)
	}
	return true, d.sync(at.dir) // whoever wrote it may not have come so far
}

// put writes b to a place where nothing was, and reports whether b has come to lie there.
func (d *Disk) put(ctx context.Context, at place, b storage.Blob) (placed bool, err error) {
	temp, err := d.temporary(ctx, at, b.Pieces)
	if err != nil {
		return false, err
	}
	placed, err = d.place(at, b, temp)
	if !placed {
		_ = d.root.Remove(temp) // or by the next Open
		return false, err
	}
	return true, d.sync(at.dir)
}

// place moves the temporary file with b's content to its place, unless another writer was faster.
func (d *Disk) place(at place, b storage.Blob, temp string) (placed bool, err error) {
	defer d.enter(at.dir)()
	if there, err := d.holds(at, b); there || err != nil {
		return false, err
	}
	return d.move(at, b.ContentType, temp)
}

// move gives the temporary file its place, over what is there. The caller has entered the directory.
func (d *Disk) move(at place, contentType, temp string) (moved bool, err error) {
	if err := d.ensure(at.dir); err != nil {
		return false, err
	}
	if err := d.setType(at, contentType); err != nil {
		return false, err
	}
	if err := d.root.Rename(temp, at.path()); err != nil {
		return false, d.fail("write", at.path(), err)
	}
	return true, nil
}

// setType sees to it that what is at the place is read with the content type. The caller has entered the directory.
func (d *Disk) setType(at place, contentType string) error {
	own, inherited, err := d.types(at)
	if err != nil || cmp.Or(own, inherited) == contentType {
		return err
	}
	name := at.ownType()
	if own == "" && inherited == "" {
		name = at.dirType()
	}
	temp, err := d.temporary(context.Background(), at, [][]byte{[]byte(contentType + "\n")})
	if err != nil {
		return err
	}
	if err := d.root.Rename(temp, name); err != nil {
		_ = d.root.Remove(temp) // or by the next Open
		return d.fail("write", name, err)
	}
	return nil
}

// Swap replaces the document at once. The limit does not count for documents, which are few.
func (d *Disk) Swap(ctx context.Context, key string, b storage.Blob, old storage.Version) (storage.Version, error) {
	at, b, err := d.check(ctx, "swap", key, b)
	if err != nil {
		return "", err
	}
	temp, err := d.temporary(ctx, at, b.Pieces)
	if err != nil {
		return "", err
	}
	if swapped, err := d.swap(at, b, old, temp); !swapped {
		_ = d.root.Remove(temp) // or by the next Open
		return "", err
	}
	return storage.Version(storage.Digest(b.Pieces)), d.sync(at.dir)
}

func (d *Disk) swap(at place, b storage.Blob, old storage.Version, temp string) (swapped bool, err error) {
	defer d.enter(at.dir)()
	before, err := d.read(at)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, err
	}
	if storage.Version(before.Digest) != old {
		return false, fmt.Errorf("disk: swap %s: %w", at.path(), storage.ErrStale)
	}
	swapped, err = d.move(at, b.ContentType, temp)
	if swapped {
		d.used.Add(b.Size() - before.Size())
	}
	return swapped, err
}

// temporary writes a file that a rename will make the content of a place, and returns its name.
func (d *Disk) temporary(ctx context.Context, at place, pieces [][]byte) (string, error) {
	name := path.Join(tempDir, strconv.FormatUint(d.temps.Add(1), 10))
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return "", d.fail("write", at.path(), err)
	}
	for _, p := range pieces {
		if err = ctx.Err(); err != nil {
			break
		}
		if _, err = f.Write(p); err != nil {
			break
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = d.root.Remove(name) // or by the next Open
		return "", d.fail("write", at.path(), err)
	}
	return name, nil
}

// Delete removes the files of the keys, directory by directory, and the directories that become empty.
func (d *Disk) Delete(ctx context.Context, keys ...string) error {
	places := make([]place, len(keys))
	for i, key := range keys {
		var err error
		if places[i], err = locate(key); err != nil {
			return err
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.dir, b.dir) })
	for len(places) > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		n := 1
		for n < len(places) && places[n].dir == places[0].dir {
			n++
		}
		if err := d.remove(places[:n], ""); err != nil {
			return err
		}
		places = places[n:]
	}
	return ctx.Err()
}

// Quarantine moves the file of a key that has proved corrupt to the directory .quarantine, over what was moved there before.
// The key does not exist any more. If it did not, that is no error.
func (d *Disk) Quarantine(key string) error {
	at, err := locate(key)
	if err != nil {
		return err
	}
	to := path.Join(quarantineDir, at.dir)
	if err := d.ensure(to); err != nil {
		return err
	}
	return d.remove([]place{at}, to)
}

// remove takes the places, which are of one directory, out of the store: to the directory to, or away.
func (d *Disk) remove(places []place, to string) error {
	dir := places[0].dir
	if err := d.removeAll(places, to); err != nil {
		return err
	}
	if err := d.sync(dir); err != nil {
		return err
	}
	if to != "" {
		if err := d.sync(to); err != nil {
			return err
		}
	}
	return d.prune(dir)
}

func (d *Disk) removeAll(places []place, to string) error {
	defer d.enter(places[0].dir)()
	for _, at := range places {
		info, err := d.root.Lstat(at.path())
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err == nil && to == "" {
			err = d.root.Remove(at.path())
		} else if err == nil {
			err = d.root.Rename(at.path(), path.Join(to, at.file))
		}
		if err != nil {
			return d.fail("remove", at.path(), err)
		}
		d.used.Add(-info.Size())
		if err := d.root.Remove(at.ownType()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.fail("remove", at.ownType(), err)
		}
	}
	return nil
}
