package channel

import (
	"sync"

	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// status is what a channel tells people. The Source and the fold write it, the server reads it.
type status struct {
	mu      sync.Mutex // guards what follows
	source  subscriber.State
	skipped []server.Skipped
	ill     map[string]error // by track: what was refused last, while nothing was accepted since
	refused int64
}

func (s *status) setSource(n subscriber.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source = n
}

func (s *status) setCatalog(c *catalog.Catalog) {
	skipped := make([]server.Skipped, 0, len(c.Skipped))
	for _, k := range c.Skipped {
		skipped = append(skipped, server.Skipped{Track: k.Name, Reason: k.Reason})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = skipped
}

// refuse notes that err befell the track and reports whether the track was well until now.
func (s *status) refuse(track string, err error) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	if s.ill == nil {
		s.ill = map[string]error{}
	}
	_, again := s.ill[track]
	s.ill[track] = err
	return !again
}

// accept notes that the track is well.
func (s *status) accept(track string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ill, track)
}

// words fills in what a server.Status says of the connection. begun: something has been published.
func (s *status) words(out *server.Status, begun bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Relay, out.Draft, out.Skipped = s.source.Relay, s.source.Draft, s.skipped
	out.Counters = []server.Counter{
		{Name: "refused", Value: s.refused},
		{Name: "reconnect attempts", Value: int64(s.source.Attempts)},
	}
	if s.source.Err != nil {
		out.Error = s.source.Err.Error()
	}
	switch {
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
