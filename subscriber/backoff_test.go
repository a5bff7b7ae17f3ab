package subscriber_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// turnAway closes every session with the code until the test ends, and counts them.
func (s *script) turnAway(code uint64) (came func() int) {
	n := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := s.ln.Accept(s.t.Context())
			if err != nil {
				return
			}
			n <- struct{}{}
			conn.Close(code, "no")
		}
	}()
	return func() int { return len(n) }
}

func TestWhatSomebodyHasToSetRightIsTriedSlowly(t *testing.T) {
	for code, slow := range map[uint64]bool{
		dialect.NoError: false, dialect.InternalError: false, dialect.ProtocolViolation: false, dialect.TooManyRequests: false,
		dialect.ControlMessageTimeout: false,
		dialect.NoEntry:               true, dialect.InvalidPath: true, dialect.MalformedPath: true, dialect.MalformedToken: true,
		dialect.UnknownTokenAlias: true, dialect.ExpiredToken: true, dialect.InvalidAuthority: true, dialect.MalformedAuthority: true,
	} {
		t.Run(fmt.Sprintf("code %#x", code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "18", sim.Config{})
				s := w.script("moqt-18")
				w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live", s.node.LocalAddr())}
				came := s.turnAway(code)
				r := newRecorder(t)
				w.run(r)
				elapse(2 * time.Minute)
				if n := came(); n < 3 || slow != (n <= 5) {
					t.Errorf("dialled %d times in two minutes", n)
				}
				if e := r.state().Err; slow && strings.HasSuffix(fmt.Sprint(e), "closed") {
					t.Errorf("%v does not say more than that", e)
				}
			})
		})
	}
}

func TestOneRelayThatRefusesDoesNotSlowTheOthersDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{})
		w.stop() // may come back
		s := w.script("moqt-18")
		came := s.turnAway(dialect.NoEntry)
		w.cfg.Relays = append(w.cfg.Relays, fmt.Sprintf("moqt://%s/live", s.node.LocalAddr()))
		w.run(newRecorder(t))
		elapse(2 * time.Minute)
		if n := came(); n < 6 {
			t.Errorf("dialled %d times in two minutes", n)
		}
	})
}

func TestACatalogThatIsRefusedForGoodIsAskedForSlowly(t *testing.T) {
	for why, slow := range map[dialect.Refusal]bool{dialect.NotAuthorized: true, dialect.DoesNotExist: false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "18", sim.Config{})
			s := w.script("moqt-18")
			w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live", s.node.LocalAddr())}
			w.cfg.Catalog = "msf"
			w.run(newRecorder(t))
			asked := make(chan string, 1000)
			go s.refuseAll(why, asked)
			elapse(2 * time.Minute)
			if n := len(asked); n < 6 || slow != (n <= 10) { // in two places each time
				t.Errorf("asked %d times in two minutes after %v", n, why)
			}
		})
	}
}

func TestALoopOfRedirectionsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{})
		s := w.script("moqt-18")
		w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live", s.node.LocalAddr())}
		w.cfg.Catalog = "msf"
		r := newRecorder(t)
		w.run(r)
		asked := make(chan string, 10000)
		to := 0
		go s.answerAll(asked, func(m *dialect.Subscribe) dialect.Message {
			to++
			no := s.d.Refuse(m, dialect.Redirected, "over there")
			no.Redirect = &dialect.Redirect{Track: dialect.TrackName{Namespace: m.Track.Namespace, Name: []string{"a", "b"}[to%2]}}
			return no
		})
		elapse(time.Minute)
		if n := len(asked); n < 20 || n > 400 {
			t.Errorf("asked %d times in a minute", n)
		}
		if s := r.state(); s.Phase != subscriber.Waiting || s.Attempts != 1 || s.Err == nil {
			t.Errorf("%+v", s)
		}
	})
}

func TestALoopOfRedirectionsAmongRelaysIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		one, two := w.script("moqt-18"), w.script("moqt-18")
		w.cfg.Relays = append([]string{fmt.Sprintf("moqt://%s/live", one.node.LocalAddr())}, w.cfg.Relays...)
		asked := make(chan string, 10000)
		for s, other := range map[*script]*script{one: two, two: one} {
			go func() {
				for t.Context().Err() == nil {
					s.answerAll(asked, func(m *dialect.Subscribe) dialect.Message {
						no := s.d.Refuse(m, dialect.Redirected, "over there")
						no.Redirect = &dialect.Redirect{URI: fmt.Sprintf("moqt://%s/live", other.node.LocalAddr())}
						return no
					})
				}
			}()
		}
		r := newRecorder(t)
		w.run(r)
		elapse(20 * time.Second)
		if p := r.state(); p.Phase != subscriber.Live || p.Relay != w.node.LocalAddr().String() {
			t.Errorf("%+v: the second relay has it", p)
		}
	})
}

// refuseAll takes a session and refuses every SUBSCRIBE in it.
func (s *script) refuseAll(why dialect.Refusal, asked chan<- string) {
	s.answerAll(asked, func(m *dialect.Subscribe) dialect.Message { return s.d.Refuse(m, why, "no") })
}

// answerAll takes a session and answers every SUBSCRIBE in it.
func (s *script) answerAll(asked chan<- string, answer func(*dialect.Subscribe) dialect.Message) {
	conn, err := s.ln.Accept(s.t.Context())
	if err != nil {
		return
	}
	control, err := conn.OpenUniStream(s.t.Context())
	if err == nil {
		_, err = control.Write(s.d.Append(nil, &dialect.Setup{Server: true}))
	}
	for err == nil {
		var st transport.Stream
		if st, err = conn.AcceptStream(s.t.Context()); err != nil {
			return
		}
		m, _ := s.d.Read(wire.NewReader(st, s.d.Varint, "request"))
		if sub, ok := m.(*dialect.Subscribe); ok {
			asked <- sub.Track.Name
			_, err = st.Write(s.d.Append(nil, answer(sub)))
		}
		_ = st.Close()
	}
}
