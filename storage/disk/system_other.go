//go:build !linux && !darwin && !freebsd

package disk

import (
	"errors"
	"os"
)

// takeLock refuses: what renames and locks guarantee here is not what a Disk promises.
func takeLock(*Reader) (*os.File, error) {
	return nil, errors.New("disk: a directory to write to needs Linux, macOS or FreeBSD: run moqpack there, or keep the archive on S3 alone")
}

func free(*os.File) (int64, error) { return 0, errors.ErrUnsupported }
