// Package s3test runs a real S3 server for tests: versitygw, at one exact version, built by the go command when it is first
// needed and kept in the user's cache directory.
//
// It speaks no S3 itself. Buckets are directories of the server's posix backend, which keeps metadata in extended attributes: the
// temporary directory must be on a file system that has them (ext4, xfs, btrfs, or tmpfs since Linux 6.6).
package s3test
