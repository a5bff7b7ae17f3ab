package moqt

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// fetched codes a fetch stream.
func (p *peer) fetched(id uint64, items ...dialect.FetchObject) []byte {
	w, b := p.d.NewFetchWriter(), p.d.AppendFetchHeader(nil, id)
	for _, o := range items {
		b = w.Append(b, o)
	}
	return b
}

func TestFetchBringsARange(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		sink := newRecorder()
		r := FetchRequest{Track: track("video"), Start: media.Location{Group: 3}, End: media.Location{Group: 4, Object: 7}}
		err := while(func() error { return s.Fetch(t.Context(), r, sink) }, func() {
			a := p.next()
			want := &dialect.Fetch{RequestID: a.id, Type: dialect.Standalone, Track: r.Track, Start: r.Start,
				End: media.Location{Group: 4, Object: 8}, Params: dialect.Params{Order: d.FetchOrder}}
			if want, got := d.Append(nil, want), d.Append(nil, a.m); !bytes.Equal(want, got) {
				t.Errorf("got %x, want %x", got, want)
			}
			a.reply(&dialect.FetchOK{End: want.End})
			p.must(p.stream(p.fetched(a.id, dialect.FetchObject{Object: object(3, 0, "ab")},
				dialect.FetchObject{Object: object(3, 9, ""), Gap: dialect.Unknown},
				dialect.FetchObject{Object: object(4, 2, "cd")})).Close())
		})
		if err != nil {
			t.Fatal(err)
		}
		sink.gets(t, "ab", "cd")
		want := StreamEvent{Fetch: true, Group: 4, Objects: 2, Last: 2, Unknown: d.Number >= 16}
		if diff := cmp.Diff(want, sink.ends(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFetchAsksForWholeGroups(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		r := FetchRequest{Track: track("video"), End: media.Location{Group: 4, Object: WholeGroup}}
		err := while(func() error { return s.Fetch(t.Context(), r, newRecorder()) }, func() {
			a := p.next()
			if end := a.m.(*dialect.Fetch).End; end != (media.Location{Group: 4}) {
				t.Errorf("end %v", end)
			}
			p.must(p.stream(p.fetched(a.id)).Close()) // the stream before the answer, and empty
			a.reply(&dialect.FetchOK{})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestFetchJoinsASubscription(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		subscribed(t, s, p, newRecorder())
		sub, a := subscribed2(t, s, p)
		sink := newRecorder()
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Join: sub, Groups: 1}, sink) }, func() {
			id := joins(a)
			time.Sleep(time.Second) // the answer comes first
			p.must(p.stream(p.fetched(id, dialect.FetchObject{Object: object(3, 0, "head")})).Close())
		})
		if err != nil {
			t.Fatal(err)
		}
		sink.gets(t, "head")
	})
}

// joins accepts the request that joins the subscription a from the group before its largest, and returns its id.
func joins(a *asked) uint64 {
	a.p.t.Helper()
	if a.p.d.Join == dialect.Fill {
		m := a.p.read(a.r).(*dialect.RequestUpdate)
		want := &dialect.Filter{Type: dialect.ObjectRange, Start: media.Location{Group: 3}, EndGroup: 4, EndObject: 9}
		if diff := cmp.Diff(want, m.Params.Fill.Filter); diff != "" {
			a.p.t.Error(diff)
		}
		a.reply(a.p.d.Accept(m))
		return m.RequestID
	}
	f := a.p.next()
	want := &dialect.Fetch{RequestID: f.id, Type: dialect.RelativeJoining, Joining: a.id, JoiningStart: 1,
		Params: dialect.Params{Order: a.p.d.FetchOrder}}
	if want, got := a.p.d.Append(nil, want), a.p.d.Append(nil, f.m); !bytes.Equal(want, got) {
		a.p.t.Errorf("got %x, want %x", got, want)
	}
	f.reply(&dialect.FetchOK{})
	return f.id
}

// subscribed2 makes a second subscription, whose request id is not 0.
func subscribed2(t *testing.T, s *Session, p *peer) (sub *Subscription, a *asked) {
	t.Helper()
	p.must(while(func() (err error) {
		sub, err = s.Subscribe(t.Context(), track("audio"), SubscribeOptions{}, newRecorder())
		return err
	}, func() {
		a = p.next()
		a.reply(&dialect.SubscribeOK{Alias: 8, Params: dialect.Params{Largest: &media.Location{Group: 4, Object: 9}}})
	}))
	return sub, a
}

func TestFetchErrors(t *testing.T) {
	refuse := func(a *asked) {
		a.reply(a.p.d.Refuse(a.m, dialect.InvalidRange, "nothing yet"))
		a.fin()
	}
	for name, v := range map[string]struct {
		script func(p *peer, a *asked)
		want   func(error) bool
	}{
		"refused": {func(_ *peer, a *asked) { refuse(a) }, func(err error) bool { return errors.Is(err, ErrRange) }},
		"refused underway": {func(p *peer, a *asked) {
			st := p.stream(p.fetched(a.id, dialect.FetchObject{Object: object(3, 0, "ab")}))
			time.Sleep(time.Second)
			refuse(a)
			time.Sleep(time.Second)
			st.Reset(0)
		}, func(err error) bool { return errors.Is(err, ErrRange) }},
		"reset": {func(p *peer, a *asked) {
			st := p.stream(p.fetched(a.id))
			a.reply(&dialect.FetchOK{})
			time.Sleep(time.Second)
			st.Reset(6)
		}, func(err error) bool { return isReset(err, 6) }},
	} {
		t.Run(name, func(t *testing.T) {
			eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
				s, p, ran := inSession(t, d, Config{})
				err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Track: track("x")}, newRecorder()) },
					func() { v.script(p, p.next()) })
				if !v.want(err) {
					t.Error(err)
				}
				lives(t, ran)
			})
		})
	}
}

