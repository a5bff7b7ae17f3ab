package moqt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

func TestAcceptTakesThePeersPath(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := accepted(t, d, Config{})
		who, err := s.Peer(t.Context())
		if err != nil || who.Path != "/live" || who.Authority != "here" {
			t.Errorf("%+v, %v", who, err)
		}
		says := "moqpack"
		if d.Nameless {
			says = "" // it has the number of AUTHORITY, which aiomoqt ends the session for
		}
		if p.setup.Path != "" || p.setup.Implementation != says || p.setup.Authority != "" {
			t.Errorf("a server says where it wants to go: %+v", p.setup)
		}
		if limited := d.Control == dialect.OneStream; limited != (p.setup.MaxRequestID > 0) {
			t.Errorf("the peer may ask up to %d", p.setup.MaxRequestID)
		}
		lives(t, ran)
	})
}

func TestAcceptedSessionsSubscribeAndFetch(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := accepted(t, d, Config{})
		sink := newRecorder()
		sub, a := subscribed2(t, s, p)
		subscribed(t, s, p, sink)
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "pulled")).Close())
		sink.gets(t, "pulled")
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Join: sub, Groups: 1}, sink) }, func() {
			p.must(p.stream(p.fetched(joins(a), dialect.FetchObject{Object: object(3, 0, "head")})).Close())
		})
		if err != nil {
			t.Error(err)
		}
		sink.gets(t, "head")
		lives(t, ran)
	})
}

// pushed is a track that a peer offers by PUBLISH.
type pushed struct {
	p       *peer
	st      transport.Stream // PerRequest only
	answers []dialect.Message
}

// push offers a track and waits for as many answers.
func (p *peer) push(m *dialect.Publish, answers int) *pushed {
	p.t.Helper()
	o := &pushed{p: p}
	r := p.requests
	if p.d.Control == dialect.OneStream {
		p.send(m)
	} else {
		st, err := p.conn.OpenStream(p.t.Context())
		p.must(err)
		_, err = st.Write(p.d.Append(nil, m))
		p.must(err)
		o.st, r = st, p.reader(st)
	}
	for range answers {
		o.answers = append(o.answers, p.read(r))
	}
	return o
}

func (o *pushed) send(m dialect.Message) {
	if o.st == nil {
		o.p.send(m)
		return
	}
	_, err := o.st.Write(o.p.d.Append(nil, m))
	o.p.must(err)
}

// take is a Published that wants the tracks of that name.
func take(name string, sink Sink, subs chan<- *Subscription) func(*Subscription) (Sink, error) {
	return func(sub *Subscription) (Sink, error) {
		if sub.Track().Name != name {
			return nil, errors.New("not wanted")
		}
		subs <- sub
		return sink, nil
	}
}

func TestPublishedTracksAreTaken(t *testing.T) {
	for name, session := range map[string]func(*testing.T, *dialect.Dialect, Config) (*Session, *peer, chan error){
		"we dialled": inSession, "the peer dialled": accepted,
	} {
		t.Run(name, func(t *testing.T) {
			eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
				sink, subs := newRecorder(), make(chan *Subscription, 1)
				_, p, ran := session(t, d, Config{Published: take("video", sink, subs)})
				id := uint64(1)
				if p.odd {
					id = 0
				}
				early := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 9}, "early")) // it may overtake the PUBLISH
				o := p.push(&dialect.Publish{RequestID: id, Track: track("video"), Alias: 9,
					Params: dialect.Params{Largest: &media.Location{Group: 4, Object: 9}}}, 1)
				switch m := o.answers[0].(type) {
				case *dialect.PublishOK, *dialect.RequestOK:
				default:
					t.Fatalf("PUBLISH: %#v", m)
				}
				p.must(early.Close())
				p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 9, Group: 1}, "late")).Close())
				sink.gets(t, "early", "late")
				sub := <-subs
				if l, ok := sub.Largest(); !ok || l != (media.Location{Group: 4, Object: 9}) {
					t.Errorf("largest %v %v", l, ok)
				}
				o.send(&dialect.PublishDone{ReplyTo: dialect.ReplyTo{RequestID: id}, Code: d.StatusCode(dialect.TrackEnded), Streams: 2})
				<-sub.Done()
				if e, ok := errors.AsType[*DoneError](sub.Err()); !ok || e.Status != TrackEnded {
					t.Error(sub.Err())
				}
				lives(t, ran)
			})
		})
	}
}

