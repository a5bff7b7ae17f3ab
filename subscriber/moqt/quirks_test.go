package moqt

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// What peers do, rightly or not (see the table in dialect/quirks.go), and what does not go without saying in the other tests:
//
//	data before SUBSCRIBE_OK, parked and given up       TestStreamsMayComeBeforeTheirAlias, TestParkedStreamsAreGivenUp,
//	                                                    TestDatagramsOfUnknownAliasesAreBounded
//	PUBLISH_DONE before the last streams, its count     TestPublishDoneEndsASubscriptionBehindItsStreams,
//	                                                    TestPublishDonesCountOfStreamsIsAHint
//	FIN and reset, within an object and without one     TestResetAndFINAreToldApart, TestAStreamMayEndBehindItsHeader
//	MAX_REQUEST_ID 0, and raised                        TestRequestsWaitForTheirID
//	FIN of the control stream                           TestTheEndOfTheControlStreamBehindSetupIsTolerated
//	padding                                             TestPaddingIsThrownAway
//	mandatory properties                                TestMandatoryPropertiesThatWeDoNotKnow
//	PUBLISH whose objects come first, FORWARD 0         TestPublishedTracksAreTaken, ...ThatAreHeldBackAreAskedFor
//	a stream for each object                            TestTenThousandOneObjectStreams
//	an endless object, and nothing of it                TestStalledStreamsHoldUpNobody
//	aliases used again, and for two tracks              TestAnAliasMayBeUsedAgainWhenItsSubscriptionIsOver,
//	                                                    TestOneAliasForTwoTracksClosesTheSession
//
// Duplicates, groups out of order and publishers that begin anew are for package subscriber to put right, and its tests.

func TestOurSetupDoesNotWaitForThePeers(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{})
		run(t, s)
		in, err := p.conn.AcceptUniStream(t.Context())
		p.must(err)
		if _, ok := p.read(p.reader(in)).(*dialect.Setup); !ok {
			t.Error("no SETUP")
		}
	})
}

func TestUnknownMessagesAreSkipped(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		m := NewMetrics(prometheus.NewRegistry())
		s, p, ran := inSession(t, d, Config{Metrics: m})
		_, err := p.control.Write([]byte{0x3e, 0, 2, 0xff, 0xff})
		p.must(err)
		sink := newRecorder()
		subscribe(t, s, sink, func() {
			a := p.next()
			a.raw(0x3e, 0, 0)
			a.reply(&dialect.SubscribeOK{Alias: 7})
			a.raw(0x3e, 0, 1, 0)
		})
		p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7}, "x")).Close())
		sink.gets(t, "x")
		if got := testutil.ToFloat64(m.malformedBy.WithLabelValues("unknown_message")); got != 3 {
			t.Errorf("%v skipped, want 3", got)
		}
		lives(t, ran)
	})
}

func TestPublishStateNotifyIsNoNews(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft20(), dialect.Draft21(), dialect.Draft22()} {
		oneDraft(t, d, func(t *testing.T, d *dialect.Dialect) {
			s, p, ran := inSession(t, d, Config{})
			sub, a := subscribed(t, s, p, newRecorder())
			a.reply(&dialect.PublishStateNotify{Body: []byte{1}})
			synctest.Wait()
			if sub.Err() != nil {
				t.Error(sub.Err())
			}
			lives(t, ran)
		})
	}
}

func TestRefusalsInTheWordsOfHTTP(t *testing.T) {
	for code, want := range map[uint64]error{404: ErrNotFound, 401: ErrUnauthorized, 403: ErrUnauthorized, 500: ErrRefused} {
		eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
			s, p, ran := inSession(t, d, Config{})
			err := while(func() error {
				_, err := s.Subscribe(t.Context(), track("x"), SubscribeOptions{}, newRecorder())
				return err
			}, func() { p.next().reply(&dialect.RequestError{Code: code}) })
			if !errors.Is(err, want) {
				t.Errorf("%d: %v", code, err)
			}
			lives(t, ran)
		})
	}
}

