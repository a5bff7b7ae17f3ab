package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/moqpack/moqpack/storage"
)

func TestErrorsSayWhatToDo(t *testing.T) {
	r := &Reader{dir: "/data"}
	for errno, hint := range map[syscall.Errno]string{
		syscall.ENOSPC:  "free some space",
		syscall.EDQUOT:  "free some space",
		syscall.EACCES:  "write access to /data",
		syscall.EROFS:   "mount it for writing",
		syscall.EIO:     "the disk may be failing",
		syscall.EMFILE:  "limit of open files",
		syscall.ENOTDIR: "move it away",
		syscall.ENOENT:  "restore it and restart",
		syscall.EXDEV:   "",
	} {
		for _, err := range []error{
			&fs.PathError{Op: "openat", Path: ".tmp/1", Err: errno},
			&os.LinkError{Op: "renameat", Old: ".tmp/1", New: "demo/v/1.m4s", Err: errno},
			errors.Join(&fs.PathError{Op: "write", Path: ".tmp/1", Err: errno}, nil),
		} {
			got := r.fail("put", "demo/v/1.m4s", err)
			if !errors.Is(got, errno) || !strings.Contains(got.Error(), hint) || !strings.Contains(got.Error(), "/data/demo/v/1.m4s: ") {
				t.Errorf("%v becomes %v, want the path, the reason and %q", err, got, hint)
			}
			if strings.Contains(got.Error(), ".tmp") {
				t.Errorf("%v speaks of a file that nobody knows", got)
			}
			if full := errno == syscall.ENOSPC || errno == syscall.EDQUOT; errors.Is(got, storage.ErrFull) != full {
				t.Errorf("%v: ErrFull is %v, want %v", got, !full, full)
			}
		}
	}
	if got := r.fail("put", "a.m4s", context.Canceled); !errors.Is(got, context.Canceled) {
		t.Errorf("%v is no context.Canceled", got)
	}
}

// What tells that media is to be given up is a document.
func TestWhatIsLeftOfTheFileSystemIsForDocuments(t *testing.T) {
	d, err := Open(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b := storage.Blob{Pieces: [][]byte{[]byte("content")}}
	if err := d.Put(t.Context(), "demo/v/1.m4s", b); err != nil {
		t.Fatal(err)
	}
	d.headroom = 1 << 60
	if err := d.Put(t.Context(), "demo/v/2.m4s", b); !errors.Is(err, storage.ErrFull) {
		t.Errorf("Put = %v, want ErrFull", err)
	}
	if err := d.Put(t.Context(), "demo/v/1.m4s", b); err != nil {
		t.Errorf("Put of what is there = %v", err)
	}
	if _, err := d.Swap(t.Context(), "demo/record.json", b, ""); err != nil {
		t.Errorf("Swap = %v", err)
	}
	if want := 2 * b.Size(); d.Used() != want {
		t.Errorf("%d bytes are used, want %d", d.Used(), want)
	}
}
