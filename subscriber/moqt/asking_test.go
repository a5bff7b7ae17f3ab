package moqt

import (
	"errors"
	"testing"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// announce asks by a PUBLISH_NAMESPACE with the id, and does not wait for an answer.
func (p *peer) announce(id uint64) {
	p.request(&dialect.PublishNamespace{RequestID: id, Namespace: []string{"live"}})
}

// request sends one, and does not wait for an answer.
func (p *peer) request(m dialect.Message) {
	p.t.Helper()
	if p.d.Control == dialect.OneStream {
		p.send(m)
		return
	}
	p.requestAlone(m)
}

// requestAlone sends a request on a stream of its own.
func (p *peer) requestAlone(m dialect.Message) {
	p.t.Helper()
	st, err := p.conn.OpenStream(p.t.Context())
	p.must(err)
	_, err = st.Write(p.d.Append(nil, m))
	p.must(err)
}

func TestRequestIDsThatAreWrongCloseTheSession(t *testing.T) {
	const far = 2 * maxUsed
	tests := []struct {
		name  string
		ids   []uint64 // of a client
		early uint64   // the code up to 16; 0: the session lives
		late  uint64   // and from 17 on
	}{
		{"in order", []uint64{0, 2, 4}, 0, 0},
		{"with holes", []uint64{4, 10, 126}, 0, 0},
		{"ours", []uint64{1}, dialect.InvalidRequestID, dialect.InvalidRequestID},
		{"ours, later", []uint64{0, 3}, dialect.InvalidRequestID, dialect.InvalidRequestID},
		{"twice", []uint64{0, 2, 2}, dialect.InvalidRequestID, dialect.InvalidRequestID},
		{"backwards", []uint64{4, 2}, dialect.InvalidRequestID, 0}, // streams overtake each other
		{"at the limit", []uint64{peerRequests}, dialect.TooManyRequests, 0},
		{"beyond the limit", []uint64{0, far}, dialect.TooManyRequests, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
				_, p, ran := accepted(t, d, Config{})
				for _, id := range tt.ids {
					p.announce(id)
				}
				want := tt.early
				if d.Control == dialect.PerRequest {
					want = tt.late
				}
				time.Sleep(time.Second)
				if want == 0 {
					lives(t, ran)
				} else if e := closes(t, ran); e.Code != want || e.Remote {
					t.Errorf("closed with %v, want code %#x", e, want)
				}
			})
		})
	}
}

func TestWhoDialsIsToldOfItsWrongRequestIDToo(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := inSession(t, d, Config{})
		p.announce(1)
		p.announce(2)
		if e := closes(t, ran); e.Code != dialect.InvalidRequestID {
			t.Error(e)
		}
	})
}

func TestUpdatesUseUpRequestIDs(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := accepted(t, d, Config{})
		update := &dialect.RequestUpdate{RequestID: 0, Existing: 0}
		p.announce(0)
		if d.Control == dialect.OneStream {
			p.send(update)
		} else {
			p.requestAlone(update)
		}
		if e := closes(t, ran); e.Code != dialect.InvalidRequestID {
			t.Error(e)
		}
	})
}

func TestAPublisherMayUpdateWhatItOffers(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft17(), dialect.Draft18(), dialect.Draft19(), dialect.Draft22()} {
		oneDraft(t, d, func(t *testing.T, d *dialect.Dialect) {
			sink := newRecorder()
			_, p, ran := accepted(t, d, Config{Published: take("video", sink, make(chan *Subscription, 1))})
			o := p.push(&dialect.Publish{Track: track("video"), Alias: 9}, 1)
			o.send(&dialect.RequestUpdate{RequestID: 2})
			if m, ok := p.read(p.reader(o.st)).(*dialect.RequestOK); !ok {
				t.Errorf("%#v", m)
			}
			p.must(p.stream(p.subgroup(dialect.SubgroupHeader{Alias: 9}, "goes on")).Close())
			sink.gets(t, "goes on")
			lives(t, ran)
			o.send(&dialect.RequestUpdate{RequestID: 2})
			if e := closes(t, ran); e.Code != dialect.InvalidRequestID {
				t.Error(e)
			}
		})
	}
}

func TestRequestsOnStreamsOfTheirOwnMayGoOnForEverToo(t *testing.T) {
	oneDraft(t, dialect.Draft16(), func(t *testing.T, d *dialect.Dialect) {
		_, p, ran := accepted(t, d, Config{})
		limit := p.setup.MaxRequestID
		for id := uint64(0); id < 4*peerRequests; id += 2 {
			for id >= limit {
				if m, ok := p.read(p.requests).(*dialect.MaxRequestID); ok {
					limit = m.Max
				}
			}
			p.requestAlone(&dialect.SubscribeNamespace{RequestID: id, Prefix: []string{"live"}})
		}
		lives(t, ran)
	})
}

func TestAnswersToWhatWasNotAskedCloseTheSession(t *testing.T) {
	for _, d := range []*dialect.Dialect{dialect.Draft14(), dialect.Draft15(), dialect.Draft16()} {
		oneDraft(t, d, func(t *testing.T, d *dialect.Dialect) {
			s, p, ran := inSession(t, d, Config{})
			sub, a := subscribed(t, s, p, newRecorder())
			sub.Close()
			a.reply(&dialect.PublishDone{}) // it has crossed with our UNSUBSCRIBE
			time.Sleep(time.Second)
			lives(t, ran)
			a.id += 2
			a.reply(&dialect.PublishDone{})
			if e := closes(t, ran); e.Code != dialect.InvalidRequestID {
				t.Error(e)
			}
		})
	}
}

func TestAGoawayThatCountsTheWrongRequestsClosesTheSession(t *testing.T) {
	oneDraft(t, dialect.Draft18(), func(t *testing.T, d *dialect.Dialect) { // the only one whose GOAWAY has an id
		_, p, ran := inSession(t, d, Config{})
		p.send(&dialect.Goaway{RequestID: new(uint64(1))})
		if e := closes(t, ran); e.Code != dialect.InvalidRequestID || errors.Is(e, ErrGoingAway) {
			t.Error(e)
		}
	})
}

func TestRememberedRequestIDsAreBounded(t *testing.T) {
	a := newAsking(dialect.Draft18(), 0)
	for id := uint64(0); id < 10*maxUsed; id += 2 {
		if err := a.take(&dialect.Fetch{RequestID: id}, false); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.used) != maxUsed || len(a.recent) != maxUsed {
		t.Errorf("%d and %d are remembered", len(a.used), len(a.recent))
	}
}