func TestRetryIntervals(t *testing.T) {
	for wire, want := range map[uint64]struct {
		retry bool
		after time.Duration
	}{0: {false, 0}, 1: {true, 0}, 1001: {true, time.Second}, 1 << 60: {true, 24 * time.Hour}} {
		eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
			s, p, _ := inSession(t, d, Config{})
			err := while(func() error {
				_, err := s.Subscribe(t.Context(), track("x"), SubscribeOptions{}, newRecorder())
				return err
			}, func() { p.next().reply(&dialect.RequestError{Code: 0x10, Retry: wire}) })
			if e, ok := errors.AsType[*RequestError](err); !ok || e.Retry != want.retry || e.RetryAfter != want.after {
				t.Errorf("%d: %+v", wire, e)
			}
		})
	}
}

func TestARedirectIsARefusalThatSaysWhere(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		m := d.Refuse(&dialect.Subscribe{}, dialect.Redirected, "over there")
		m.Redirect = &dialect.Redirect{URI: "moqt://b/"}
		err := while(func() error {
			_, err := s.Subscribe(t.Context(), track("x"), SubscribeOptions{}, newRecorder())
			return err
		}, func() { p.next().reply(m) })
		if e, ok := errors.AsType[*RequestError](err); !ok || e.Kind != ErrRedirected || e.Redirect.URI != "moqt://b/" {
			t.Error(err)
		}
		lives(t, ran)
	})
}

func TestAGoawayWithoutAURILeadsNowhereElse(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		p.send(&dialect.Goaway{})
		<-s.Moving()
		if e := s.Moved(); !errors.Is(e, ErrGoingAway) || e.URI != "" {
			t.Error(e)
		}
		lives(t, ran)
	})
}

func TestAGoawayOnARequestMovesThatRequest(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft18(), dialect.Draft19(), dialect.Draft22()} {
		oneDraft(t, d, func(t *testing.T, d *dialect.Dialect) {
			s, p, ran := inSession(t, d, Config{})
			sub, a := subscribed(t, s, p, newRecorder())
			a.reply(&dialect.Goaway{URI: "moqt://b/"})
			<-sub.Done()
			if e, ok := errors.AsType[*DoneError](sub.Err()); !ok || e.Status != GoingAway {
				t.Error(sub.Err())
			}
			a.cancelled()
			err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Track: track("x")}, newRecorder()) },
				func() { p.next().reply(&dialect.Goaway{URI: "moqt://b/"}) })
			if !errors.Is(err, ErrGoingAway) {
				t.Error(err)
			}
			lives(t, ran)
		})
	}
}

func TestUnknownParametersCloseTheSessionFrom16On(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		ok := d.Append(nil, &dialect.SubscribeOK{Alias: 7})
		// The last byte is the number of parameters: one more, of type 0x7e with the value 1.
		ok[len(ok)-1]++
		ok = d.Varint.Append(ok, 0x7e)
		ok = append(ok, 1)
		ok[2] = byte(len(ok) - 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := while(func() error {
			_, err := s.Subscribe(ctx, track("x"), SubscribeOptions{}, newRecorder())
			return err
		}, func() { p.next().raw(ok...) })
		if d.Number < 16 {
			p.must(err)
			lives(t, ran)
		} else if e := closes(t, ran); e.Code != dialect.ProtocolViolation {
			t.Error(e)
		}
	})
}

func TestAStreamMayEndBehindItsHeader(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		header := d.AppendSubgroupHeader(nil, dialect.SubgroupHeader{Alias: 7, Group: 3, EndOfGroup: true})
		p.must(p.stream(header).Close())
		if e := sink.ends(t); e.Group != 3 || e.Objects != 0 || !e.EndOfGroup || e.Reset {
			t.Errorf("FIN: %+v", e)
		}
		st := p.stream(header)
		time.Sleep(time.Second) // as RESET_STREAM_AT would have it, the header comes
		st.Reset(dialect.ResetDeliveryTimeout)
		if e := sink.ends(t); e.Group != 3 || e.Objects != 0 || !e.Reset || e.Code != dialect.ResetDeliveryTimeout {
			t.Errorf("reset: %+v", e)
		}
		lives(t, ran)
	})
}

