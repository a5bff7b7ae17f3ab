package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
)

// moqpack runs the command and returns what it prints.
func moqpack(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var b bytes.Buffer
	c := root()
	c.SetArgs(args)
	c.SetOut(&b)
	err := c.ExecuteContext(t.Context())
	return b.String(), err
}

func TestVODSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	d, err := disk.Open(dir, 0) // by another process, as it were
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	broken := storage.Blob{Pieces: [][]byte{[]byte(`{"format":7}`)}}
	if _, err := d.Swap(t.Context(), "broken/record.json", broken, ""); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		err  string
	}{
		{nil, "--from: name the directory or the bucket"},
		{[]string{"--from", dir}, "--channel: name the channel"},
		{[]string{"--from", dir, "--channel", "c"}, "one of --name"},
		{[]string{"--from", dir, "--channel", "c", "--name", "x", "--out", "y"}, "one of --name"},
		{[]string{"--from", dir, "--channel", "c", "--name", "x", "--track", "v"}, "--track and --fragmented are for --out"},
		{[]string{"--from", dir, "--list", "--name", "x"}, "--list makes nothing"},
		{[]string{"--from", dir, "--channel", "c", "--name", "x"}, "no record of this channel: --list prints"},
		{[]string{"--from", dir, "--channel", "c", "--name", "x", "--start", "noon"}, "--start: \"noon\": not a time"},
		{[]string{"--from", dir, "--channel", "c", "--out", "x", "--end", "noon"}, "--end: \"noon\": not a time"},
		{[]string{"--from", dir + "/none", "--list"}, "--from: disk: "},
		{[]string{"--from", dir, "--list", "--channel", "c"}, "no record"},
		{[]string{"--from", dir, "--list"}, "the record is of format 7"},
		{[]string{"--from", dir, "--list", "surplus"}, "unknown command"},
	} {
		if _, err := moqpack(t, append([]string{"vod"}, tt.args...)...); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("moqpack vod %s: %v, want %q", strings.Join(tt.args, " "), err, tt.err)
		}
	}
	if out, err := moqpack(t, "vod", "--from", t.TempDir(), "--list"); err != nil || out != "nothing is recorded here\n" {
		t.Errorf("an empty directory: %q, %v", out, err)
	}
}

func TestProgressSaysHowMuchIsLeft(t *testing.T) {
	for want, got := range map[string]string{
		"[==============================] 100 %  2.0 GB of 2.0 GB  0s left":  progressLine(2e9, 2e9, time.Minute),
		"[========----------------------]  25 %  500 B of 2.0 kB  3m0s left": progressLine(500, 2000, time.Minute),
		"0 B":    progressLine(0, 100, time.Minute),
		"12 B":   progressLine(12, 0, time.Minute),
		"1.0 MB": bytesOf(999_999),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