func TestPublishedTracksThatAreHeldBackAreAskedFor(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		sink, subs := newRecorder(), make(chan *Subscription, 1)
		_, p, ran := accepted(t, d, Config{Published: take("video", sink, subs)})
		answers := 1
		if d.BareOK {
			answers = 2
		}
		o := p.push(&dialect.Publish{Track: track("video"), Alias: 9, Params: dialect.Params{Forward: new(false)}}, answers)
		var params dialect.Params
		switch m := o.answers[answers-1].(type) {
		case *dialect.PublishOK:
			params = m.Params
		case *dialect.RequestOK:
			params = m.Params
		case *dialect.RequestUpdate:
			if params = m.Params; m.RequestID%2 != 1 {
				t.Errorf("a server's request id is %d", m.RequestID)
			}
			o.send(d.Accept(m))
		}
		if params.Forward == nil || !*params.Forward {
			t.Errorf("%#v", o.answers)
		}
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 9}, "flows")).Close())
		sink.gets(t, "flows")
		lives(t, ran)
	})
}

func TestPublishedTracksAreRefused(t *testing.T) {
	for want, published := range map[dialect.Refusal]func(*Subscription) (Sink, error){
		dialect.Uninterested:  nil,
		dialect.NotAuthorized: func(*Subscription) (Sink, error) { return nil, ErrUnauthorized },
	} {
		eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
			_, p, ran := accepted(t, d, Config{Published: published})
			o := p.push(&dialect.Publish{Track: track("video"), Alias: 9}, 1)
			if m, ok := o.answers[0].(*dialect.RequestError); !ok || d.Refusal(m) != want {
				t.Errorf("%#v", o.answers)
			}
			st := p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 9}, "unwanted"))
			time.Sleep(time.Second)
			if _, err := st.Write([]byte("x")); !isReset(err, dialect.ResetCancelled) {
				t.Errorf("a stream of the refused track: %v", err)
			}
			lives(t, ran)
		})
	}
}

func TestAPublishedTrackIsGivenBack(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		subs := make(chan *Subscription, 1)
		_, p, ran := accepted(t, d, Config{Published: take("video", newRecorder(), subs)})
		o := p.push(&dialect.Publish{Track: track("video"), Alias: 9}, 1)
		(<-subs).Close()
		if o.st == nil {
			if m, ok := p.read(p.requests).(*dialect.Unsubscribe); !ok || m.RequestID != 0 {
				t.Errorf("%#v", m)
			}
		} else if err := stopped(p.d, o.st, p.reader(o.st)); err != nil {
			t.Error(err)
		}
		lives(t, ran)
	})
}

// heard keeps what it is told of namespaces, as "+a/b" and "-a/b".
type heard chan string

func (h heard) tell(namespace []string, active bool) {
	sign := "-"
	if active {
		sign = "+"
	}
	h <- sign + strings.Join(namespace, "/")
}

