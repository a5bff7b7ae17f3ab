package subscriber

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSubscriptionsToEndedTracksDoNotKeepABroadcastFromEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pulse
		p.beat()
		began := time.Now()
		time.AfterFunc(1500*time.Millisecond, func() { p.subscribed()() })
		if err := p.quiet(t.Context(), &p.media, 2*time.Second); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %v, want nil after the 2s without an object", err, time.Since(began))
		}
	})
}
