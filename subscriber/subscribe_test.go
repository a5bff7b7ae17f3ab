package subscriber

import (
	"errors"
	"testing"
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
