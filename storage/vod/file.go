package vod

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// bufferSize of what is written to files, in bytes.
const bufferSize = 1 << 20

// File writes the movie to a file, which appears when it is whole. A progressive one takes twice its size meanwhile: its
// header, which comes first, is known last. A file that exists is replaced only if that is asked for.
func (m *Movie) File(ctx context.Context, path string, fragmented, replace bool, progress func(done int64)) (err error) {
	if _, err := os.Lstat(path); err == nil && !replace {
		return fmt.Errorf("%s %w: choose another --out, or --force to replace it", path, ErrExists)
	}
	out, err := create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	if fragmented {
		err = out.fill(func(w io.Writer) error { return m.WriteFragmented(ctx, w, progress) })
	} else {
		err = m.writeProgressive(ctx, path, out, progress)
	}
	if err != nil {
		return err
	}
	return out.become(path)
}

func (m *Movie) writeProgressive(ctx context.Context, path string, out *temporary, progress func(done int64)) (err error) {
	body, err := create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.discard()) }()
	var header []byte
	err = body.fill(func(w io.Writer) error {
		header, err = m.WriteMedia(ctx, w, progress)
		return err
	})
	if err != nil {
		return err
	}
	if _, err = out.Write(header); err != nil {
		return err
	}
	if _, err = body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	// The file itself, without a buffer between: the system may copy, or share, what lies on the disk already.
	for {
		if n, err := io.CopyN(out.File, body.File, 64*bufferSize); errors.Is(err, io.EOF) || err == nil && n == 0 {
			return nil
		} else if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// temporary is a file beside the one that it is to become.
type temporary struct{ *os.File }

func create(path string) (*temporary, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.part")
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	return &temporary{f}, nil
}

// fill writes through a buffer.
func (t *temporary) fill(write func(io.Writer) error) error {
	w := bufio.NewWriterSize(t, bufferSize)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// become gives the file its name, after all of it is on the disk.
func (t *temporary) become(path string) error {
	if err := t.Chmod(0o644); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}

// discard removes the file, unless it has become another.
func (t *temporary) discard() error {
	err := t.Close()
	if rerr := os.Remove(t.Name()); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}