func TestEmptyGroupsAndTheEndOfATrackWithinAGroup(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		status := func(group, id uint64, status media.Status) media.Object {
			return media.Object{Location: media.Location{Group: group, Object: id}, Status: status}
		}
		for _, all := range [][]media.Object{{status(5, 0, media.EndOfGroup)}, {object(6, 0, "last"), status(6, 1, media.EndOfTrack)}} {
			h := dialect.SubgroupHeader{Alias: 7, Group: all[0].Group}
			w, b := d.NewSubgroupWriter(h), d.AppendSubgroupHeader(nil, h)
			for _, o := range all {
				b = w.Append(b, o)
			}
			p.must(p.stream(b).Close())
			sink.ends(t)
		}
		if o := <-sink.objects; o.Status != media.EndOfGroup || o.Object != 0 || o.Group != 5 {
			t.Errorf("%+v", o)
		}
		sink.gets(t, "last")
		if o := <-sink.objects; o.Status != media.EndOfTrack || o.Object != 1 || o.Group != 6 {
			t.Errorf("%+v", o)
		}
		lives(t, ran)
	})
}

func TestWhatDoesNotExistIsNoFaultUpTo15(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		m := NewMetrics(prometheus.NewRegistry())
		s, p, _ := inSession(t, d, Config{Metrics: m})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		h := dialect.SubgroupHeader{Alias: 7}
		p.must(p.stream(d.NewSubgroupWriter(h).Append(d.AppendSubgroupHeader(nil, h), media.Object{Status: 1})).Close())
		sink.ends(t)
		want := 1.0
		if d.Number <= 15 {
			want = 0
		}
		if got := testutil.ToFloat64(m.malformedBy.WithLabelValues("status")); got != want || len(sink.objects) != 0 {
			t.Errorf("%v malformed, want %v; %d objects", got, want, len(sink.objects))
		}
	})
}

func TestPropertiesOfObjectsArePassedOnAsTheyAre(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		h := dialect.SubgroupHeader{Alias: 7, Properties: true}
		o := object(0, 0, "x")
		// What older peers call their capture timestamp is a delivery timeout in 18 and later, and only tracks have properties
		// that must be understood.
		o.Properties = []media.Property{{Type: 0x06, Value: 1}, {Type: 0x4001, Bytes: []byte("y")}}
		p.must(p.stream(d.NewSubgroupWriter(h).Append(d.AppendSubgroupHeader(nil, h), o)).Close())
		if got := <-sink.objects; len(got.Properties) != 2 || got.Properties[0].Value != 1 || got.Properties[1].Type != 0x4001 {
			t.Errorf("%+v", got)
		}
		lives(t, ran)
	})
}

func TestGroupsComeAsTheyAreNumbered(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := inSession(t, d, Config{})
		sink := newRecorder()
		subscribed(t, s, p, sink)
		// One more, a thousand more, as many as the clock has milliseconds, and a publisher that begins anew.
		for _, g := range []uint64{7, 8, 1008, 1_790_000_000_000, 0} {
			p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 7, Group: g}, "x")).Close())
			if e := sink.ends(t); e.Group != g {
				t.Errorf("group %d, want %d", e.Group, g)
			}
		}
		lives(t, ran)
	})
}

func TestMoxygensFetchStreamsAreUnderstood(t *testing.T) {
	eachFamily(t, func(t *testing.T, d *dialect.Dialect) {
		s, p := connect(t, d, Config{})
		ran := run(t, s)
		p.begunBy(&dialect.Setup{Server: true, MaxRequestID: 100, Implementation: "Moxygen 1.0"})
		synctest.Wait()
		sink := newRecorder()
		err := while(func() error { return s.Fetch(t.Context(), FetchRequest{Track: track("x")}, sink) }, func() {
			a := p.next()
			a.reply(&dialect.FetchOK{})
			w, b := d.For("moxygen").NewFetchWriter(), d.AppendFetchHeader(nil, a.id)
			b = w.Append(b, dialect.FetchObject{Object: object(3, 0, "")})
			b = w.Append(b, dialect.FetchObject{Object: object(3, 1, "ab")})
			p.must(p.stream(b).Close())
		})
		p.must(err)
		sink.gets(t, "", "ab")
		lives(t, ran)
	})
}
