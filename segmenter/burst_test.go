package segmenter_test

import "testing"

// A burst of older media that comes first on a new time base is not taken for live.
func TestBurstAfterARestartIsNotTakenForLive(t *testing.T) {
	v, a := plain()
	v.start, a.start = 1000*12800, 1000*48000
	c := newChannel(t, cfg(), v, a)
	c.send(later(interleave(v.seconds(t, 9), a.seconds(t, 9)), (unix-1000)*1000)...)
	v.start, a.start = 0, 0
	all := later(interleave(v.seconds(t, 80), a.seconds(t, 80)), unix*1000)
	for i := range all { // the publisher has been back for a minute
		all[i].at = max(all[i].at, (unix+64)*1e6)
	}
	c.send(all...)
	for _, name := range []string{"v", "a"} {
		s := c.line(name).Timeline.Load()
		if e := s.Current(); e.Index != 1 || e.Origin != unix*int64(e.Init.Timescale) {
			t.Errorf("%s: epoch %+v is %d s off", name, e, e.Origin/int64(e.Init.Timescale)-unix)
		}
	}
}
