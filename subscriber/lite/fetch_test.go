package lite

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

func TestFetchBringsGroupsInOrder(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		r := moqt.FetchRequest{Track: name("video"), Start: media.Location{Group: 3, Object: 1}, End: media.Location{Group: 5, Object: 0}}
		err := while(func() error { return s.Fetch(t.Context(), r, nil, sink) }, func() {
			all := map[uint64]*asked{}
			for range 3 {
				a := p.next()
				m := a.m.(*dialect.Fetch)
				if want := (dialect.Track{Broadcast: "moqpack/test", Name: "video"}); m.Track != want {
					t.Errorf("%+v", m)
				}
				all[m.Group] = a
			}
			all[5].write(p.frames("5.0", "5.1")) // and no FIN: the group goes on
			all[4].write(p.frames("4.0"))
			all[4].fin()
			time.Sleep(time.Second)
			all[3].write(p.frames("3.0", "3.1"))
			all[3].fin()
		})
		if err != nil {
			t.Fatal(err)
		}
		sink.gets(t, "3.1", "4.0", "5.0")
		want := []moqt.StreamEvent{
			{Group: 3, Fetch: true, Objects: 1, Last: 1}, {Group: 4, Fetch: true, Objects: 1}, {Group: 5, Fetch: true, Objects: 1},
		}
		for _, w := range want {
			if diff := cmp.Diff(w, sink.ends(t)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestAGroupThatCannotBeHadIsUnknown(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		r := moqt.FetchRequest{Track: name("video"), Start: media.Location{Group: 3}, End: media.Location{Group: 5, Object: moqt.WholeGroup}}
		err := while(func() error { return s.Fetch(t.Context(), r, nil, sink) }, func() {
			for range 3 {
				switch a := p.next(); a.m.(*dialect.Fetch).Group {
				case 3:
					a.st.Reset(404)
				case 4: // cut
					a.write(append(p.frames("4.0"), p.frames("4.1")[:2]...))
					a.fin()
				case 5:
					a.write(p.frames("5.0"))
					a.fin()
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		sink.gets(t, "4.0", "5.0")
		want := []moqt.StreamEvent{
			{Group: 3, Fetch: true, Unknown: true, Reset: true, Code: 404},
			{Group: 4, Fetch: true, Unknown: true, Reset: true, Objects: 1},
			{Group: 5, Fetch: true, Objects: 1},
		}
		for _, w := range want {
			if diff := cmp.Diff(w, sink.ends(t)); diff != "" {
				t.Error(diff)
			}
		}
		lives(t, ran)
	})
}

func TestFetchLeavesToASubscriptionWhatIsItsOwn(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sub, _ := subscribe(t, s, p, newRecorder()) // from 5 on
		sink := newRecorder()
		r := moqt.FetchRequest{Track: name("video"), Start: media.Location{Group: 4}, End: media.Location{Group: 5}}
		err := while(func() error { return s.Fetch(t.Context(), r, sub, sink) }, func() {
			a := p.next()
			if g := a.m.(*dialect.Fetch).Group; g != 4 {
				t.Errorf("group %d was fetched", g)
			}
			a.write(p.frames("4.0", "4.1"))
			a.fin()
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.object(4, 0, "4.0"), <-sink.objects); diff != "" {
			t.Error(diff)
		}
		sink.gets(t, "4.1")
		r.Start.Group = 5
		if err := s.Fetch(t.Context(), r, sub, sink); err != nil { // nobody is asked
			t.Error(err)
		}
	})
}

func TestAFetchTellsTheTimeAsASubscriptionDoes(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		subscribe(t, s, p, newRecorder())
		sink := newRecorder()
		r := moqt.FetchRequest{Track: name("video"), Start: media.Location{Group: 7}, End: media.Location{Group: 7, Object: moqt.WholeGroup}}
		err := while(func() error { return s.Fetch(t.Context(), r, nil, sink) }, func() {
			a := p.next()
			a.write(p.frames("7.0"))
			a.fin()
		})
		if diff := cmp.Diff(p.object(7, 0, "7.0"), <-sink.objects); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
}

func TestFetchOfVeryManyGroupsBeginsLater(t *testing.T) {
	newest(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		r := moqt.FetchRequest{Track: name("video"), End: media.Location{Group: 1 << 40}}
		err := while(func() error { return s.Fetch(ctx, r, nil, sink) }, func() {
			if e := sink.ends(t); !e.Unknown {
				t.Errorf("%+v", e)
			}
			if g := p.next().m.(*dialect.Fetch).Group; g < 1<<40-maxFetch {
				t.Errorf("group %d was fetched", g)
			}
			cancel()
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestFetchEndsWithItsSinkAndItsSession(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		r := moqt.FetchRequest{Track: name("video"), End: media.Location{Object: 3}}
		err := while(func() error { return s.Fetch(t.Context(), r, nil, failing{}) }, func() { p.next().write(p.frames("a")) })
		if !errors.Is(err, errSink) {
			t.Error(err)
		}
		lives(t, ran)
		err = while(func() error { return s.Fetch(t.Context(), r, nil, newRecorder()) }, func() {
			p.next()
			p.conn.Close(77, "enough")
		})
		if e := closes(t, ran); err != e {
			t.Errorf("%v, want %v", err, e)
		}
	})
}