func TestFetchIsCancelledWithItsContext(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		sink := newRecorder()
		err := while(func() error { return s.Fetch(ctx, FetchRequest{Track: track("x")}, sink) }, func() {
			a := p.next()
			st := p.stream(p.fetched(a.id, dialect.FetchObject{Object: object(3, 0, "ab")}))
			sink.gets(t, "ab")
			cancel()
			a.cancelled()
			time.Sleep(time.Second)
			if _, err := st.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
				t.Errorf("the stream: %v", err)
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		late := p.stream(p.fetched(0))
		time.Sleep(time.Second)
		if _, err := late.Write([]byte("more")); !isReset(err, dialect.ResetCancelled) {
			t.Errorf("a stream that nobody waits for: %v", err)
		}
		lives(t, ran)
	})
}

func TestTheSinksErrorEndsTheFetch(t *testing.T) {
	broken := errors.New("broken")
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := sinkFunc(func(context.Context, media.Object) error { return broken })
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Track: track("x")}, sink) }, func() {
			a := p.next()
			p.stream(p.fetched(a.id, dialect.FetchObject{Object: object(3, 0, "ab")}))
		})
		if err != broken {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestAMalformedFetchStreamClosesTheSession(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Track: track("x")}, newRecorder()) }, func() {
			p.stream(append(p.fetched(p.next().id), 0, 0, 0, 0, 1, 0)) // in 14 it is the sixth byte that is wrong
		})
		if e := closes(t, ran); e.Code != dialect.ProtocolViolation || err == nil {
			t.Error(e, err)
		}
	})
}

func TestAFillThatIsRefusedIsNotAskedAgain(t *testing.T) {
	oneDraft(t, dialect.Draft22(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, a := subscribed2(t, s, p)
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Join: sub}, newRecorder()) }, func() {
			m := p.read(a.r)
			a.reply(d.Refuse(m, dialect.NotSupported, "no"))
			a.reply(&dialect.PublishDone{Code: 8}) // 18 and later, "Updating Subscriptions"
		})
		if !errors.Is(err, ErrNotSupported) {
			t.Error(err)
		}
		<-sub.Done()
		sub, _ = subscribed2(t, s, p)
		if err := s.Fetch(t.Context(), FetchRequest{Join: sub}, newRecorder()); !errors.Is(err, ErrNotSupported) {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestAFillEndsWithItsSubscription(t *testing.T) {
	oneDraft(t, dialect.Draft22(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, a := subscribed2(t, s, p)
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Join: sub}, newRecorder()) }, func() {
			p.read(a.r)
			a.reply(&dialect.PublishDone{Code: d.StatusCode(dialect.TrackEnded)})
		})
		if e, ok := errors.AsType[*DoneError](err); !ok || e.Status != TrackEnded {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestAFillWaitsForItsSubscription(t *testing.T) {
	oneDraft(t, dialect.Draft22(), func(t *testing.T, d *dialect.Dialect) {
		for name, hold := range map[string]bool{"forwarded": false, "held back": true} {
			ended := make(chan error, 1)
			var s *Session
			s, p, ran := accepted(t, d, Config{Published: func(sub *Subscription) (Sink, error) {
				go func() { ended <- s.Fetch(t.Context(), FetchRequest{Join: sub}, newRecorder()) }()
				synctest.Wait() // whatever it can do before the subscription runs
				return newRecorder(), nil
			}})
			o := p.push(&dialect.Publish{Track: track("video"), Alias: 9, Params: dialect.Params{Largest: &media.Location{}, Forward: new(!hold)}}, 2)
			if hold { // no second update, whose answer could not be told from that to the first
				o.send(d.Accept(o.answers[1]))
			} else {
				o.send(d.Refuse(o.answers[1], dialect.NotSupported, "no"))
			}
			if err := <-ended; !errors.Is(err, ErrNotSupported) {
				t.Errorf("%s: %v", name, err)
			}
			lives(t, ran)
		}
	})
}

// We ask for groups in ascending order. Where ids are written as they are, one that does not comply is understood all the same; later
// its differences would be those of other groups.
func TestAFetchThatComesNewestFirstIsHandedOverAsItIs(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft14(), dialect.Draft15(), dialect.Draft16(), dialect.Draft17()} {
		oneDraft(t, d, func(t *testing.T, d *dialect.Dialect) {
			s, p, ran := inSession(t, d, Config{})
			sink := newRecorder()
			err := while(func() error {
				return s.Fetch(t.Context(), FetchRequest{Track: track("x"), Start: media.Location{Group: 5}, End: media.Location{Group: 7, Object: 1}}, sink)
			}, func() {
				a := p.next()
				if o := a.m.(*dialect.Fetch).Params.Order; o == dialect.Descending {
					t.Errorf("order %v is asked for", o)
				}
				a.reply(&dialect.FetchOK{Params: dialect.Params{Order: dialect.Descending}})
				w, b := d.NewFetchWriter(), d.AppendFetchHeader(nil, a.id)
				for _, group := range []uint64{7, 6, 5} {
					for id := range uint64(2) {
						b = w.Append(b, dialect.FetchObject{Object: object(group, id, string(rune('0'+group)))})
					}
				}
				p.must(p.stream(b).Close())
			})
			p.must(err)
			sink.gets(t, "7", "7", "6", "6", "5", "5")
			lives(t, ran)
		})
	}
}
