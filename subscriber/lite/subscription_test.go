package lite

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

func TestASubscriptionCarriesGroupsAndTheirEnd(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		sub, a := subscribe(t, s, p, sink)
		want := &dialect.Subscribe{ID: 0, Track: dialect.Track{Broadcast: "moqpack/test", Name: "video"},
			Delivery: dialect.Delivery{Priority: 128, Ordered: true, MaxLatency: 30 * time.Second}}
		if diff := cmp.Diff(want, a.m); diff != "" {
			t.Error(diff)
		}
		if l, ok := sub.Largest(); !ok || l != (media.Location{Group: 5}) {
			t.Errorf("largest %v %v", l, ok)
		}
		p.must(p.stream(p.group(0, 5, "ab", "", "cd")).Close())
		for id, payload := range []string{"ab", "", "cd"} {
			o := <-sink.objects
			o.Payload = append([]byte{}, o.Payload...)
			if diff := cmp.Diff(p.object(5, uint64(id), payload), o); diff != "" {
				t.Error(diff)
			}
		}
		wantEnd := moqt.StreamEvent{Group: 5, EndOfGroup: true, First: true, Objects: 3, Last: 2}
		if diff := cmp.Diff(wantEnd, sink.ends(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestASubscriptionFromAGroupOn(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		o := moqt.SubscribeOptions{Start: moqt.At, From: media.Location{Group: 3}, Priority: 55}
		err := while(func() error {
			_, err := s.Subscribe(t.Context(), name("video"), o, newRecorder())
			return err
		}, func() {
			a := p.asks()
			if m := a.m.(*dialect.Subscribe); m.Start == nil || *m.Start != 3 || m.Priority != 200 {
				t.Errorf("%+v", m)
			}
			a.accept(3)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestAResetIsARefusal(t *testing.T) {
	for wire, code := range map[uint64]uint64{404: 404, 0x52e4a40fa912: 0x36, 0x52e4a40fa8db: 0} { // moq-dev: "unroutable"
		eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
			s, p, ran := inSession(t, d, Config{})
			err := while(func() error {
				_, err := s.Subscribe(t.Context(), name("video"), moqt.SubscribeOptions{}, newRecorder())
				return err
			}, func() { p.asks().st.Reset(wire) })
			var refused *moqt.RequestError
			if !errors.As(err, &refused) || !errors.Is(err, moqt.ErrNotFound) || refused.Code != code {
				t.Error(err)
			}
			lives(t, ran)
		})
	}
}

func TestAFINWithoutAnAnswerIsARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := inSession(t, dialect.Draft04(), Config{})
		err := while(func() error {
			_, err := s.Subscribe(t.Context(), name("video"), moqt.SubscribeOptions{}, newRecorder())
			return err
		}, func() { p.asks().fin() })
		if !errors.Is(err, moqt.ErrRange) {
			t.Error(err)
		}
	})
}

func TestTheFirstGroupIsAnAnswerToo(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		var sub *Subscription
		err := while(func() (err error) {
			sub, err = s.Subscribe(t.Context(), name("video"), moqt.SubscribeOptions{}, sink)
			return err
		}, func() {
			p.asks()
			p.stream(p.group(0, 8, "ab"))
		})
		if err != nil {
			t.Fatal(err)
		}
		if l, ok := sub.Largest(); !ok || l.Group != 8 {
			t.Errorf("largest %v %v", l, ok)
		}
		sink.gets(t, "ab")
	})
}

func TestATrackWithoutGroupsIsAcceptedAfterAWhile(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		var sub *Subscription
		err := while(func() (err error) {
			sub, err = s.Subscribe(t.Context(), name("video"), moqt.SubscribeOptions{}, sink)
			return err
		}, func() {
			if a := p.asks(); !d.Timed { // otherwise the answer to TRACK says that there is such a track
				a.answer(&dialect.SubscribeOK{})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if l, ok := sub.Largest(); ok {
			t.Errorf("largest %v", l)
		}
		p.stream(p.group(0, 8, "ab"))
		sink.gets(t, "ab")
	})
}

func TestAFINLetsWhatIsOnItsWayArrive(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		sub, a := subscribe(t, s, p, sink)
		if d.Timed {
			a.answer(&dialect.SubscribeEnd{Group: 6})
		}
		a.fin()
		time.Sleep(time.Second)
		p.must(p.stream(p.group(0, 5, "ab")).Close())
		sink.gets(t, "ab")
		<-sub.Done()
		var done *moqt.DoneError
		if err := sub.Err(); !errors.As(err, &done) || done.Status != moqt.TrackEnded {
			t.Error(err)
		}
	})
}

func TestAResetLetsOpenStreamsEnd(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		sub, a := subscribe(t, s, p, sink)
		st := p.stream(p.group(0, 5, "ab"))
		sink.gets(t, "ab")
		a.st.Reset(500)
		time.Sleep(time.Second)
		st.Reset(1)
		<-sub.Done()
		if e := sink.ends(t); !e.Reset || e.Code != 1 {
			t.Errorf("%+v", e)
		}
		var done *moqt.DoneError
		if err := sub.Err(); !errors.As(err, &done) || done.Status != moqt.Failed || done.Code != 500 {
			t.Error(err)
		}
	})
}

