package moqt

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

func TestASinkThatBlocksStopsItsStreamOnly(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		release, got := make(chan struct{}), make(chan media.Object, 1000)
		sub, _ := subscribed(t, s, p, sinkFunc(func(ctx context.Context, o media.Object) error {
			if o.Group == 0 {
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			got <- o
			return nil
		}))
		payload := string(make([]byte, 1<<20))
		blocked := make(chan struct{})
		go func() { // more than the stream's window
			defer close(blocked)
			p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, payload, payload, payload, payload)).Close())
		}()
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7, Group: 1}, "other")).Close())
		if o := <-got; o.Group != 1 {
			t.Errorf("group %d came first", o.Group)
		}
		time.Sleep(20 * time.Second)
		select {
		case <-blocked:
			t.Error("the publisher was not held back")
		default:
		}
		close(release)
		<-blocked
		for range 4 {
			if o := <-got; len(o.Payload) != len(payload) {
				t.Error("an object is not whole")
			}
		}
		sub.Close()
	})
}

func TestCloseInterruptsTheSinksContext(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		entered := make(chan struct{})
		sub, _ := subscribed(t, s, p, sinkFunc(func(ctx context.Context, _ media.Object) error {
			close(entered)
			<-ctx.Done()
			return nil
		}))
		p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "x"))
		<-entered
		sub.Close()
	})
}

func TestTheSinksErrorEndsTheSubscription(t *testing.T) {
	// Even this kind of error is the sink's own business, and no violation by the peer.
	broken := &wire.Error{In: "catalog", Err: wire.ErrValue}
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, a := subscribed(t, s, p, sinkFunc(func(context.Context, media.Object) error { return broken }))
		p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "x"))
		<-sub.Done()
		if sub.Err() != broken {
			t.Error(sub.Err())
		}
		a.cancelled()
		lives(t, ran)
	})
}

func TestOneAliasForTwoTracksClosesTheSession(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		subscribed(t, s, p, newRecorder())
		err := while(func() error {
			_, err := s.Subscribe(t.Context(), track("audio"), SubscribeOptions{}, newRecorder())
			return err
		}, func() { p.next().reply(&dialect.SubscribeOK{Alias: 7}) })
		if e := closes(t, ran); e.Code != dialect.DuplicateTrackAlias || !errors.Is(err, e) {
			t.Error(e, err)
		}
	})
}

func TestAnAliasMayBeUsedAgainWhenItsSubscriptionIsOver(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		_, a := subscribed(t, s, p, newRecorder())
		a.reply(&dialect.PublishDone{Code: d.StatusCode(dialect.TrackEnded), Streams: dialect.UnknownStreams})
		synctest.Wait()
		sink := newRecorder()
		err := while(func() error {
			_, err := s.Subscribe(t.Context(), track("audio"), SubscribeOptions{}, sink)
			return err
		}, func() { p.next().reply(&dialect.SubscribeOK{Alias: 7}) })
		p.must(err)
		time.Sleep(2 * drainTimeout)
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "new")).Close())
		sink.gets(t, "new")
		lives(t, ran)
	})
}

func TestMandatoryPropertiesThatWeDoNotKnowEndAFetch(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Track: track("x")}, newRecorder()) }, func() {
			a := p.next()
			a.reply(&dialect.FetchOK{Properties: []media.Property{{Type: 0x4002, Value: 1}}})
			a.cancelled()
		})
		if !errors.Is(err, ErrNotSupported) {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestMandatoryPropertiesThatWeDoNotKnow(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		err := while(func() error {
			_, err := s.Subscribe(t.Context(), track("x"), SubscribeOptions{}, newRecorder())
			return err
		}, func() {
			a := p.next()
			a.reply(&dialect.SubscribeOK{Alias: 7, Properties: []media.Property{{Type: 0x4002, Value: 1}}})
			a.cancelled()
		})
		if !errors.Is(err, ErrNotSupported) {
			t.Error(err)
		}
		lives(t, ran)
	})
}
