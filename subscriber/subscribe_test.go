package subscriber

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

func TestAPeerThatDoesNotAnswerAFetchIsNoReasonNotToAskAnother(t *testing.T) {
	c := DefaultConfig()
	c.Relays, c.Namespace = []string{"moqt://one", "moqt://two"}, []string{"ns"}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{Source: s}
	f.mute.Store(true)
	if at := f.leave(s.relays[0], errMute); at.addr != "one:443" || !f.mute.Load() {
		t.Errorf("%s is asked again: %v", at.addr, !f.mute.Load())
	}
	if at := f.leave(s.relays[0], errors.New("lost")); at.addr != "two:443" || f.mute.Load() {
		t.Errorf("%s is not asked", at.addr)
	}
}

// circle is a peer that says of every track that it is to be had under another name.
type circle struct{ asked int }

func (c *circle) Subscribe(context.Context, moqt.TrackName, moqt.SubscribeOptions, moqt.Sink) (subscription, error) {
	c.asked++
	to := &dialect.Redirect{Track: moqt.TrackName{Namespace: []string{"a"}, Name: fmt.Sprint(c.asked)}}
	return nil, &moqt.RequestError{Op: "subscribe", Kind: moqt.ErrRedirected, Redirect: to}
}

func (*circle) Fetch(context.Context, moqt.FetchRequest, subscription, moqt.Sink) error { return nil }

func TestRedirectionsWithinASessionAreFollowedSoFarOnly(t *testing.T) {
	c := &circle{}
	_, err := newFeed(testLimits()).open(t.Context(), c, request{name: moqt.TrackName{Namespace: []string{"a"}, Name: "v"}})
	if !errors.Is(err, moqt.ErrRedirected) || c.asked != maxHops+1 {
		t.Errorf("asked %d times: %v", c.asked, err)
	}
}
