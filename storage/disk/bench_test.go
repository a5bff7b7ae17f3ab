package disk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/storage"
)

// A segment as it is written: with all its fsyncs.
func BenchmarkPut(b *testing.B) {
	d := open(b, b.TempDir(), 0)
	body := video(strings.Repeat("x", 500_000))
	b.SetBytes(body.Size())
	for i := range b.N {
		if err := d.Put(b.Context(), fmt.Sprintf("demo/v/%d.m4s", i), body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSwap(b *testing.B) {
	d := open(b, b.TempDir(), 0)
	version := storage.Version("")
	for i := range b.N {
		v, err := d.Swap(b.Context(), "demo/record-0.json", video(strings.Repeat("x", 20_000+i)), version)
		if err != nil {
			b.Fatal(err)
		}
		version = v
	}
}

func BenchmarkGet(b *testing.B) {
	d := open(b, b.TempDir(), 0)
	body := video(strings.Repeat("x", 500_000))
	if err := d.Put(b.Context(), "demo/v/1.m4s", body); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(body.Size())
	b.ReportAllocs()
	for range b.N {
		if _, err := d.Get(b.Context(), "demo/v/1.m4s"); err != nil {
			b.Fatal(err)
		}
	}
}

// hundredThousand makes a directory of as many segments, 25,000 of each of four tracks.
func hundredThousand(b *testing.B) (dir string) {
	dir = b.TempDir()
	for track := range 4 {
		at := filepath.Join(dir, "demo", fmt.Sprint("v", track))
		if err := os.MkdirAll(at, 0o755); err != nil {
			b.Fatal(err)
		}
		for n := range 25_000 {
			if err := os.WriteFile(filepath.Join(at, fmt.Sprint(n, ".m4s")), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	return dir
}

func BenchmarkList100k(b *testing.B) {
	d := open(b, hundredThousand(b), 0)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range d.List(b.Context(), "demo/") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100_000 {
			b.Fatalf("%d keys", n)
		}
	}
}

func BenchmarkOpen100k(b *testing.B) {
	dir := hundredThousand(b)
	for b.Loop() {
		open(b, dir, 0).Close()
	}
}
