package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/vod"
)

// openArchive opens what another process may be recording in, to add to it: a bucket, for which c says all but the URL, or a
// directory.
func openArchive(ctx context.Context, from string, c config.S3) (store storage.Durable, closeStore func() error, err error) {
	if strings.HasPrefix(from, "s3://") {
		c.URL = from
		b, err := openBucket(ctx, c, slog.Default(), nil)
		return b, func() error { return nil }, err
	}
	d, err := disk.OpenGuest(from)
	if err != nil {
		return nil, nil, err
	}
	return d, d.Close, nil
}

// openRecorded is openArchive for what is only read, such as a directory that one may not write to.
func openRecorded(ctx context.Context, from string, c config.S3) (store vod.Source, closeStore func() error, err error) {
	if strings.HasPrefix(from, "s3://") {
		return openArchive(ctx, from, c)
	}
	r, err := disk.OpenReader(from)
	if err != nil {
		return nil, nil, err
	}
	return r, r.Close, nil
}
