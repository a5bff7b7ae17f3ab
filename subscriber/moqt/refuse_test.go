package moqt

import (
	"errors"
	"testing"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

func TestAnnouncementsAreRefused(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		h := make(heard, 16)
		_, p, ran := accepted(t, d, Config{
			Announced: func(_ []string, tokens []Token) error {
				switch {
				case len(tokens) == 0:
					return errors.New("not here")
				case string(tokens[0].Value) == "many":
					return ErrBusy
				}
				return ErrUnauthorized
			},
			Withdrawn: func(ns []string) { h.tell(ns, false) },
		})
		for i, want := range []struct {
			tokens []Token
			why    dialect.Refusal
		}{
			{nil, dialect.Uninterested}, {[]Token{{Value: []byte("wrong")}}, dialect.NotAuthorized},
			{[]Token{{Value: []byte("many")}}, d.Refusal(d.Refuse(&dialect.PublishNamespace{}, dialect.Overloaded, ""))},
		} {
			m := &dialect.PublishNamespace{RequestID: uint64(2 * i), Namespace: []string{"live"}, Params: dialect.Params{Tokens: want.tokens}}
			answer := p.ask(m)
			if no, ok := answer.(*dialect.RequestError); !ok || d.Refusal(no) != want.why {
				t.Errorf("%+v: %+v, want %v", want.tokens, answer, want.why)
			}
		}
		time.Sleep(time.Second)
		h.is(t) // what was refused does not end
		lives(t, ran)
	})
}

// One that has been announced may be announced again, and each has its own tokens.
func TestEveryAnnouncementIsAskedAbout(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		h := make(heard, 16)
		_, p, ran := accepted(t, d, Config{
			Announced: func(ns []string, tokens []Token) error {
				if len(tokens) > 0 {
					return ErrUnauthorized
				}
				h.tell(ns, true)
				return nil
			},
			Withdrawn: func(ns []string) { h.tell(ns, false) },
		})
		end := p.announcement(0, "live")
		m := &dialect.PublishNamespace{RequestID: 2, Namespace: []string{"live"}, Params: dialect.Params{Tokens: []Token{{Value: []byte("wrong")}}}}
		if answer, ok := p.ask(m).(*dialect.RequestError); !ok {
			t.Errorf("%+v", answer)
		}
		time.Sleep(time.Second)
		h.is(t, "+live")
		end()
		time.Sleep(time.Second)
		h.is(t, "-live")
		lives(t, ran)
	})
}

func TestWeSayThatWeGo(t *testing.T) {
	eachDraft(t, func(t *testing.T, d *dialect.Dialect) {
		s, p, ran := accepted(t, d, Config{})
		s.Goaway()
		s.Goaway() // is said once
		m, ok := p.read(p.requests).(*dialect.Goaway)
		if !ok || m.URI != "" || d.Number == 18 != (m.RequestID != nil) || m.RequestID != nil && *m.RequestID%2 != 0 {
			t.Errorf("%+v", m)
		}
		lives(t, ran)
	})
}
