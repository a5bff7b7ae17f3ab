package main

import (
	"errors"
	"io"
	"strings"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/vod"
)

// recorded is where recordings are taken from.
type recorded interface {
	vod.Source
	io.Closer
}

// openRecorded opens a directory that another process may be recording in. It returns, beside, where clips are put; nil if nothing
// is to be written.
func openRecorded(from string, write bool) (recorded, storage.Durable, error) {
	if strings.HasPrefix(from, "s3://") {
		return nil, nil, errors.New("recordings are taken from a directory: copy what you need of the bucket to one")
	}
	if !write {
		r, err := disk.OpenReader(from)
		return r, nil, err
	}
	d, err := disk.OpenGuest(from)
	return d, d, err
}
