//go:build linux || darwin || freebsd

package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

const lockFile = ".lock"

// takeLock makes this process the only one that writes to the root. The lock is gone with the file that it returns, or the process.
func takeLock(r *Reader) (*os.File, error) {
	f, err := r.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, r.fail("open", lockFile, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		return nil, fmt.Errorf("disk: %s is in use by process %s: stop that one, or give this one a directory of its own",
			r.dir, strings.TrimSpace(string(holder)))
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	}
	if err != nil {
		f.Close()
		return nil, r.fail("lock", lockFile, err)
	}
	return f, nil
}

// free is the number of bytes that the file system has room for.
func free(f *os.File) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // the fields have other types on other systems
}
