package archive

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// pastOf is Past, which must be.
func pastOf(t *testing.T, store storage.Durable, window int) *segmenter.Past {
	t.Helper()
	p, err := Past(t.Context(), store, "c", window, quiet())
	must(t, err)
	if p == nil {
		t.Fatal("there is no past")
	}
	return p
}

func indexes(epochs []timeline.Epoch) (is []int) {
	for _, e := range epochs {
		is = append(is, e.Index)
	}
	return is
}

func TestNothingHasNoPast(t *testing.T) {
	p, err := Past(t.Context(), storage.NewMemory(0), "c", 30, quiet())
	if p != nil || err != nil {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestPastIsTheLastWindowOfEveryTrack(t *testing.T) {
	store := storage.NewMemory(0)
	r := newRecording(t, store)
	r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0), epochOf(1, 500), epochOf(2, 700), epochOf(3, 760)}, "v", "a", "gone")
	r.add("v", fulls(100, 600, 1)...)
	r.add("v", gap(600, 1))
	r.add("v", fulls(603, 700, 1)...)
	r.add("v", fulls(700, 760, 2)...)
	r.add("a", fulls(300, 750, 1)...)
	r.add("gone", fulls(0, 10, 0)...)
	p := pastOf(t, store, 200)
	if len(p.Renditions) != 2 || p.Renditions[0].Track.Name != "v" || p.Renditions[1].Track.Name != "a" {
		t.Fatalf("renditions %+v", p.Renditions)
	}
	v, a := &p.Renditions[0], &p.Renditions[1]
	slots := summary(v.Segments)
	if len(slots) != 200 || slots[0] != 560 || slots[199] != 759 {
		t.Errorf("v has %d slots: %v", len(slots), slots)
	}
	if diff := cmp.Diff([]int{599, -600, -601, -602, 603}, slots[39:44]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(timeline.Segment{N: 601, Epoch: 1, State: timeline.Gap, Start: 1202000, Dur: 2000}, v.Segments[41]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, indexes(v.Epochs)); diff != "" {
		t.Error(diff)
	}
	if slots := summary(a.Segments); slots[0] != 560 || slots[len(slots)-1] != 749 {
		t.Errorf("a has %v", slots)
	}
}

func TestPastBeginsWhereRetentionBegins(t *testing.T) {
	store := storage.NewMemory(0)
	r := newRecording(t, store)
	r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0)}, "v")
	r.add("v", fulls(0, 600, 0)...)
	_, err := r.books.updateHead(t.Context(), func(h *Head) bool { h.First = 520; return true })
	must(t, err)
	if slots := summary(pastOf(t, store, 1000).Renditions[0].Segments); slots[0] != 520 {
		t.Errorf("begins with %d, want 520", slots[0])
	}
}

// Epochs that were never claimed are known from the record, in slots again.
func TestPastHasEpochsFromClaimsAndFromTheRecord(t *testing.T) {
	store := storage.NewMemory(0)
	r := newRecording(t, store)
	shifted := epochOf(5, 400)
	shifted.Origin, shifted.Arrival = -3*2000, true
	r.head(planOf2s(30), []timeline.Epoch{epochOf(3, 0), epochOf(4, 300), shifted}, "v")
	r.add("v", fulls(300, 400, 4)...)
	for _, e := range []segmenter.Epoch{{Index: 3}, {Index: 4, First: 298}, {Index: 6, First: 410, Shift: 9}} {
		_, err := NewLedger(store, "c", 1e9, quiet()).Begin(t.Context(), e)
		must(t, err)
	}
	want := []segmenter.Epoch{{Index: 4, First: 298}, {Index: 5, First: 400, Shift: -3, Arrival: true}, {Index: 6, First: 410, Shift: 9}}
	if diff := cmp.Diff(want, pastOf(t, store, 30).Epochs); diff != "" {
		t.Error(diff)
	}
}

// What was claimed before anything was recorded counts: numbering goes on.
func TestClaimsAloneAreAPast(t *testing.T) {
	store := storage.NewMemory(0)
	l := NewLedger(store, "c", 1e9, quiet())
	_, err := l.Plan(t.Context(), planOf2s(30))
	must(t, err)
	_, err = l.Begin(t.Context(), segmenter.Epoch{Index: 0, First: 7})
	must(t, err)
	want := &segmenter.Past{Plan: planOf2s(30), Epochs: []segmenter.Epoch{{First: 7}}}
	if diff := cmp.Diff(want, pastOf(t, store, 30)); diff != "" {
		t.Error(diff)
	}
}

func TestACorruptChunkCostsItsSlots(t *testing.T) {
	store := storage.NewMemory(0)
	r := newRecording(t, store)
	r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0)}, "v")
	r.add("v", fulls(200, 600, 0)...)
	must(t, store.Delete(t.Context(), chunkKey("c", 256)))
	putText(t, store, chunkKey("c", 256), `{"from":256,"tracks":{"v":[{"n":1}]}}`)
	var log bytes.Buffer
	p, err := Past(t.Context(), store, "c", 1000, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	slots := summary(p.Renditions[0].Segments)
	if diff := cmp.Diff([]int{254, 255, -256, -257}, slots[54:58]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{-511, 512}, slots[311:313]); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log.String(), "c/record-256.json") {
		t.Errorf("the log does not name the chunk: %s", log.String())
	}
}

