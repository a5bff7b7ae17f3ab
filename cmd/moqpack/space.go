//go:build linux || darwin

package main

import (
	"syscall"

	"github.com/moqpack/moqpack/internal/config"
)

// freeSpace is what an ordinary user may still write to the file system of the directory.
func freeSpace(dir string) (config.Size, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return config.Size(s.Bavail * uint64(s.Bsize)), true
}