func TestAnEmptyGroupSaysThatThereIsNothingInIt(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		subscribe(t, s, p, sink)
		p.must(p.stream(p.group(0, 5)).Close())
		want := media.Object{Location: media.Location{Group: 5}, Status: media.EndOfGroup}
		if diff := cmp.Diff(want, <-sink.objects); diff != "" {
			t.Error(diff)
		}
	})
}

// gate is a Sink that lets objects of one group wait.
type gate struct {
	recorder
	group uint64
	open  chan struct{}
}

func (g gate) Object(ctx context.Context, o media.Object) error {
	if o.Group == g.group {
		select {
		case <-g.open:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return g.recorder.Object(ctx, o)
}

func TestABlockedSinkStopsTheReadingOfItsStreamOnly(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := gate{newRecorder(), 5, make(chan struct{})}
		subscribe(t, s, p, sink)
		st := p.stream(p.group(0, 5, "ab"))
		wrote := make(chan struct{})
		go func() { // more than a stream's window
			defer close(wrote)
			b := p.frames(string(make([]byte, 7<<20)), "cd")
			if _, err := st.Write(b); err == nil {
				_ = st.Close()
			}
		}()
		p.must(p.stream(p.group(0, 6, "ef")).Close())
		sink.gets(t, "ef")
		time.Sleep(time.Minute)
		select {
		case <-wrote:
			t.Error("the stream was read on")
		default:
		}
		close(sink.open)
		sink.gets(t, "ab", string(make([]byte, 7<<20)), "cd")
		<-wrote
	})
}

func TestCloseIsHeardByThePublisher(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		sub, a := subscribe(t, s, p, sink)
		open := p.stream(p.group(0, 5, "ab"))
		sink.gets(t, "ab")
		sub.Close()
		if m, err := d.ReadUpdate(a.r); m != nil || !isReset(err) {
			t.Errorf("%v, %v", m, err)
		}
		late := p.stream(p.group(0, 6, "cd"))
		time.Sleep(time.Second)
		for _, st := range []interface{ Write([]byte) (int, error) }{open, late} {
			if _, err := st.Write(p.frames("ef")); !isReset(err) {
				t.Errorf("stream was not stopped: %v", err)
			}
		}
		lives(t, ran)
		if !errors.Is(sub.Err(), moqt.ErrClosed) {
			t.Error(sub.Err())
		}
	})
}

func isReset(err error) bool {
	e, ok := errors.AsType[*moqt.ResetError](err)
	return ok && e.Remote && e.Code == dialect.ResetCancelled
}

func TestAnErrorOfTheSinkEndsItsSubscription(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, _ := subscribe(t, s, p, failing{})
		p.stream(p.group(0, 5, "ab"))
		<-sub.Done()
		if !errors.Is(sub.Err(), errSink) {
			t.Error(sub.Err())
		}
		lives(t, ran)
	})
}

type failing struct{}

var errSink = errors.New("sink is full")

func (failing) Object(context.Context, media.Object) error { return errSink }
func (failing) Stream(context.Context, moqt.StreamEvent)   {}

func TestDatagramsAreGroupsOfOneFrame(t *testing.T) {
	newest(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		subscribe(t, s, p, sink)
		p.must(p.conn.SendDatagram(d.AppendDatagram(nil, dialect.Datagram{Subscribe: 9, Payload: []byte("whose?")})))
		p.must(p.conn.SendDatagram([]byte{0xff})) // nonsense
		p.must(p.conn.SendDatagram(d.AppendDatagram(nil, dialect.Datagram{Sequence: 7, Timestamp: 1000, Payload: []byte("ab")})))
		want := p.object(7, 0, "ab")
		want.Last = true
		if diff := cmp.Diff(want, <-sink.objects); diff != "" {
			t.Error(diff)
		}
		if e := sink.ends(t); !e.Datagram || e.Group != 7 || !e.EndOfGroup {
			t.Errorf("%+v", e)
		}
		lives(t, ran)
	})
}

func TestObjectsGoWithoutTimestampsIfNobodySaysWhatTheyCountIn(t *testing.T) {
	for what, script := range map[string]func(a *asked){
		"refused":    func(a *asked) { a.st.Reset(1) },
		"nonsense":   func(a *asked) { a.write([]byte{4, 0, 0, 0, 0}) },
		"unanswered": func(*asked) {},
	} {
		t.Run(what, func(t *testing.T) {
			newest(t, func(t *testing.T, d *dialect.Dialect) {
				s, p, ran := inSession(t, d, Config{})
				sink := newRecorder()
				err := while(func() error {
					_, err := s.Subscribe(t.Context(), name("video"), moqt.SubscribeOptions{}, sink)
					return err
				}, func() {
					for range 2 {
						if a := p.next(); a.m != nil {
							if _, ok := a.m.(*dialect.TrackRequest); ok {
								script(a)
							} else {
								a.accept(5)
							}
						}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				p.must(p.stream(p.group(0, 5, "ab")).Close())
				select {
				case o := <-sink.objects:
					if o.Properties != nil || string(o.Payload) != "ab" {
						t.Errorf("%+v", o)
					}
				case <-time.After(5 * time.Second):
					t.Error("nothing came")
				}
				lives(t, ran)
			})
		})
	}
}