func (h heard) is(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	var got []string
	for len(h) > 0 {
		got = append(got, <-h)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// announcement announces a namespace, and returns what withdraws it.
func (p *peer) announcement(id uint64, namespace ...string) (withdraw func()) {
	p.t.Helper()
	m := &dialect.PublishNamespace{RequestID: id, Namespace: namespace}
	if p.d.Control == dialect.OneStream {
		p.send(m)
		if ok, is := p.read(p.requests).(*dialect.RequestOK); !is {
			p.t.Fatalf("%#v", ok)
		}
		return func() {
			p.send(&dialect.PublishNamespaceDone{ReplyTo: dialect.ReplyTo{RequestID: id}, Namespace: namespace})
		}
	}
	st, err := p.conn.OpenStream(p.t.Context())
	p.must(err)
	_, err = st.Write(p.d.Append(nil, m))
	p.must(err)
	if ok, is := p.read(p.reader(st)).(*dialect.RequestOK); !is {
		p.t.Fatalf("%#v", ok)
	}
	if p.d.Number < 19 {
		return func() { p.must(st.Close()) }
	}
	p.must(st.Close()) // there is nothing to update, and from 19 on this ends nothing
	return func() { st.Reset(dialect.ResetCancelled); st.Cancel(dialect.ResetCancelled) }
}

func TestAnnouncementsAreToldAndTheirEnds(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		h := make(heard, 16)
		_, p, ran := accepted(t, d, Config{
			Announced: func(ns []string, _ []Token) error { h.tell(ns, true); return nil },
			Withdrawn: func(ns []string) { h.tell(ns, false) },
		})
		one := p.announcement(0, "live", "one")
		p.announcement(2, "live", "two")
		time.Sleep(time.Second)
		h.is(t, "+live/one", "+live/two")
		one()
		time.Sleep(time.Second)
		h.is(t, "-live/one")
		lives(t, ran)
	})
}

// prefixed answers a SUBSCRIBE_NAMESPACE.
type prefixed struct {
	p      *peer
	m      *dialect.SubscribeNamespace
	st     transport.Stream // OwnStream only
	r      *wire.Reader
	prefix []string
	ends   map[string]func()
}

func (p *peer) prefix() *prefixed {
	p.t.Helper()
	x := &prefixed{p: p, ends: map[string]func(){}}
	if p.d.Discovery == dialect.Announced {
		x.m = p.read(p.requests).(*dialect.SubscribeNamespace)
		p.id += 2
	} else {
		st, err := p.conn.AcceptStream(p.t.Context())
		p.must(err)
		x.st, x.r = st, p.reader(st)
		x.m = p.read(x.r).(*dialect.SubscribeNamespace)
	}
	x.prefix = x.m.Prefix
	return x
}

func (x *prefixed) send(m dialect.Message) {
	x.p.t.Helper()
	if x.st == nil {
		x.p.send(m)
		return
	}
	_, err := x.st.Write(x.p.d.Append(nil, m))
	x.p.must(err)
}

// appears and ends report a namespace below the prefix.
func (x *prefixed) appears(id uint64, name string) {
	if x.st != nil {
		x.send(&dialect.Namespace{Suffix: []string{name}})
		return
	}
	x.ends[name] = x.p.announcement(id, append(slices.Clone(x.prefix), name)...)
}

func (x *prefixed) gone(name string) {
	if x.st != nil {
		x.send(&dialect.NamespaceDone{Suffix: []string{name}})
		return
	}
	x.ends[name]()
}

func TestNamespacesAreReportedAndTheirEnds(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		h := make(heard, 16)
		s, p, ran := inSession(t, d, Config{Tokens: []Token{{Value: []byte("tk")}}})
		p.announcement(1, "elsewhere", "x")
		ended := make(chan error, 1)
		go func() { ended <- s.Namespaces(t.Context(), []string{"live"}, h.tell) }()
		x := p.prefix()
		if len(x.m.Prefix) != 1 || x.m.Prefix[0] != "live" || d.Number == 16 && x.m.Options != dialect.NamespacesOnly {
			t.Errorf("%+v", x.m)
		}
		if tokens := x.m.Params.Tokens; len(tokens) != 1 || string(tokens[0].Value) != "tk" {
			t.Errorf("tokens %+v", tokens)
		}
		x.send(d.Accept(x.m))
		x.appears(3, "one")
		x.appears(5, "two")
		time.Sleep(time.Second)
		h.is(t, "+live/one", "+live/two")
		x.gone("one")
		time.Sleep(time.Second)
		h.is(t, "-live/one")
		if x.st == nil {
			lives(t, ran)
			return
		}
		p.must(x.st.Close()) // with it, all are gone
		if err := <-ended; err != nil {
			t.Error(err)
		}
		h.is(t, "-live/two")
		lives(t, ran)
	})
}

