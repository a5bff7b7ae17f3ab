package moqt

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

func TestASubscriptionCarriesObjectsAndTheirEnd(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		sub := subscribe(t, s, sink, func() {
			a := p.next()
			if diff := cmp.Diff(track("video"), a.m.(*dialect.Subscribe).Track); diff != "" {
				t.Error(diff)
			}
			a.reply(&dialect.SubscribeOK{Alias: 7, Params: dialect.Params{Largest: &media.Location{Group: 4, Object: 9}},
				Properties: []media.Property{{Type: 0x0E, Value: 100}}})
		})
		if l, ok := sub.Largest(); !ok || l != (media.Location{Group: 4, Object: 9}) || len(sub.Properties()) != map[bool]int{true: 1}[d.Number >= 16] {
			t.Errorf("largest %v %v, properties %v", l, ok, sub.Properties())
		}
		h := dialect.SubgroupHeader{Alias: 7, Group: 5, ID: dialect.SubgroupStated, Subgroup: 2, EndOfGroup: true}
		p.must(p.stream(p.subgroup(h, "ab", "", "cd")).Close())
		want := object(5, 0, "ab")
		want.Subgroup = 2
		if diff := cmp.Diff(want, <-sink.objects); diff != "" {
			t.Error(diff)
		}
		sink.gets(t, "", "cd")
		wantEnd := StreamEvent{Group: 5, Subgroup: 2, EndOfGroup: true, Objects: 3, Last: 2}
		if diff := cmp.Diff(wantEnd, sink.ends(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSubscribeSendsNoParameterThatTheDraftDoesNotAskFor(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		subscribe(t, s, newRecorder(), func() {
			a := p.next()
			want := d.Append(nil, &dialect.Subscribe{Track: track("video"), Params: dialect.Params{Filter: d.LiveFilter}})
			if got := d.Append(nil, a.m); !bytes.Equal(want, got) {
				t.Errorf("got %x, want %x", got, want)
			}
			a.reply(&dialect.SubscribeOK{Alias: 7})
		})
	})
}

func TestRefusalsAreTyped(t *testing.T) {
	for _, v := range []struct {
		refusal dialect.Refusal
		want    error
	}{
		{dialect.DoesNotExist, ErrNotFound},
		{dialect.NotAuthorized, ErrUnauthorized},
		{dialect.BadToken, ErrNotFound}, // we sent none
		{dialect.NotSupported, ErrNotSupported},
		{dialect.InvalidRange, ErrRange},
		{dialect.TimedOut, ErrBusy},
		{dialect.MalformedTrack, ErrMalformed},
		{dialect.Refused, ErrRefused},
	} {
		eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
			s, p, ran := inSession(t, d, Config{})
			m := d.Refuse(&dialect.Subscribe{}, v.refusal, "because")
			if d.Refusal(m) != v.refusal {
				return // 14 cannot say it about a SUBSCRIBE
			}
			m.Retry = 1501
			err := while(func() error {
				_, err := s.Subscribe(t.Context(), track("x"), SubscribeOptions{}, newRecorder())
				return err
			}, func() { a := p.next(); a.reply(m); a.fin() })
			e, ok := errors.AsType[*RequestError](err)
			if !ok || !errors.Is(err, v.want) || e.Reason != "because" {
				t.Errorf("%v, want %v", err, v.want)
			}
			if retries := d.Number >= 16; e.Retry != retries || retries && e.RetryAfter != 1500*time.Millisecond {
				t.Errorf("%v, want %v", err, v.want)
			}
			lives(t, ran)
		})
	}
}

func TestAnUnansweredSubscribeIsWithdrawn(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := while(func() error {
			_, err := s.Subscribe(ctx, track("x"), SubscribeOptions{}, newRecorder())
			return err
		}, func() { p.next().cancelled() })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestPublishDoneEndsASubscriptionBehindItsStreams(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		sub, a := subscribed(t, s, p, sink)
		a.reply(&dialect.PublishDone{Code: d.StatusCode(dialect.TrackEnded), Streams: 2, Reason: "over"})
		a.fin()
		time.Sleep(time.Second)
		slow := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "late"))
		sink.gets(t, "late")
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7, Group: 1}, "later")).Close())
		sink.gets(t, "later")
		time.Sleep(10 * time.Second)
		if sub.Err() != nil {
			t.Errorf("ended before its stream: %v", sub.Err())
		}
		p.must(slow.Close())
		<-sub.Done()
		if e, ok := errors.AsType[*DoneError](sub.Err()); !ok || e.Status != TrackEnded || e.Reason != "over" {
			t.Error(sub.Err())
		}
		lives(t, ran)
	})
}

