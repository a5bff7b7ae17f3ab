package disk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/storagetest"
)

func open(t testing.TB, dir string, limit int64) *disk.Disk {
	t.Helper()
	d, err := disk.Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func video(content string) storage.Blob {
	return storage.Blob{Pieces: [][]byte{[]byte(content)}, ContentType: "video/mp4"}
}

func put(t *testing.T, s storage.Store, key string, b storage.Blob) {
	t.Helper()
	if err := s.Put(t.Context(), key, b); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, s storage.Store) (keys []string) {
	t.Helper()
	for key, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// files are the paths of all files in dir but the lock.
func files(t testing.TB, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != ".lock" {
			rel, _ := filepath.Rel(dir, path)
			paths = append(paths, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestDiskKeepsTheContract(t *testing.T) {
	storagetest.RunDurable(t, func(t *testing.T) storage.Durable { return open(t, t.TempDir(), 0) })
}

func TestBoundedDiskKeepsTheContract(t *testing.T) {
	storagetest.RunDurable(t, func(t *testing.T) storage.Durable { return open(t, t.TempDir(), 200_000) })
}

func TestWhatWasPutSurvives(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	audio := video("audio")
	audio.ContentType = "audio/mp4"
	put(t, d, "demo/a/1.m4s", audio)
	put(t, d, "demo/v/1.m4s", video("video"))
	v, err := d.Swap(t.Context(), "demo/record.json", storage.Blob{Pieces: [][]byte{[]byte("{}")}, ContentType: "application/json"}, "")
	if err != nil {
		t.Fatal(err)
	}
	used := d.Used()
	d.Close()

	d = open(t, dir, 0)
	if d.Used() != used || used != int64(len("audio"+"video"+"{}")) {
		t.Errorf("%d bytes are used, before it were %d", d.Used(), used)
	}
	b, err := d.Get(t.Context(), "demo/a/1.m4s")
	if err != nil || !b.Equal(audio) || b.Digest != storage.Digest(audio.Pieces) {
		t.Errorf("Get = %q of type %q, digest %q, %v", b.Pieces, b.ContentType, b.Digest, err)
	}
	if _, loaded, err := d.Load(t.Context(), "demo/record.json"); err != nil || loaded != v {
		t.Errorf("Load says version %q, %v, want %q", loaded, err, v)
	}
	put(t, d, "demo/v/1.m4s", video("video"))
	if err := d.Put(t.Context(), "demo/v/1.m4s", video("other")); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put of other content = %v, want ErrConflict", err)
	}
}

// A web server serves the directory: the content of a file is that of the key, and nothing but names with a dot in front is ours.
func TestFilesArePlain(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	put(t, d, "demo/v/1.m4s", video("video"))
	put(t, d, "demo/legacy.m3u8", storage.Blob{Pieces: [][]byte{[]byte("#EXT"), []byte("M3U\n")}, ContentType: manifest.TypeHLS})
	if got, want := files(t, dir), []string{"demo/legacy.m3u8", "demo/v/.type", "demo/v/1.m4s"}; !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	body, err := os.ReadFile(filepath.Join(dir, "demo/legacy.m3u8"))
	if err != nil || string(body) != "#EXTM3U\n" {
		t.Errorf("the playlist's file is %q, %v", body, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "demo/v/1.m4s")); err != nil || info.Mode().Perm()&0o044 == 0 {
		t.Errorf("others cannot read the file: %v, %v", info.Mode(), err)
	}
}

func TestDeleteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	other := video("3")
	other.ContentType = "audio/mp4"
	put(t, d, "demo/v/1.m4s", video("1"))
	put(t, d, "demo/v/2.m4s", video("2"))
	put(t, d, "demo/v/3.m4s", other)
	put(t, d, "demo/w/1.m4s", video("1"))
	if err := d.Delete(t.Context(), "demo/v/1.m4s", "demo/v/2.m4s", "demo/w/1.m4s", "demo/v/3.m4s"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "demo")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there are %q", files(t, dir))
	}
	if d.Used() != 0 {
		t.Errorf("%d bytes are used", d.Used())
	}
}

func TestDeleteLeavesWhatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	put(t, d, "demo/v/1.m4s", video("1"))
	note := filepath.Join(dir, "demo/v/READ ME")
	if err := os.WriteFile(note, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), "demo/v/1.m4s"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(note); err != nil {
		t.Error(err)
	}
}

func TestForeignFilesAreNotContent(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"lost+found", ".git", "a.b/c"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d, "1.m4s"), []byte("not ours"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "README"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir, 0)
	if got := list(t, d); len(got) != 0 || d.Used() != 0 {
		t.Errorf("%q are listed and %d bytes used", got, d.Used())
	}
}

