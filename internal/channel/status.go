package channel

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// status is what a channel tells people. The Source and the fold write it, the server reads it.
type status struct {
	mu      sync.Mutex // guards what follows
	source  subscriber.State
	failed  error // why the channel was given up, or nil
	skipped []server.Skipped
	tracks  map[string]*health
	refused int64
	events  segmenter.Events

	disagreements int64
	disagreement  error     // the first of the last stretch of them, which says most
	disagreed     time.Time // the last time
}

// health of a track.
type health struct {
	err    error     // what was refused last, while nothing was accepted since
	logged time.Time // when something was refused that was logged
}

const (
	// calm is how often a track that is now well and now ill is logged.
	calm = 10 * time.Second
	// alarmFor is how long after a disagreement with other instances another one is no news, and how long people see it.
	alarmFor = 5 * time.Minute
)

func (s *status) setSource(n subscriber.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source = n
}

// setCatalog notes what the newest catalog leaves to see: which of its tracks are skipped. It returns those that were not
// skipped before for the same reason.
func (s *status) setCatalog(cat *catalog.Catalog, skipped []catalog.Skipped) (news []server.Skipped) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]server.Skipped, 0, len(skipped))
	for _, k := range skipped {
		one := server.Skipped{Track: k.Name, Reason: k.Reason}
		if all = append(all, one); !slices.Contains(s.skipped, one) {
			news = append(news, one)
		}
	}
	s.skipped = all
	maps.DeleteFunc(s.tracks, func(track string, _ *health) bool {
		return !slices.ContainsFunc(cat.Tracks, func(t media.Track) bool { return t.Name == track })
	})
	return news
}

// fail notes that the channel has been given up.
func (s *status) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

func (s *status) setEvents(e segmenter.Events) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = e
}

// refuse notes that err befell the track and reports whether that should be logged.
func (s *status) refuse(track string, err error, now time.Time) (log bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	if s.tracks == nil {
		s.tracks = map[string]*health{}
	}
	h := s.tracks[track]
	if h == nil {
		h = &health{}
		s.tracks[track] = h
	}
	log = h.err == nil && now.Sub(h.logged) >= calm
	if log {
		h.logged = now
	}
	h.err = err
	return log
}

// disagree notes that other instances may not agree, and reports whether that is news.
func (s *status) disagree(err error, now time.Time) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.disagreement == nil || now.Sub(s.disagreed) >= alarmFor
	s.disagreements++
	if s.disagreed = now; news {
		s.disagreement = err
	}
	return news
}

// accept notes that the track is well.
func (s *status) accept(track string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.tracks[track]; h != nil {
		h.err = nil
	}
}

// words fills in what a server.Status says of the connection and of the tracks. begun: something has been published.
func (s *status) words(out *server.Status, begun bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Relay, out.Draft, out.Skipped = s.source.Relay, s.source.Draft, slices.Clone(s.skipped)
	for _, track := range slices.Sorted(maps.Keys(s.tracks)) {
		if err := s.tracks[track].err; err != nil {
			out.Skipped = append(out.Skipped, server.Skipped{Track: track, Reason: err.Error()})
		}
	}
	out.Counters = []server.Counter{
		{Name: "refused", Value: s.refused},
		{Name: "losses", Value: int64(s.events.Losses)},
		{Name: "gaps", Value: int64(s.events.Gaps)},
		{Name: "forced cuts", Value: int64(s.events.ForcedCuts)},
		{Name: "late text", Value: int64(s.events.LateText)},
		{Name: "discontinuities", Value: int64(s.events.Epochs)},
		{Name: "reconnect attempts", Value: int64(s.source.Attempts)},
		{Name: "ledger failures", Value: s.disagreements},
	}
	switch {
	case s.source.Err != nil:
		out.Error = s.source.Err.Error()
	case s.disagreement != nil && now.Sub(s.disagreed) < alarmFor:
		out.Error = s.disagreement.Error()
	}
	switch {
	case s.failed != nil:
		out.State, out.Error = server.Failed, s.failed.Error()
	case s.source.Phase == subscriber.Ended:
		out.State = server.Ended
	case s.source.Phase == subscriber.Live && begun:
		out.State = server.Live
	case begun:
		out.State = server.Stalled
	default:
		out.State = server.Waiting
	}
}
