package lite

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

func TestSetupSaysWhere(t *testing.T) {
	for _, c := range []struct {
		path string
		want *string
	}{{"/live?jwt=x", new("/live?jwt=x")}, {"", nil}, {"/", nil}} {
		newest(t, func(t *testing.T, d *dialect.Dialect) {
			_, p, _ := inSession(t, d, Config{Path: c.path})
			st, err := p.conn.AcceptUniStream(t.Context())
			p.must(err)
			r := d.NewReader(st)
			m, err := d.ReadStream(r)
			p.must(err)
			if diff := cmp.Diff(&dialect.Setup{Path: c.want, Role: dialect.SubscriberRole}, m); diff != "" {
				t.Error(diff)
			}
			if r.More() || r.Err() != nil {
				t.Error("SETUP is not followed by a FIN:", r.Err())
			}
		})
	}
}

func TestNoSetupBefore05(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft03(), dialect.Draft04()} {
		synctest.Test(t, func(t *testing.T) {
			_, p, _ := inSession(t, d, Config{Path: "/live"})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := p.conn.AcceptUniStream(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(d.ALPN, err)
			}
		})
	}
}

func TestThePeersSetupComesOnce(t *testing.T) {
	newest(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		p.must(p.stream(d.AppendStream(nil, &dialect.Setup{Probe: 1})).Close())
		lives(t, ran)
		p.must(p.stream(d.AppendStream(nil, &dialect.Setup{Probe: 1})).Close())
		if e := closes(t, ran); e.Remote || e.Code != dialect.ProtocolViolation {
			t.Error(e)
		}
	})
}

func TestUnknownStreamsEndThemselvesOnly(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		subscribe(t, s, p, sink)
		uni, bidi := p.stream([]byte{0x2f, 1, 2}), p.request([]byte{0x2f, 1, 2})
		if _, err := bidi.Read(make([]byte, 1)); err == nil {
			t.Error("an unknown request was answered")
		}
		time.Sleep(time.Second)
		if _, err := uni.Write(make([]byte, 1)); !isReset(err) {
			t.Error(err)
		}
		p.stream(p.group(0, 5, "ab"))
		sink.gets(t, "ab")
		lives(t, ran)
	})
}

func TestWhatWeAreAskedForIsRefused(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		for _, m := range []dialect.Request{&dialect.Subscribe{}, &dialect.Fetch{}, &dialect.Probe{}} {
			st := p.request(d.AppendRequest(nil, m))
			if _, err := st.Read(make([]byte, 1)); err == nil {
				t.Errorf("%T was answered", m)
			}
		}
		lives(t, ran)
	})
}

func TestWeAnnounceNothingForAsLongAsTheyListen(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		st := p.request(d.AppendRequest(nil, &dialect.AnnounceRequest{}))
		r := d.NewReader(st)
		if d.AnnounceOK {
			if m, err := d.ReadAnnounceOK(r); err != nil || m != (dialect.AnnounceOK{}) {
				t.Error(m, err)
			}
		}
		ended := make(chan bool, 1)
		go func() { ended <- r.More() }()
		time.Sleep(time.Minute)
		select {
		case <-ended:
			t.Error("the announcements ended")
		default:
		}
		p.must(st.Close())
		if more := <-ended; more || r.Err() != nil {
			t.Error(more, r.Err())
		}
		lives(t, ran)
	})
}

func TestGoawayIsToldAndEndsNothing(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft04(), dialect.Draft05()} {
		synctest.Test(t, func(t *testing.T) {
			s, p, ran := inSession(t, d, Config{})
			sink := newRecorder()
			sub, _ := subscribe(t, s, p, sink)
			p.request(d.AppendRequest(nil, &dialect.Goaway{URI: "https://b/"}))
			<-s.Moving()
			p.must(p.stream(p.group(0, 5, "still here")).Close())
			sink.gets(t, "still here")
			p.request(d.AppendRequest(nil, &dialect.Goaway{URI: "https://c/"})) // the first one counts
			lives(t, ran)
			p.conn.Close(dialect.NoError, "enough")
			e := closes(t, ran)
			if !errors.Is(e, moqt.ErrGoingAway) || e.URI != "https://b/" {
				t.Error(e)
			}
			<-sub.Done()
			if sub.Err() != e {
				t.Error(sub.Err())
			}
		})
	}
}

