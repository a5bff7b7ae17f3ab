package disk_test

import (
	"slices"
	"testing"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/storagetest"
)

func TestAGuestWritesWhereAnotherOneIsAtWork(t *testing.T) {
	dir := t.TempDir()
	host, err := disk.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	guest, err := disk.OpenGuest(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	put := func(s storage.Store, key string) {
		t.Helper()
		if err := s.Put(t.Context(), key, storage.Blob{Pieces: [][]byte{[]byte(key)}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a/x/1.m4s", "b/x/2.m4s"} {
		put(host, key)
		put(guest, "g"+key)
		for _, s := range []*disk.Disk{host, guest} {
			if _, err := s.Get(t.Context(), key); err != nil {
				t.Error(err)
			}
			if _, err := s.Get(t.Context(), "g"+key); err != nil {
				t.Error(err)
			}
		}
	}
	var dirs []string
	for d, err := range host.Directories(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, d)
	}
	if !slices.Equal(dirs, []string{"a", "b", "ga", "gb"}) {
		t.Errorf("%v", dirs)
	}
	if _, err := disk.Open(dir, 0); err == nil {
		t.Error("the guest has taken the lock away")
	}
	if _, err := disk.OpenGuest(dir + "/none"); err == nil {
		t.Error("a directory that does not exist was opened")
	}
}

func TestAGuestIsAStore(t *testing.T) {
	storagetest.RunDurable(t, func(t *testing.T) storage.Durable {
		d, err := disk.OpenGuest(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	})
}