func TestWhatIsNoRegularFileIsAnError(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	if err := os.MkdirAll(filepath.Join(dir, "demo/v/1.m4s"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "demo/v/2.m4s")); err != nil {
		t.Fatal(err)
	}
	put(t, d, "demo/v/4.m4s", video("x"))
	if err := os.Symlink("4.m4s", filepath.Join(dir, "demo/v/3.m4s")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "demo/v/5.m4s"), 0o644); err != nil { // to open it would take for ever
		t.Fatal(err)
	}
	for _, key := range []string{"demo/v/1.m4s", "demo/v/2.m4s", "demo/v/3.m4s", "demo/v/5.m4s"} {
		if _, err := d.Get(t.Context(), key); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Get %s = %v", key, err)
		}
		if err := d.Put(t.Context(), key, video("x")); err == nil {
			t.Errorf("Put %s succeeded", key)
		}
	}
}

func TestSymlinksDoNotLeadOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	d := open(t, dir, 0)
	if err := os.WriteFile(filepath.Join(outside, "1.m4s"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "demo")); err != nil {
		t.Fatal(err)
	}
	if b, err := d.Get(t.Context(), "demo/1.m4s"); err == nil {
		t.Errorf("Get = %q", b.Pieces)
	}
	if err := d.Put(t.Context(), "demo/2.m4s", video("x")); err == nil {
		t.Error("Put succeeded")
	}
	_ = d.Delete(t.Context(), "demo/1.m4s")
	if got := files(t, outside); !slices.Equal(got, []string{"1.m4s"}) {
		t.Errorf("outside there are %q", got)
	}
}

func TestOpenRemovesTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, 0).Close()
	if err := os.WriteFile(filepath.Join(dir, ".tmp", "1"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir, 0)
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
	put(t, d, "demo/v/1.m4s", video("1"))
}

func TestASecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, 0)
	put(t, first, "demo/v/1.m4s", video("1"))
	_, err := disk.Open(dir, 0)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("Open = %v, want an error that names the directory and the process", err)
	}
	r, err := disk.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := r.Get(t.Context(), "demo/v/1.m4s"); err != nil || !b.Equal(video("1")) {
		t.Errorf("a reader gets %q, %v", b.Pieces, err)
	}
	first.Close()
	open(t, dir, 0)
}

func TestAFullDiskRefusesBlobsAndTakesDocuments(t *testing.T) {
	d := open(t, t.TempDir(), 100)
	put(t, d, "demo/v/1.m4s", video(strings.Repeat("x", 60)))
	err := d.Put(t.Context(), "demo/v/2.m4s", video(strings.Repeat("y", 41)))
	var full *storage.FullError
	if !errors.As(err, &full) || !errors.Is(err, storage.ErrFull) {
		t.Fatalf("Put = %v, want a FullError", err)
	}
	if want := (storage.FullError{Key: "demo/v/2.m4s", Size: 41, Used: 60, Limit: 100}); *full != want {
		t.Errorf("got %+v, want %+v", *full, want)
	}
	put(t, d, "demo/v/1.m4s", video(strings.Repeat("x", 60)))
	if d.Used() != 60 {
		t.Errorf("%d bytes are used, want 60", d.Used())
	}
	v, err := d.Swap(t.Context(), "demo/record.json", video(strings.Repeat("z", 50)), "")
	if err != nil || d.Used() != 110 {
		t.Fatalf("Swap = %v, %d bytes are used", err, d.Used())
	}
	if _, err := d.Swap(t.Context(), "demo/record.json", video("z"), v); err != nil || d.Used() != 61 {
		t.Fatalf("Swap = %v, %d bytes are used", err, d.Used())
	}
	put(t, d, "demo/v/3.m4s", video(strings.Repeat("z", 39)))
	if err := d.Delete(t.Context(), "demo/v/1.m4s"); err != nil {
		t.Fatal(err)
	}
	put(t, d, "demo/v/2.m4s", video(strings.Repeat("y", 41)))
}