func TestPublishDonesCountOfStreamsIsAHint(t *testing.T) {
	for _, streams := range []uint64{0, 1, 99, dialect.UnknownStreams} {
		eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
			s, p, _ := inSession(t, d, Config{})
			sink := newRecorder()
			sub, a := subscribed(t, s, p, sink)
			p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "x")).Close())
			sink.ends(t)
			begun := time.Now()
			a.reply(&dialect.PublishDone{Code: d.StatusCode(dialect.Expired), Streams: streams})
			<-sub.Done()
			want := drainTimeout
			if streams == 1 {
				want = 0
			}
			if took := time.Since(begun).Truncate(100 * time.Millisecond); took != want {
				t.Errorf("%d streams: done after %v, want %v", streams, took, want)
			}
			if e, ok := errors.AsType[*DoneError](sub.Err()); !ok || e.Status != Expired {
				t.Error(sub.Err())
			}
		})
	}
}

func TestTheRequestsEndEndsTheSubscription(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, a := subscribed(t, s, p, newRecorder())
		a.st.Reset(5)
		<-sub.Done()
		if !isReset(sub.Err(), 5) {
			t.Errorf("after a reset: %v", sub.Err())
		}
		sub, a = subscribed(t, s, p, newRecorder())
		a.fin()
		<-sub.Done()
		if e, ok := errors.AsType[*DoneError](sub.Err()); !ok || e.Status != Failed {
			t.Errorf("after a FIN: %v", sub.Err())
		}
		lives(t, ran)
	})
}

func TestCloseUnsubscribes(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		sub, a := subscribed(t, s, p, sink)
		open := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "x"))
		sink.gets(t, "x")
		sub.Close()
		if !errors.Is(sub.Err(), ErrClosed) {
			t.Error(sub.Err())
		}
		a.cancelled()
		time.Sleep(time.Second)
		if _, err := open.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
			t.Errorf("the open stream: %v", err)
		}
		late := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "y"))
		time.Sleep(time.Second)
		if _, err := late.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
			t.Errorf("a later stream: %v", err)
		}
		lives(t, ran)
	})
}

func TestTenThousandOneObjectStreams(t *testing.T) {
	const n = 10_000
	eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		for g := range uint64(n) {
			st, err := p.conn.OpenUniStream(ctx) // waits for credit: a leak would stop it
			p.must(err)
			_, err = st.Write(p.subgroup(dialect.SubgroupHeader{Alias: 7, Group: g}, strconv.FormatUint(g, 10)))
			p.must(err)
			if g%3 == 0 {
				time.Sleep(10 * time.Millisecond) // the FIN comes on its own
			}
			p.must(st.Close())
		}
		seen := map[uint64]bool{}
		for range n {
			seen[sink.ends(t).Group] = true
		}
		if len(seen) != n || len(sink.objects) != n {
			t.Errorf("%d groups, %d objects", len(seen), len(sink.objects))
		}
	})
}

func TestStreamsMayComeBeforeTheirAlias(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		m := NewMetrics(prometheus.NewRegistry())
		s, p, _ := inSession(t, d, Config{Metrics: m})
		sink := newRecorder()
		subscribe(t, s, sink, func() {
			a := p.next()
			for g := range uint64(3) {
				p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7, Group: g}, "early")).Close())
				p.must(p.conn.SendDatagram(p.d.AppendDatagram(nil, dialect.Datagram{Alias: 7, Object: object(g, 1, "early")})))
			}
			time.Sleep(time.Second)
			if len(sink.objects) > 0 {
				t.Error("objects of an unknown alias were delivered")
			}
			a.reply(&dialect.SubscribeOK{Alias: 7})
		})
		sink.gets(t, "early", "early", "early", "early", "early", "early")
		if got := testutil.ToFloat64(m.parked); got != 6 {
			t.Errorf("%v parked, want 6", got)
		}
	})
}

func TestParkedStreamsAreGivenUp(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		m := NewMetrics(prometheus.NewRegistry())
		s, p, ran := inSession(t, d, Config{Metrics: m, Limits: Limits{Parked: 2}})
		parked := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 99}, "x"))
		p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 98}, "x"))
		time.Sleep(time.Second)
		tooMany := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 97}, "x"))
		time.Sleep(time.Second)
		if _, err := tooMany.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
			t.Errorf("one too many: %v", err)
		}
		if _, err := parked.Write([]byte("more")); err != nil {
			t.Errorf("given up too early: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := parked.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
			t.Errorf("not given up: %v", err)
		}
		if got := testutil.ToFloat64(m.expired); got != 2 {
			t.Errorf("%v expired, want 2", got)
		}
		sink := newRecorder()
		subscribed(t, s, p, sink)
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "room again")).Close())
		sink.gets(t, "room again")
		lives(t, ran)
	})
}

