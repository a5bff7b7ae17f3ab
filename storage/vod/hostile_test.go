package vod_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage/vod"
)

// TestAHostileRecordGivesAnErrorAtMost sets every value of a record to what nobody should write there. Whatever it says, clips and
// files are made of it or refused, soon and without a panic.
func TestAHostileRecordGivesAnErrorAtMost(t *testing.T) {
	w := record(t, 5, reordered(t))
	w.lose("v", 1)
	first := w.entries["v"][0].N
	for _, key := range []string{
		manifest.PrivateKey("demo", "record.json"),
		manifest.PrivateKey("demo", fmt.Sprintf("record-%d.json", first-first%256)),
	} {
		intact := w.text(key)
		for i := 0; ; i++ {
			n := 0
			for _, v := range []any{nil, -1, 0, 1, 1 << 30, 1 << 53, 1<<63 - 1, -1 << 63, uint64(1<<64 - 1), "../../x", "", []any{}} {
				var tree any
				if err := json.Unmarshal([]byte(intact), &tree); err != nil {
					t.Fatal(err)
				}
				n = 0
				path := set(&tree, &n, i, v)
				w.write(key, tree)
				began := time.Now()
				w.use()
				if spent := time.Since(began); spent > 3*time.Second {
					t.Errorf("%s with %s = %v takes %v", key, path, v, spent)
				}
			}
			if n <= i {
				break
			}
		}
		w.write(key, json.RawMessage(intact))
	}
}

// use makes of the record what can be made of one.
func (w *world) use() {
	ctx := w.t.Context()
	vod.Summarize(ctx, w.store, "demo")
	r, err := vod.Open(ctx, w.store, "demo")
	if err != nil {
		return
	}
	g, err := r.Range(vod.When{}, vod.When{})
	if err != nil {
		return
	}
	_, _ = r.Clip(ctx, w.store, "c", g, true)
	if m, err := r.Movie(ctx, g, nil); err == nil {
		_, _ = m.WriteMedia(ctx, io.Discard, func(int64) {})
	}
	g.Start, g.AskedStart = (g.Start+g.End)/2, true
	if m, err := r.Movie(ctx, g, []string{"v"}); err == nil {
		_ = m.WriteFragmented(ctx, io.Discard, func(int64) {})
	}
}

// set gives the value with index i, counted by n, another one, and returns where it is.
func set(at *any, n *int, i int, v any) (path string) {
	if *n++; *n == i+1 {
		*at = v
		return "here"
	}
	switch x := (*at).(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			child := x[key]
			if p := set(&child, n, i, v); p != "" {
				x[key] = child
				return key + "." + p
			}
		}
	case []any:
		for k := range x {
			if p := set(&x[k], n, i, v); p != "" {
				return fmt.Sprintf("%d.%s", k, p)
			}
		}
	}
	return ""
}
