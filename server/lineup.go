package server

import "slices"

// channel is a Channel and what the server remembers of it.
type channel struct {
	Channel
	name      string
	documents documents
	texts     *derived // segments of WebVTT
	stills    *derived // what stands for gaps
}

func newChannel(c Channel) *channel {
	return &channel{Channel: c, name: c.Status().Name, texts: newDerived(), stills: newDerived()}
}

// lineup is the channels that there are at one time, in the order in which they came. It never changes.
type lineup []*channel

func (l *lineup) find(name string) *channel {
	if i := l.index(name); i >= 0 {
		return (*l)[i]
	}
	return nil
}

func (l *lineup) index(name string) int {
	return slices.IndexFunc(*l, func(c *channel) bool { return c.name == name })
}

// with is the lineup with c in it, in the place of the one that had its name.
func (l *lineup) with(c Channel) *lineup {
	all, known := slices.Clone(*l), newChannel(c)
	if i := l.index(known.name); i >= 0 {
		all[i] = known
	} else {
		all = append(all, known)
	}
	return &all
}

// Put has the server answer for c, too, or for c instead of the channel that had its name. Put and Remove are called by one
// goroutine at a time.
func (s *Server) Put(c Channel) { s.lineup.Store(s.lineup.Load().with(c)) }

// Remove has the server forget a channel. Requests that have found it are answered yet.
func (s *Server) Remove(name string) {
	all := slices.DeleteFunc(slices.Clone(*s.lineup.Load()), func(c *channel) bool { return c.name == name })
	s.lineup.Store(&all)
}

// Channels are those that there are now.
func (s *Server) Channels() (all []Channel) {
	for _, c := range *s.lineup.Load() {
		all = append(all, c.Channel)
	}
	return all
}
