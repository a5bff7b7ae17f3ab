package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moqpack/moqpack/storage"
)

// maxFile is the size in bytes up to which a file is read. Segments have a few MB.
const maxFile = 1 << 30

// Reader reads a directory that a Disk writes, or has written. It takes no lock.
type Reader struct {
	dir  string // absolute, for people
	root *os.Root
}

// OpenReader returns a Reader of the directory, which must exist.
func OpenReader(dir string) (*Reader, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("disk: open %s: %w", dir, err)
	}
	r := &Reader{dir: abs}
	if r.root, err = os.OpenRoot(abs); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("disk: open %s: %w: name the directory that was recorded in", abs, bare(err))
	} else if err != nil {
		return nil, r.fail("open", ".", err)
	}
	return r, nil
}

// Close ends the reading.
func (r *Reader) Close() error { return r.root.Close() }

// Get reads the file of the key as one piece. Digest is that of the bytes that were read.
func (r *Reader) Get(ctx context.Context, key string) (storage.Blob, error) {
	if err := ctx.Err(); err != nil {
		return storage.Blob{}, fmt.Errorf("get %s: %w", key, err)
	}
	at, err := locate(key)
	if err != nil {
		return storage.Blob{}, err
	}
	return r.read(at)
}

// Load is Get for a document. Its version is that of its content.
func (r *Reader) Load(ctx context.Context, key string) (storage.Blob, storage.Version, error) {
	b, err := r.Get(ctx, key)
	if err != nil {
		return storage.Blob{}, "", err
	}
	return b, storage.Version(b.Digest), nil
}

func (r *Reader) read(at place) (storage.Blob, error) {
	body, err := r.content(at.path(), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return storage.Blob{}, fmt.Errorf("disk: get %s: %w", at.path(), storage.ErrNotFound)
	}
	if err != nil {
		return storage.Blob{}, r.fail("get", at.path(), err)
	}
	b := storage.Blob{Pieces: [][]byte{body}}
	b.Digest = storage.Digest(b.Pieces)
	own, inherited, err := r.types(at)
	b.ContentType = cmp.Or(own, inherited, anyType)
	return b, err
}

// content reads a regular file of up to limit bytes.
func (r *Reader) content(name string, limit int64) ([]byte, error) {
	// Before it is opened: to open a pipe would wait for its other end.
	if info, err := r.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, errors.New("not a regular file: move it out of the directory"))
	}
	f, err := r.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%d bytes are too many, the limit is %d: it is none of ours, move it out of the directory", info.Size(), limit)
	}
	body := make([]byte, info.Size())
	if _, err := io.ReadFull(f, body); err != nil {
		return nil, err
	}
	return body, nil
}

// A type file has a content type in it.
const (
	dirType     = ".type"
	typeSuffix  = ".type"
	maxTypeFile = 256 // bytes

	anyType = "application/octet-stream"
)

// ownType is where the content type of a file is that has one of its own.
func (p place) ownType() string { return path.Join(p.dir, "."+p.file+typeSuffix) }

func (p place) dirType() string { return path.Join(p.dir, dirType) }

// types are the content type that a file has of its own, and the one that it has otherwise. Both may be empty.
func (r *Reader) types(at place) (own, inherited string, err error) {
	if own, err = r.typeFile(at.ownType()); err != nil {
		return "", "", err
	}
	if inherited = fixedType(at.file); inherited == "" {
		inherited, err = r.typeFile(at.dirType())
	}
	return own, inherited, err
}

// typeFile is the content of a type file, empty if there is none.
func (r *Reader) typeFile(name string) (string, error) {
	body, err := r.content(name, maxTypeFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", r.fail("get", name, err)
	}
	return strings.TrimSpace(string(body)), nil
}

// List walks the directory as the keys are taken; it holds the names of one directory per level at a time. It sees some of
// what comes and goes meanwhile.
func (r *Reader) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := r.walk(ctx, "", prefix, func(key string, _ fs.DirEntry) error {
			if !yield(key, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && err != errEnough {
			yield("", err)
		}
	}
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// walk calls visit for every key that starts with prefix and lies in the directory dir, which is "" or ends with a slash, in
// ascending order of the keys.
func (r *Reader) walk(ctx context.Context, dir, prefix string, visit func(key string, e fs.DirEntry) error) error {
	entries, err := r.entries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		key := sortName(dir, e)
		switch {
		case len(key) > maxKey:
		case e.IsDir() && isDir(e.Name()) && (strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)):
			err = r.walk(ctx, key, prefix, visit)
		case e.Type().IsRegular() && isFile(e.Name()) && strings.HasPrefix(key, prefix):
			err = visit(key, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entries of a directory in the order of the keys, in which a directory's slash counts. None if it is gone.
func (r *Reader) entries(dir string) ([]fs.DirEntry, error) {
	f, err := r.root.Open(path.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) && dir != "" {
		return nil, nil
	}
	if err != nil {
		return nil, r.fail("list", dir, err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, r.fail("list", dir, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName("", a), sortName("", b)) })
	return entries, nil
}

func sortName(dir string, e fs.DirEntry) string {
	if e.IsDir() {
		return dir + e.Name() + "/"
	}
	return dir + e.Name()
}
