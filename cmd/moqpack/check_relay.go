package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// listener is a Receiver that waits for the first catalog and subscribes to nothing.
type listener struct {
	found func() // called when there is a catalog

	mu      sync.Mutex // guards what follows
	catalog *catalog.Catalog
	state   subscriber.State // the last one that says how far it came
	err     error            // the last one
}

// Catalog implements subscriber.Receiver.
func (l *listener) Catalog(_ context.Context, c *catalog.Catalog) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.catalog == nil {
		l.catalog = c
		l.found()
	}
	return nil, nil
}

// Object implements subscriber.Receiver.
func (l *listener) Object(context.Context, string, media.Object) error { return nil }

// State implements subscriber.Receiver.
func (l *listener) State(_ context.Context, s subscriber.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Phase >= l.state.Phase {
		l.state = s
	}
	if s.Err != nil {
		l.err = s.Err
	}
}

var _ subscriber.Receiver = (*listener)(nil)

// sources are where a channel may come from: its relays, or a recording.
func sources(ch *config.Channel) []string {
	if ch.Replay != "" {
		return []string{ch.Replay}
	}
	return ch.Relays
}

// probeChannel opens a session with one of the channel's relays, or its recording, and waits for the catalog.
func probeChannel(ctx context.Context, cfg *config.Config, ch *config.Channel, from string, wait time.Duration) []finding {
	if prefix, ok := ch.Prefix(); ok {
		return probePrefix(ctx, ch, prefix, from, wait)
	}
	what := fmt.Sprintf("channel %s from %s", ch.Name, withoutQuery(from))
	c, err := ch.Source()
	if ch.Replay == "" {
		c.Relays = []string{from}
	}
	if err != nil {
		return []finding{{levelFail, what, err.Error(), ""}}
	}
	c.Logger = slog.New(slog.DiscardHandler)
	src, err := subscriber.New(c)
	if err != nil {
		return []finding{{levelFail, what, err.Error(), "see --tls-ca, --tls-fingerprint and --insecure (tls)"}}
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	l := &listener{found: cancel}
	err = src.Run(ctx, l)
	if err != nil && ch.Replay != "" && ctx.Err() == nil { // that it was cancelled is the plan
		return []finding{{levelFail, what, err.Error(), "name a file that moqpack record has written (channels[].replay)"}}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []finding{l.verdict(what, ch.Namespace, wait)}
	if l.catalog != nil && cfg.OnS3(ch) && from == sources(ch)[0] {
		all = append(all, costs(ch.Name, len(l.catalog.Tracks), time.Duration(ch.Segmenter.Segment)))
	}
	return all
}

// probePrefix asks the relay which broadcasts there are.
func probePrefix(ctx context.Context, ch *config.Channel, prefix []string, url string, wait time.Duration) []finding {
	what := fmt.Sprintf("broadcasts under %s of %s", ch.Namespace, withoutQuery(url))
	c, err := ch.Source()
	if err != nil {
		return []finding{{levelFail, what, err.Error(), ""}}
	}
	c.Relays, c.Namespace, c.Logger = []string{url}, prefix, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	there := map[string]bool{}
	err = subscriber.Discover(ctx, c, func(namespace []string, active bool) {
		if active { // that they end with the session is the plan
			there[strings.Join(namespace, "/")] = true
		}
	})
	switch {
	case ctx.Err() == nil:
		return []finding{{levelFail, what, err.Error(), "give each broadcast a --namespace of its own"}}
	case len(there) == 0:
		return []finding{{levelWarn, what, fmt.Sprintf("none within %s", wait), "start a publisher, or correct the prefix; serve waits for them"}}
	}
	return []finding{{levelOK, what, fmt.Sprintf("%d: %s", len(there), strings.Join(slices.Sorted(maps.Keys(there)), ", ")), ""}}
}

// verdict is what the relay's behaviour means.
func (l *listener) verdict(what, namespace string, wait time.Duration) finding {
	reason := "it does not answer"
	if l.err != nil {
		reason = l.err.Error()
	}
	switch {
	case l.catalog != nil && len(l.catalog.Tracks) == 0:
		next := "see what is skipped and why"
		for _, s := range l.catalog.Skipped {
			next += fmt.Sprintf("; %s: %s", s.Name, s.Reason)
		}
		return finding{levelFail, what, "the catalog names no track that can be packaged", next}
	case l.catalog != nil && len(l.catalog.Skipped) > 0:
		next := ""
		for _, s := range l.catalog.Skipped {
			next += fmt.Sprintf("%s is left out: %s. ", s.Name, s.Reason)
		}
		return finding{levelWarn, what, l.offer(), strings.TrimSpace(next)}
	case l.catalog != nil:
		return finding{levelOK, what, l.offer(), ""}
	case l.state.Phase == subscriber.Ended:
		return finding{levelWarn, what, "the broadcast has ended", "start the publisher anew; serve waits for it"}
	case l.state.Phase >= subscriber.Waiting:
		return finding{levelWarn, what, fmt.Sprintf("%s, but no catalog of %q within %s", l.state.Draft, namespace, wait),
			"start the publisher, or correct the namespace; serve waits for it"}
	}
	return finding{levelFail, what, "no session: " + reason,
		"are host and port right, does UDP get through, is the certificate to be believed (--tls-ca, --tls-fingerprint)?"}
}

// offer is what the relay has to offer.
func (l *listener) offer() string {
	return fmt.Sprintf("%s, %s, %d tracks", l.state.Draft, l.catalog.Format, len(l.catalog.Tracks))
}

// costs says what a channel's archive in a bucket costs in requests.
func costs(channel string, renditions int, segment time.Duration) finding {
	l := archive.Layout{Renditions: renditions, Segment: segment, Instances: 1}
	return finding{levelOK, "requests of channel " + channel, costLine(l), ""}
}

// costLine says what the layout makes in requests and what that costs, for one instance and what a second one adds.
func costLine(l archive.Layout) string {
	one := l.Requests()
	l.Instances = 2
	two := l.Requests()
	p := archive.StandardPrice()
	return fmt.Sprintf("%d renditions in segments of %s are at most %d PUT and %d GET an hour, $%.2f at $%g for 1,000 PUT and $%g for 1,000 GET "+
		"(S3 Standard, us-east-1); $%.2f with a second instance", l.Renditions, l.Segment, one.Puts, one.Gets, one.Dollars(p), p.Put, p.Get, two.Dollars(p))
}
