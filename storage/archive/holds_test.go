package archive

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/storage"
)

func TestHoldsKeepMedia(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		must(t, PutHold(t.Context(), r.store, "c", "case 7/b", Hold{From: 400, To: 512, Reason: "legal"}))
		must(t, PutHold(t.Context(), r.store, "c", "open", Hold{From: 1100}))
		k, _ := keeperOf(r.store, "c", Retain{Age: time.Minute})
		passes(t, k)
		froms, segments := chunksIn(t, r.store, "c")
		if diff := cmp.Diff([]uint64{256, 512, 1024, 1280, 1536, 1792}, froms); diff != "" || segments[512] != 512 || len(segments) != 6 {
			t.Errorf("chunks %s, segments %v", diff, segments)
		}
		if r.first() != 1536 {
			t.Errorf("the first slot is %d: holds do not list", r.first())
		}
		must(t, ReleaseHold(t.Context(), r.store, "c", "open"))
		passes(t, k)
		if froms, _ := chunksIn(t, r.store, "c"); !slices.Equal(froms, []uint64{256, 512, 1536, 1792}) {
			t.Errorf("after the release there are %v", froms)
		}
	})
}

func TestAHoldThatCannotBeReadKeepsEverything(t *testing.T) {
	for _, text := range []string{"", "x", `{"from":-1}`, `{"from":9,"to":3}`, `"1"`, strings.Repeat(" ", maxClaim+1)} {
		inBubble(t, func(t *testing.T) {
			r := hour(t)
			putText(t, r.store, holdKey("c", "h"), text)
			k, log := keeperOf(r.store, "c", Retain{Age: time.Minute})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
			defer cancel()
			k.Run(ctx)
			if froms, segments := chunksIn(t, r.store, "c"); len(froms) != 8 || segments[0] != 512 {
				t.Errorf("%.20q: there are %v", text, froms)
			}
			if log.count("c/hold-h.json") != 1 {
				t.Errorf("%.20q: the log says %s", text, log.text.String())
			}
		})
	}
}

func TestHoldsAreValidated(t *testing.T) {
	store := storage.NewMemory(0)
	for id, h := range map[string]Hold{"": {}, strings.Repeat("x", 300): {}, "backwards": {From: 5, To: 4}} {
		if err := PutHold(t.Context(), store, "c", id, h); err == nil {
			t.Errorf("%.20q %+v was accepted", id, h)
		}
	}
	want := map[string]Hold{"../x": {From: 2, To: 2, Reason: "why"}, "b": {From: 7}}
	for id, h := range want {
		must(t, PutHold(t.Context(), store, "c", id, h))
		must(t, PutHold(t.Context(), store, "c", id, h))
	}
	if err := PutHold(t.Context(), store, "c", "b", Hold{From: 8}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("another hold of the same name: %v", err)
	}
	got, err := Holds(t.Context(), store, "c")
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for key := range store.List(t.Context(), "") {
		if !strings.HasPrefix(key, "c/hold-") || strings.Contains(key, "..") {
			t.Errorf("a hold lies at %s", key)
		}
	}
}

func FuzzHolds(f *testing.F) {
	f.Add([]byte(`{"from":3,"to":9,"reason":"x"}`), uint64(5))
	f.Add([]byte(`{"from":3}`), uint64(1<<63))
	f.Fuzz(func(t *testing.T, body []byte, slot uint64) {
		h, err := decodeHold(storage.Blob{Pieces: [][]byte{body}})
		if err != nil || slot >= maxSlot {
			return
		}
		want := slot >= h.From && (h.To == 0 || slot <= h.To)
		if got := h.touches(slot, slot+1); got != want {
			t.Errorf("%s: slot %d is held: %v", body, slot, got)
		}
	})
}