func TestNamespacesThatWereAnnouncedBeforeAreReportedToo(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft14(), dialect.Draft15()} {
		oneDraft(t, d, func(t *testing.T, d *dialect.Dialect) {
			h := make(heard, 16)
			s, p, _ := inSession(t, d, Config{})
			p.announcement(1, "live", "old") // the draft does not have it repeated
			go s.Namespaces(t.Context(), []string{"live"}, h.tell)
			x := p.prefix()
			x.send(d.Accept(x.m))
			time.Sleep(time.Second)
			h.is(t, "+live/old")
		})
	}
}

func TestNamespacesAreRefusedAndGivenUp(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		err := while(func() error { return s.Namespaces(t.Context(), []string{"live"}, make(heard).tell) }, func() {
			x := p.prefix()
			x.send(d.Refuse(x.m, dialect.NotSupported, "no"))
		})
		if !errors.Is(err, ErrNotSupported) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = while(func() error { return s.Namespaces(ctx, []string{"live"}, make(heard).tell) }, func() {
			x := p.prefix()
			if x.st == nil {
				if m, ok := p.read(p.requests).(*dialect.UnsubscribeNamespace); !ok {
					t.Errorf("%#v", m)
				}
			} else if err := stopped(d, x.st, x.r); err != nil {
				t.Error(err)
			}
		})
		if err == nil || ctx.Err() == nil {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestNamespacesAreBounded(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		err := while(func() error { return s.Namespaces(t.Context(), nil, func([]string, bool) {}) }, func() {
			x := p.prefix()
			x.send(d.Accept(x.m))
			for i := range maxNamespaces + 1 {
				if _, err := x.st.Write(d.Append(nil, &dialect.Namespace{Suffix: []string{strings.Repeat("x", i+1)}})); err != nil {
					break
				}
			}
		})
		if !errors.Is(err, ErrNotSupported) {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestOneNamespaceAnnouncedForEverIsBounded(t *testing.T) {
	oneDraft(t, dialect.Draft16(), func(t *testing.T, d *dialect.Dialect) { // later the number of streams bounds it
		_, p, ran := accepted(t, d, Config{})
		go func() {
			for i := range uint64(maxNamespaces + 1) {
				p.send(&dialect.PublishNamespace{RequestID: 2 * i, Namespace: []string{"live", "one"}})
			}
		}()
		for taken := 0; ; {
			switch m := p.read(p.requests).(type) {
			case *dialect.RequestOK:
				taken++
			case *dialect.RequestError:
				if m.RequestID != 2*maxNamespaces || taken != maxNamespaces {
					t.Errorf("request %d was refused when %d had been accepted", m.RequestID, taken)
				}
				lives(t, ran)
				return
			}
			if taken > maxNamespaces {
				t.Fatal("there is no bound")
			}
		}
	})
}

func TestAPublishMayNotTakeTheIDOfAnotherRequest(t *testing.T) {
	for name, ids := range map[string][]uint64{"one of ours": {0}, "one of its own": {1, 1}} {
		t.Run(name, func(t *testing.T) {
			oneDraft(t, dialect.Draft16(), func(t *testing.T, d *dialect.Dialect) {
				s, p, ran := inSession(t, d, Config{Published: take("video", newRecorder(), make(chan *Subscription, 2))})
				subscribed(t, s, p, newRecorder())
				for _, id := range ids {
					p.send(&dialect.Publish{RequestID: id, Track: track("video"), Alias: 9})
				}
				if e := closes(t, ran); e.Code != dialect.InvalidRequestID {
					t.Error(e)
				}
			})
		})
	}
}
