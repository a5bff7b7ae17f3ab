package disk_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
)

// writerEnv names the directory in which this binary, when it is started again, writes until it is killed.
const writerEnv = "MOQPACK_TEST_DISK_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		fmt.Println("failed:", writeForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// kept is how many segments the writer leaves undeleted.
const kept = 5

func segmentKey(n uint64) string { return fmt.Sprintf("demo/v/%d.m4s", n) }

// segmentOf is the content of segment n: of about 300 kB and in pieces, so that there is time to be killed between two.
func segmentOf(n uint64) (b storage.Blob) {
	b.ContentType = "video/mp4"
	for range 10 + n%5 {
		b.Pieces = append(b.Pieces, bytes.Repeat(binary.BigEndian.AppendUint64(nil, n), 4096))
	}
	return b
}

func bookOf(n uint64) storage.Blob {
	body := strings.Repeat(fmt.Sprintln(n), 2000)
	return storage.Blob{Pieces: [][]byte{[]byte(body)}, ContentType: "application/json"}
}

// writeForEver puts segments, tells of each in the book, deletes old ones, and says what is acknowledged.
func writeForEver(dir string) error {
	d, err := disk.Open(dir, 0)
	if err != nil {
		return err
	}
	ctx := context.Background()
	n, v, err := newest(ctx, d)
	if err != nil {
		return err
	}
	for n++; ; n++ {
		if err := d.Put(ctx, segmentKey(n), segmentOf(n)); err != nil {
			return err
		}
		fmt.Println("put", n)
		if v, err = d.Swap(ctx, "demo/record.json", bookOf(n), v); err != nil {
			return err
		}
		fmt.Println("swapped", n)
		if n > kept {
			if err := d.Delete(ctx, segmentKey(n-kept)); err != nil {
				return err
			}
		}
	}
}

// newest is the last segment that the book, of which every copy must be whole, tells of.
func newest(ctx context.Context, d *disk.Disk) (n uint64, v storage.Version, err error) {
	b, v, err := d.Load(ctx, "demo/record.json")
	if errors.Is(err, storage.ErrNotFound) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	if _, err := fmt.Sscan(string(b.Pieces[0]), &n); err != nil || !b.Equal(bookOf(n)) {
		return 0, "", fmt.Errorf("the book is %.60q, %w", b.Pieces[0], err)
	}
	return n, v, nil
}

// A writer that is killed at any instant leaves whole files only, and all that was acknowledged.
func TestAfterAKillEverythingIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	half := 0
	for round := range 30 {
		put, swapped := killedWriter(t, dir, random.IntN(12), time.Duration(random.IntN(3000))*time.Microsecond)
		temps, err := filepath.Glob(filepath.Join(dir, ".tmp", "*"))
		if err != nil {
			t.Fatal(err)
		}
		half += len(temps)
		d, err := disk.Open(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkWhole(t, d, dir, put, swapped); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		d.Close()
	}
	if half == 0 {
		t.Error("no writer was killed while it wrote: the test proves nothing")
	}
}

// killedWriter starts a writer and kills it some time after it has acknowledged that many things. It returns the last segment of
// which the writer said that it is put, and in the book.
func killedWriter(t *testing.T, dir string, acks int, later time.Duration) (put, swapped uint64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), writerEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		var n uint64
		switch what, number, _ := strings.Cut(lines.Text(), " "); what {
		case "put":
			_, err = fmt.Sscan(number, &n)
			put = n
		case "swapped":
			_, err = fmt.Sscan(number, &n)
			swapped = n
		default:
			err = errors.New(lines.Text())
		}
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := disk.Open(dir, 0); err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", cmd.Process.Pid, ":")) {
				t.Fatalf("Open while process %d writes = %v", cmd.Process.Pid, err)
			}
		}
		if i == acks {
			timer = time.AfterFunc(later, func() { cmd.Process.Kill() })
		}
	}
	if timer == nil {
		t.Fatal("the writer ended by itself")
	}
	cmd.Wait()
	return put, swapped
}

func checkWhole(t *testing.T, d *disk.Disk, dir string, put, swapped uint64) error {
	n, _, err := newest(t.Context(), d)
	if err != nil {
		return err
	}
	if n < swapped {
		return fmt.Errorf("the book ends with %d, acknowledged was %d", n, swapped)
	}
	var size int64
	for key, err := range d.List(t.Context(), "") {
		if err != nil {
			return err
		}
		b, err := d.Get(t.Context(), key)
		if err != nil {
			return err
		}
		size += b.Size()
		var of uint64
		if _, err := fmt.Sscanf(key, "demo/v/%d.m4s", &of); err == nil && !b.Equal(segmentOf(of)) {
			return fmt.Errorf("%s has %d bytes of type %q, and not its own", key, b.Size(), b.ContentType)
		}
	}
	if size != d.Used() {
		return fmt.Errorf("%d bytes are used, counted are %d", size, d.Used())
	}
	for n := put - min(kept-1, put-1); n <= put; n++ { // the writer may have been about to put the next, not the one after
		if _, err := d.Get(t.Context(), segmentKey(n)); err != nil {
			return err
		}
	}
	for _, name := range files(t, dir) {
		if strings.HasPrefix(name, ".tmp") {
			return fmt.Errorf("there is still %s", name)
		}
	}
	return nil
}

// Directories come and go under the hands of whoever writes to them.
func TestWritersDoNotDisturbEachOther(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, 0)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 60 {
				keys := []string{fmt.Sprintf("demo/v/%d.m4s", w), fmt.Sprintf("demo/w%d/%d.m4s", i%2, w), fmt.Sprintf("demo/%d.m4s", w)}
				for _, key := range keys {
					if err := d.Put(t.Context(), key, video(key)); err != nil {
						t.Error(err)
					}
					if b, err := d.Get(t.Context(), key); err != nil || !b.Equal(video(key)) {
						t.Errorf("Get %s = %q of type %q, %v", key, b.Pieces, b.ContentType, err)
					}
				}
				if err := d.Quarantine(keys[0]); err != nil {
					t.Error(err)
				}
				if err := d.Delete(t.Context(), keys[1:]...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := list(t, d); len(got) != 0 || d.Used() != 0 {
		t.Errorf("there are %q, and %d bytes are used", got, d.Used())
	}
	if _, err := os.Stat(filepath.Join(dir, "demo")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there are %q", files(t, dir))
	}
}
