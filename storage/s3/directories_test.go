package s3_test

import (
	"slices"
	"testing"

	"github.com/moqpack/moqpack/storage"
)

func TestDirectoriesAreTheFirstElementsOfKeys(t *testing.T) {
	for _, e := range endpoints(t) {
		s := open(t, e.config("directories"))
		for _, key := range []string{"b/x/1.m4s", "b/x/2.m4s", "a~2f/record.json", "c.json"} {
			if err := s.Put(t.Context(), key, storage.Blob{Pieces: [][]byte{[]byte(key)}}); err != nil {
				t.Fatal(err)
			}
		}
		var dirs []string
		for d, err := range s.Directories(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			dirs = append(dirs, d)
		}
		if !slices.Equal(dirs, []string{"a~2f", "b"}) {
			t.Errorf("%s: %v", e.name, dirs)
		}
	}
}