func TestACorruptHeadOrAStoreThatFailsIsAnError(t *testing.T) {
	store := storage.NewMemory(0)
	putText(t, store, headKey("c"), `{"format":1}`)
	if _, err := Past(t.Context(), store, "c", 30, quiet()); err == nil || !strings.Contains(err.Error(), "restore c/record.json") {
		t.Error(err)
	}
	// Whichever operation fails, Past does not take it for nothing.
	store = storage.NewMemory(0)
	r := newRecording(t, store)
	r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0)}, "v")
	r.add("v", fulls(200, 300, 0)...)
	for _, op := range []storagetest.Op{storagetest.Get, storagetest.Load, storagetest.List} {
		faulty := &storagetest.Faulty{Store: store, Plan: storagetest.Once(op, storagetest.Fault{Before: errDown})}
		if p, err := Past(t.Context(), faulty, "c", 30, quiet()); !errors.Is(err, errDown) || p != nil {
			t.Errorf("with failing operation %d: %+v, %v", op, p, err)
		}
	}
}

// What other hands wrote into the record must not make sums overflow, or keys that leave their place.
func TestPastLeavesOutWhatIsNotSound(t *testing.T) {
	store := storage.NewMemory(0)
	r := newRecording(t, store)
	evil := epochOf(1, 250)
	evil.Init.Digest = "../../x"
	far := epochOf(2, 251)
	far.Origin = -1 << 63
	r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0), evil, far}, "v")
	r.add("v", full(249, 0), full(250, 1), full(251, 2), full(252, 9), full(253, 0))
	huge, negative := full(254, 0), full(255, 0)
	huge.Start, negative.Size = 1<<63-1, -1
	r.add("v", huge, negative)
	p := pastOf(t, store, 30)
	if diff := cmp.Diff([]int{249, -250, -251, -252, 253}, summary(p.Renditions[0].Segments)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0}, indexes(p.Renditions[0].Epochs)); diff != "" {
		t.Error(diff)
	}
}

func TestMergePast(t *testing.T) {
	other := func(e Entry) Entry { e.Size++; return e }
	strange := func(e timeline.Epoch) timeline.Epoch { e.Origin = 4000; return e }
	for _, tt := range []struct {
		name                  string
		near, far             []Entry
		nearEpochs, farEpochs []timeline.Epoch
		want                  []int
		alarm                 string
	}{
		{name: "the longer edge wins", near: fulls(10, 20, 0), far: fulls(5, 15, 0), want: numbers(5, 20)},
		{name: "the shared one may be ahead", near: fulls(10, 15, 0), far: fulls(12, 18, 0), want: numbers(10, 18)},
		{name: "media wins over gaps", near: []Entry{full(1, 0), gap(2, 0), full(3, 0)}, far: []Entry{gap(1, 0), full(2, 0), gap(3, 0)}, want: []int{1, 2, 3}},
		{name: "what neither has is a gap", near: fulls(10, 12, 0), far: fulls(14, 16, 0), want: []int{10, 11, -12, -13, 14, 15}},
		{name: "other media under one name", near: []Entry{full(1, 0), other(full(2, 0))}, far: fulls(1, 3, 0), want: []int{1, 2}, alarm: "other segments"},
		{
			name: "another epoch under one index", near: append(fulls(1, 3, 0), fulls(3, 6, 1)...), far: append(fulls(1, 3, 0), full(3, 1)),
			nearEpochs: []timeline.Epoch{epochOf(0, 0), strange(epochOf(1, 3))}, farEpochs: []timeline.Epoch{epochOf(0, 0), epochOf(1, 3)},
			want: []int{1, 2, 3}, alarm: "disagree about an epoch",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			past := func(entries []Entry, epochs []timeline.Epoch) *segmenter.Past {
				if epochs == nil {
					epochs = []timeline.Epoch{epochOf(0, 0)}
				}
				store := storage.NewMemory(0)
				r := newRecording(t, store)
				r.head(planOf2s(30), epochs, "v")
				r.add("v", entries...)
				return pastOf(t, store, 30)
			}
			var log bytes.Buffer
			near, far := past(tt.near, tt.nearEpochs), past(tt.far, tt.farEpochs)
			p := MergePast(near, far, slog.New(slog.NewTextHandler(&log, nil)))
			if diff := cmp.Diff(tt.want, summary(p.Renditions[0].Segments)); diff != "" {
				t.Error(diff)
			}
			if (tt.alarm == "") != (log.Len() == 0) || !strings.Contains(log.String(), tt.alarm) {
				t.Errorf("logged %q, want %q", log.String(), tt.alarm)
			}
			for _, s := range far.Renditions[0].Segments {
				if m := p.Renditions[0].Segments[s.N-p.Renditions[0].Segments[0].N]; s.State == timeline.Full && fmt.Sprint(m) != fmt.Sprint(s) {
					t.Errorf("slot %d is %+v, the shared one says %+v", s.N, m, s)
				}
			}
		})
	}
	p := &segmenter.Past{}
	if MergePast(p, nil, quiet()) != p || MergePast(nil, p, quiet()) != p || MergePast(nil, nil, quiet()) != nil {
		t.Error("what only one store knows is not all there is")
	}
}

func numbers(from, to int) (n []int) {
	for ; from < to; from++ {
		n = append(n, from)
	}
	return n
}
