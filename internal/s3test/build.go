package s3test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Version of the server.
const Version = "v1.8.0"

const module = "github.com/versity/versitygw/cmd/versitygw"

// binary is the path of the server. It is built at the first call of all; that takes a minute or two.
func binary(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("s3test: %w", err)
	}
	dir := filepath.Join(cache, "moqpack-test")
	path := filepath.Join(dir, "versitygw-"+Version)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("s3test: %w", err)
	}
	// Whoever builds at the same time renames the same over it.
	work, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", fmt.Errorf("s3test: %w", err)
	}
	defer os.RemoveAll(work)
	cmd := exec.CommandContext(ctx, "go", "install", module+"@"+Version)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GOBIN="+work, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("s3test: build %s: %w\n%s", module, err, out)
	}
	if err := os.Rename(filepath.Join(work, "versitygw"), path); err != nil {
		return "", fmt.Errorf("s3test: %w", err)
	}
	return path, nil
}
