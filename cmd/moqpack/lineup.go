package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/subscriber"
)

const (
	lineupEvery = 500 * time.Millisecond // how often the channels are looked at
	// withdrawnFor is how long a broadcast that has nothing new may go unannounced before it has ended. Publishers and relays
	// come back sooner.
	withdrawnFor = time.Minute
	// renewedFor is how long an announcement may precede the end of the broadcast before, and be that of a new one.
	renewedFor = 10 * time.Second
	maxName    = 200 // bytes of a channel's name in URLs and on the disk
)

// stage is where channels are shown: a server.Server.
type stage interface {
	Put(server.Channel)
	Remove(name string)
}

// lineup is the channels that come with their broadcasts, and those whose publishers connect to us, which are there from the start. What is in it is owned by the goroutine of keep.
type lineup struct {
	max      int
	fixed    []string // names of channels that are there anyway
	patterns []*config.Channel
	alone    bool // there is one pattern and no other channel
	source   func(*config.Channel) (subscriber.Config, error)
	open     func(ch *config.Channel, over <-chan struct{}) (*channel.Channel, error)
	stage    stage
	forget   func(name string) // drops what was counted of a channel
	log      *slog.Logger

	events  chan sighting       // never closed; senders give up with their context
	acts    []*act              // in the order in which they came
	refused map[string]sighting // broadcasts that are there and cannot be taken in, by key
	serve   func(func() error)  // has run wait for a function
}

// sighting is that a broadcast is there, or is not any longer.
type sighting struct {
	pattern   *config.Channel
	namespace []string
	active    bool
}

// comes reports whether the broadcast's channel comes and goes with it.
func (s sighting) comes() bool {
	_, below := s.pattern.Prefix()
	return below
}

func (s sighting) key() string { return fmt.Sprintf("%p %q", s.pattern, s.namespace) }

// act is a channel in the lineup.
type act struct {
	sighting
	name    string
	gone    time.Time // when it was withdrawn, if it is
	renewed time.Time // when it was announced again
	ended   time.Time // when its broadcast had ended; zero: it has not

	*performance
	shown *channel.Channel // on the stage: the one before goes on until this one has something to show
}

// performance is a run of a channel: from when a broadcast comes until it comes anew.
type performance struct {
	channel *channel.Channel
	over    chan struct{} // closed by keep; nil: it is closed
	stop    context.CancelFunc
	done    chan struct{} // closed when it has stopped
}

func newLineup(o *origin, s stage, log *slog.Logger) *lineup {
	fixed := slices.Clone(o.names)
	for _, p := range o.patterns {
		if p.Name != "" {
			fixed = append(fixed, p.Name)
		}
	}
	return &lineup{
		max: o.cfg.MaxChannels, fixed: fixed, patterns: o.patterns, alone: o.alone(), source: o.source, open: o.open,
		stage: s, forget: o.metrics.forget, log: log, events: make(chan sighting), refused: map[string]sighting{},
	}
}

// run discovers broadcasts and runs their channels until ctx ends.
func (l *lineup) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	l.serve = g.Go
	for _, p := range l.patterns {
		g.Go(func() error {
			err := l.discover(ctx, p)
			if ctx.Err() != nil || l.alone {
				return err
			}
			l.log.Error("broadcasts not discovered: the channels that are there go on", "namespace", p.Namespace, "err", err)
			return nil
		})
	}
	g.Go(func() error { return l.keep(ctx) })
	return g.Wait()
}

func (l *lineup) discover(ctx context.Context, p *config.Channel) error {
	c, err := l.source(p)
	if err != nil {
		return err
	}
	tell := func(namespace []string, active bool) {
		select {
		case l.events <- sighting{p, namespace, active}:
		case <-ctx.Done():
		}
	}
	prefix, below := p.Prefix()
	switch {
	case !below:
		tell(c.Namespace, false) // it need not have come to be a channel
	case c.Reception == nil:
		c.Namespace = prefix
		return subscriber.Discover(ctx, c, tell)
	default:
		c.Namespace = prefix
	}
	return c.Reception.Watch(ctx, c.Namespace, below, tell)
}