func TestDatagramsOfUnknownAliasesAreBounded(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		m := NewMetrics(prometheus.NewRegistry())
		_, p, ran := inSession(t, d, Config{Metrics: m, Limits: Limits{Parked: 4}})
		for range 10 {
			p.must(p.conn.SendDatagram(p.d.AppendDatagram(nil, dialect.Datagram{Alias: 99, Object: object(0, 0, "x")})))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := testutil.ToFloat64(m.expired); got != 6 {
			t.Errorf("%v expired, want 6", got)
		}
		lives(t, ran)
	})
}

func TestResetAndFINAreToldApart(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		m := NewMetrics(prometheus.NewRegistry())
		s, p, ran := inSession(t, d, Config{Metrics: m, Limits: Limits{Object: 100}})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		h := dialect.SubgroupHeader{Alias: 7, Group: 1, EndOfGroup: true}
		whole := p.subgroup(h, "first", "second")
		end := func(finish func(b []byte), b []byte) StreamEvent { finish(b); return sink.ends(t) }
		fin := func(b []byte) { p.must(p.stream(b).Close()) }
		reset := func(b []byte) {
			st := p.stream(b)
			time.Sleep(time.Second)
			st.Reset(2)
		}
		want := StreamEvent{Group: 1, EndOfGroup: true, Objects: 2, Last: 1}
		if diff := cmp.Diff(want, end(fin, whole)); diff != "" {
			t.Errorf("FIN: %s", diff)
		}
		want.Reset, want.Code = true, 2
		if diff := cmp.Diff(want, end(reset, whole)); diff != "" {
			t.Errorf("reset: %s", diff)
		}
		want.Objects, want.Last, want.Code = 1, 0, 0
		if diff := cmp.Diff(want, end(fin, whole[:len(whole)-1])); diff != "" {
			t.Errorf("FIN inside an object: %s", diff)
		}
		if diff := cmp.Diff(want, end(fin, p.subgroup(h, "first", string(make([]byte, 101))))); diff != "" {
			t.Errorf("too large: %s", diff)
		}
		for counter, want := range map[prometheus.Counter]float64{m.resets: 1, m.malformedBy.WithLabelValues("truncated"): 1,
			m.malformedBy.WithLabelValues("too_large"): 1} {
			if got := testutil.ToFloat64(counter); got != want {
				t.Errorf("%v: %v, want %v", counter.Desc(), got, want)
			}
		}
		lives(t, ran)
	})
}

func TestStatusesArePassedOnAndUnknownOnesAreNot(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		h := dialect.SubgroupHeader{Alias: 7}
		w, b := d.NewSubgroupWriter(h), d.AppendSubgroupHeader(nil, h)
		for id, status := range []media.Status{media.Normal, 1, media.EndOfGroup, media.EndOfTrack} {
			b = w.Append(b, media.Object{Location: media.Location{Object: uint64(id)}, Status: status})
		}
		p.must(p.stream(b).Close())
		if e := sink.ends(t); e.Objects != 3 || e.Last != 3 {
			t.Errorf("%+v", e)
		}
		for _, want := range []media.Status{media.Normal, media.EndOfGroup, media.EndOfTrack} {
			if o := <-sink.objects; o.Status != want {
				t.Errorf("status %d, want %d", o.Status, want)
			}
		}
		lives(t, ran)
	})
}

func TestDatagramsSayWhereTheGroupEnds(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		want := object(3, 4, "frame")
		want.Last, want.Properties = true, []media.Property{{Type: 0x10, Value: 12345}}
		p.must(p.conn.SendDatagram(d.AppendDatagram(nil, dialect.Datagram{Alias: 7, Object: want})))
		if diff := cmp.Diff(want, <-sink.objects); diff != "" {
			t.Error(diff)
		}
	})
}

// sinkFunc is a Sink that does something with objects.
type sinkFunc func(ctx context.Context, o media.Object) error

func (f sinkFunc) Object(ctx context.Context, o media.Object) error { return f(ctx, o) }
func (f sinkFunc) Stream(context.Context, StreamEvent)              {}