func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	key := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: "v", N: 7}.Key()
	put(t, d, key, video("good"))
	path := filepath.Join(dir, key)
	if err := os.WriteFile(path, []byte("gOod"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := d.Get(t.Context(), key); err != nil || b.Digest == storage.Digest(video("good").Pieces) {
		t.Fatalf("Get says digest %q, %v: the flipped bit goes unnoticed", b.Digest, err)
	}
	for range 2 {
		if err := d.Quarantine(key); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Get(t.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if body, err := os.ReadFile(filepath.Join(dir, ".quarantine", key)); err != nil || string(body) != "gOod" {
		t.Errorf("in quarantine is %q, %v", body, err)
	}
	if got := list(t, d); len(got) != 0 || d.Used() != 0 {
		t.Errorf("%q are listed and %d bytes used", got, d.Used())
	}
	put(t, d, key, video("good"))
}

func TestGetRefusesWhatNoSegmentIs(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	f, err := os.Create(filepath.Join(dir, "huge.m4s"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<30+1), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Get(t.Context(), "huge.m4s"); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get = %v", err)
	}
}

func TestWhenTheDirectoryCannotBeMadeOpenSaysWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := disk.Open(filepath.Join(file, "data"), 0)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("Open = %v", err)
	}
}

func TestEveryNameHasAPlace(t *testing.T) {
	d := open(t, t.TempDir(), 0)
	for _, channel := range []string{"", "demo", "..", "/etc", "a\\b", "a\x00b", "é", strings.Repeat("x", 240), ".tmp"} {
		for kind := manifest.Multivariant; kind <= manifest.Part; kind++ {
			n := manifest.Name{Kind: kind, Channel: channel, Track: channel, N: 1<<64 - 1, Part: 1, Digest: "0123abcd"}
			if _, err := d.Get(t.Context(), n.Key()); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("Get %s = %v, want ErrNotFound", n.Key(), err)
			}
		}
		if _, err := d.Get(t.Context(), manifest.PrivateKey(channel, "record-256.json")); !errors.Is(err, storage.ErrNotFound) {
			t.Error(err)
		}
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	for _, key := range badKeys() {
		if err := d.Put(t.Context(), key, video("x")); err == nil {
			t.Errorf("Put %q succeeded", key)
		}
		if _, err := d.Get(t.Context(), key); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Get %q = %v", key, err)
		}
		if _, err := d.Swap(t.Context(), key, video("x"), ""); err == nil {
			t.Errorf("Swap %q succeeded", key)
		}
		if d.Delete(t.Context(), key) == nil || d.Quarantine(key) == nil {
			t.Errorf("Delete or Quarantine %q succeeded", key)
		}
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
}

func badKeys() []string {
	return []string{
		"", ".", "..", "/", "a", "a/", "/a.m4s", "../a.m4s", "a/../b.m4s", "a/./b.m4s", "a//b.m4s", "a/b", "a.b/c.m4s", ".lock", ".tmp/1.m4s",
		"a/.type", "a/.b.m4s", "a/b.", "a\x00.m4s", `a\b.m4s`, `..\a.m4s`, "c:a.m4s", "a b.m4s", "é.m4s", "a.m4s\n", "%2e%2e/a.m4s",
		strings.Repeat("x", 241) + "/a.m4s", "a/" + strings.Repeat("x", 237) + ".m4s", strings.Repeat("a/", 600) + "b.m4s",
	}
}

// Whatever the key, it is refused or it is its own path, and nothing comes to lie elsewhere.
func FuzzKeys(f *testing.F) {
	for _, key := range badKeys() {
		f.Add(key)
	}
	f.Add("demo/v/1.m4s")
	f.Add("0.0")
	f.Add("~c3/1.0.m4s")
	f.Fuzz(func(t *testing.T, key string) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "data")
		d := open(t, dir, 0)
		if err := d.Put(context.Background(), key, video("content")); err != nil {
			if got := files(t, outer); len(got) != 0 {
				t.Errorf("Put %q = %v, and there are %q", key, err, got)
			}
			return
		}
		if got := list(t, d); !slices.Equal(got, []string{key}) {
			t.Errorf("after Put %q, List is %q", key, got)
		}
		body, err := os.ReadFile(filepath.Join(dir, key))
		if err != nil || !bytes.Equal(body, []byte("content")) {
			t.Errorf("%q holds %q, %v", key, body, err)
		}
		if err := d.Delete(context.Background(), key); err != nil {
			t.Error(err)
		}
		if got := files(t, outer); len(got) != 0 && !slices.Equal(got, []string{"data/.type"}) { // the root's own stays
			t.Errorf("after Delete %q there are %q", key, got)
		}
	})
}