// keep takes in what is sighted and looks after what is there.
func (l *lineup) keep(ctx context.Context) error {
	clock := time.NewTicker(lineupEvery)
	defer clock.Stop()
	for {
		select {
		case s := <-l.events:
			l.see(ctx, s, time.Now())
		case now := <-clock.C:
			for _, a := range l.acts {
				l.look(ctx, a, now)
			}
			for _, s := range l.refused {
				l.admit(ctx, s)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *lineup) see(ctx context.Context, s sighting, now time.Time) {
	i := slices.IndexFunc(l.acts, func(a *act) bool { return a.key() == s.key() })
	switch {
	case i < 0 && (s.active || !s.comes()):
		l.admit(ctx, s)
	case i < 0:
		delete(l.refused, s.key())
	case s.active:
		l.acts[i].active, l.acts[i].renewed = true, now
	default:
		l.acts[i].active, l.acts[i].gone = false, now
	}
}

// look does what is due for a channel.
func (l *lineup) look(ctx context.Context, a *act, now time.Time) {
	status := a.channel.Status()
	if status.Draft == "" && !a.pattern.Published() { // without a session nobody could announce it
		a.gone = now
	}
	state := status.State
	over := state == server.Ended || state == server.Failed
	if over && a.ended.IsZero() {
		a.ended = now
	}
	switch {
	case over && !a.renewed.IsZero() && a.ended.Sub(a.renewed) < renewedFor:
		a.stop()
		<-a.done
		if err := l.perform(ctx, a); err != nil {
			l.log.Error("channel not resumed", "channel", a.name, "err", err)
		}
	case a.comes() && !over && !a.active && state != server.Live && now.Sub(a.gone) >= withdrawnFor && a.over != nil:
		l.log.Info("broadcast not announced any longer: taken for ended", "channel", a.name)
		close(a.over)
		a.over = nil
	}
	if a.shown != a.channel && a.channel.Output() != nil {
		a.shown = a.channel
		l.stage.Put(a.shown)
	}
}

// admit makes a channel of a broadcast, or says why not, once.
func (l *lineup) admit(ctx context.Context, s sighting) {
	name, err := l.nameFor(s)
	a := &act{sighting: s, name: name}
	if err == nil && s.comes() {
		err = l.room()
	}
	if err == nil {
		err = l.perform(ctx, a)
	}
	if err != nil {
		if _, said := l.refused[s.key()]; !said {
			l.log.Warn("broadcast is no channel", "namespace", strings.Join(s.namespace, "/"), "err", err)
			l.refused[s.key()] = s
		}
		return
	}
	delete(l.refused, s.key())
	if s.comes() {
		l.log.Info("channel appeared", "channel", a.name, "namespace", strings.Join(s.namespace, "/"))
	}
	a.shown = a.channel
	l.acts = append(l.acts, a)
	l.stage.Put(a.shown)
}

// nameFor is what the channel of a broadcast is called: the rest of its namespace. Of two broadcasts whose rest is the same, below
// different prefixes, the second one is no channel.
func (l *lineup) nameFor(s sighting) (string, error) {
	prefix, _ := s.pattern.Prefix()
	name := nameOf(s.namespace[len(prefix):])
	switch {
	case !s.comes():
		return s.pattern.Name, nil
	case name == "":
		return "", errors.New("its namespace is the prefix itself: give it a --namespace of its own (channels)")
	case len(manifest.Escape(name)) > maxName:
		return "", fmt.Errorf("its name is longer than %d bytes in URLs", maxName)
	case slices.Contains(l.fixed, name), slices.ContainsFunc(l.acts, func(a *act) bool { return a.name == name }):
		return "", fmt.Errorf("there is another channel called %q: give one of them a --name of its own (channels)", name)
	}
	return name, nil
}

// nameOf joins fields. What joins them is written %2F within one, so that no other fields have the same name.
func nameOf(fields []string) string {
	escape := strings.NewReplacer("%", "%25", "/", "%2F")
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = escape.Replace(f)
	}
	return strings.Join(all, "/")
}

// room makes room for a channel: of those that have ended, the first one gives way.
func (l *lineup) room() error {
	var first *act
	there := 0
	for _, a := range l.acts {
		if !a.comes() {
			continue
		}
		if there++; !a.ended.IsZero() && (first == nil || a.ended.Before(first.ended)) {
			first = a
		}
	}
	if there < l.max {
		return nil
	}
	if first == nil {
		return fmt.Errorf("there are %d channels already: allow more with --max-channels (max_channels)", l.max)
	}
	first.stop()
	<-first.done
	l.acts = slices.DeleteFunc(l.acts, func(a *act) bool { return a == first })
	l.stage.Remove(first.name)
	l.forget(first.name)
	l.log.Info("channel that has ended made room for another one", "channel", first.name)
	return nil
}

// perform runs a channel for the act.
func (l *lineup) perform(ctx context.Context, a *act) error {
	ch := *a.pattern
	ch.Name, ch.Namespace = a.name, subscriber.FormatNamespace(a.namespace)
	p := &performance{over: make(chan struct{}), done: make(chan struct{})}
	var err error
	if p.channel, err = l.open(&ch, p.over); err != nil {
		return err
	}
	ctx, p.stop = context.WithCancel(ctx)
	l.serve(func() error {
		defer close(p.done)
		defer p.stop()
		if err := p.channel.Run(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("channel given up: the others go on", "channel", a.name, "err", err)
		}
		return nil
	})
	a.performance, a.renewed, a.ended = p, time.Time{}, time.Time{}
	return nil
}