func TestNonsenseClosesTheSession(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, a := subscribe(t, s, p, newRecorder())
		a.write([]byte{7, 1, 0})
		e := closes(t, ran)
		if e.Code != dialect.ProtocolViolation || !errors.Is(e, wire.ErrValue) {
			t.Error(e)
		}
		if sub.Err() != e {
			t.Error(sub.Err())
		}
	})
}

func TestACutAnswerEndsItsSubscriptionOnly(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, a := subscribe(t, s, p, newRecorder())
		a.write([]byte{0, 5})
		a.fin()
		<-sub.Done()
		var done *moqt.DoneError
		if err := sub.Err(); !errors.As(err, &done) || done.Status != moqt.Failed {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestALargeFrameIsLostAndNothingElse(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{Limits: Limits{Object: 3}})
		sink := newRecorder()
		subscribe(t, s, p, sink)
		p.stream(p.group(0, 5, "abc", "defg"))
		sink.gets(t, "abc")
		if e := sink.ends(t); !e.Reset || e.Objects != 1 {
			t.Errorf("%+v", e)
		}
		p.stream(p.group(0, 6, "hi"))
		sink.gets(t, "hi")
		lives(t, ran)
	})
}

func TestThePeersCloseEndsEverything(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sub, _ := subscribe(t, s, p, newRecorder())
		p.conn.Close(77, "enough")
		if e := closes(t, ran); !e.Remote || e.Code != 77 || e.Reason != "enough" {
			t.Error(e)
		}
		<-sub.Done()
		_, err := s.Subscribe(t.Context(), name("audio"), moqt.SubscribeOptions{}, newRecorder())
		for _, err := range []error{err, sub.Err()} {
			if e, ok := errors.AsType[*moqt.SessionError](err); !ok || e.Code != 77 {
				t.Error(err)
			}
		}
	})
}

func TestNamespacesTellsWhatComesAndGoes(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, _ := inSession(t, d, Config{})
		var got []string
		err := while(func() error {
			return s.Namespaces(t.Context(), []string{"live", "eu"}, func(ns []string, active bool) {
				if active {
					ns = append(ns, "!")
				}
				got = append(got, join(ns))
			})
		}, func() {
			a := p.next()
			if m := a.m.(*dialect.AnnounceRequest); m.Prefix != "live/eu/" {
				t.Errorf("prefix %q", m.Prefix)
			}
			var b []byte
			if d.AnnounceOK {
				b = d.AppendMessage(b, &dialect.AnnounceOK{Hop: 9, Active: 1})
			}
			for _, m := range []dialect.Announce{
				{Status: dialect.Active, Suffix: "a/b"}, {Suffix: "a/b"}, {Status: dialect.Active}, {Status: dialect.Restarted, Suffix: "/c"},
			} {
				b = d.AppendMessage(b, &m)
			}
			a.write(b)
			a.fin()
		})
		want := []string{"live|eu|a|b|!", "live|eu|a|b", "live|eu|!", "live|eu|c|!"}
		if !slices.Equal(want, got) || err != nil {
			t.Error(got, err)
		}
	})
}

func join(fields []string) (s string) {
	for i, f := range fields {
		if i > 0 {
			s += "|"
		}
		s += f
	}
	return s
}

func TestNamespacesEndsWithItsContext(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		var a *asked
		err := while(func() error { return s.Namespaces(ctx, nil, func([]string, bool) {}) }, func() {
			a = p.next()
			cancel()
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if a.r.More() || !isReset(a.r.Err()) {
			t.Error(a.r.Err())
		}
		lives(t, ran)
	})
}
