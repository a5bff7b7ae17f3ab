package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

func probeCommand() *cobra.Command {
	f := newFlags()
	d := config.Duration(6 * time.Second)
	var asJSON bool
	c := &cobra.Command{
		Use:   "probe RELAY [--namespace NS]",
		Short: "Say what a relay and a broadcast are like, and what moqpack would make of it",
		Long: `Follow a broadcast for a while as serve does, and say what was negotiated, the catalog as it was understood and what of
it was ignored, how groups and objects come, how far the live edge is behind the clock, which segments and parts would be
made, and what to try if something does not work. Without --namespace, list the broadcasts that the relay tells of, and if there is one
alone, go on with that. The exit code is 1 if there is nothing that could be packaged.`,
		Example: `  moqpack probe moqt://relay.example:443/moq
  moqpack probe moqt://relay.example:443/moq --namespace live/studio1
  moqpack probe "moqt://relay.example?draft=16" --namespace live/studio1 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.channel.Relays = []string{args[0]}
			r, err := probeAny(c.Context(), c.ErrOrStderr(), &f.channel, time.Duration(d))
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(r)
			} else {
				r.print(c.OutOrStdout())
			}
			switch {
			case err != nil:
			case r.Namespace == "":
				err = errors.New("no broadcast was named, and none could be chosen")
			case !r.fit():
				err = fmt.Errorf("nothing that could be packaged within %s", d)
			}
			return err
		},
	}
	f.broadcast(c.Flags())
	c.Flags().Var(&d, "for", "how long to listen")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	return c
}

// probeAny listens for d to the broadcast that is named or, if there is only one, to that.
func probeAny(ctx context.Context, w io.Writer, ch *config.Channel, d time.Duration) (*report, error) {
	if ch.Split(); ch.Namespace == "" {
		namespace, r, err := choose(ctx, ch, d)
		if r != nil || err != nil {
			return r, err
		}
		ch.Namespace = namespace
	}
	return probeBroadcast(ctx, w, ch, d)
}

// probeBroadcast listens for d.
func probeBroadcast(ctx context.Context, w io.Writer, ch *config.Channel, d time.Duration) (*report, error) {
	c, err := source(ch)
	if err != nil {
		return nil, err
	}
	src, err := subscriber.New(c)
	if err != nil {
		return nil, err
	}
	p := &prober{began: time.Now(), tracks: map[string]*cadence{}}
	if p.fold, err = segmenter.New(segmenter.DefaultConfig(), nowhere{}, nil, nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var there census
	done := make(chan struct{})
	go func() {
		defer close(done)
		there.take(ctx, c)
	}()
	err = follow(ctx, src, p, newProgress(w, 0), p.size)
	cancel()
	<-done
	if err != nil {
		return nil, err
	}
	r := p.report(ch, time.Now())
	r.Under, r.Namespaces, r.Unlisted = there.under, there.found, there.unlisted
	return r, nil
}

// census is which broadcasts the relay tells of beside the one that is probed.
type census struct {
	under    string   // a prefix
	found    []string // in the order in which they were told of, each once
	unlisted string   // why the relay does not tell
}

// take asks the relay until ctx ends.
func (n *census) take(ctx context.Context, c subscriber.Config) {
	c.Namespace, c.Logger = c.Namespace[:len(c.Namespace)-1], slog.New(slog.DiscardHandler)
	n.under = subscriber.FormatNamespace(c.Namespace)
	err := subscriber.Discover(ctx, c, func(namespace []string, active bool) {
		if text := subscriber.FormatNamespace(namespace); active && !slices.Contains(n.found, text) {
			n.found = append(n.found, text)
		}
	})
	if ctx.Err() == nil {
		n.unlisted = err.Error()
	}
}

// nowhere is a Sink that keeps nothing.
type nowhere struct{}

func (nowhere) Put(context.Context, segmenter.Media) error { return nil }

// prober is a Receiver that measures.
type prober struct {
	mu      sync.Mutex // guards what follows
	began   time.Time
	fold    *segmenter.Segmenter
	catalog *catalog.Catalog
	state   subscriber.State // the last one that came furthest
	errs    []string         // what went wrong, in order, each once
	tracks  map[string]*cadence
	bytes   int64
}

// cadence is how the objects of a track come.
type cadence struct {
	first, last    time.Time // arrivals
	groups         int
	objects, bytes int64
	lost, refused  int
	properties     []uint64 // types that were seen
	from, at       media.Location
	starts         []time.Time // of groups
}

// Catalog implements subscriber.Receiver.
func (p *prober) Catalog(ctx context.Context, c *catalog.Catalog) (want []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catalog = c
	if err := p.fold.Catalog(ctx, time.Now(), c.Tracks); err != nil {
		p.note(err)
	}
	for _, t := range c.Tracks {
		want = append(want, t.Name)
	}
	return want, nil
}

// Object implements subscriber.Receiver.
func (p *prober) Object(ctx context.Context, track string, o media.Object) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	c := p.tracks[track]
	if c == nil {
		c = &cadence{first: now, from: o.Location}
		p.tracks[track] = c
	}
	if o.Status == media.Normal {
		c.take(now, &o)
		p.bytes += int64(len(o.Payload))
	}
	if err := p.fold.Object(ctx, now, track, o); err != nil {
		c.refused++
		p.note(err)
	}
	return nil
}

func (c *cadence) take(now time.Time, o *media.Object) {
	if c.objects == 0 || o.Group != c.at.Group {
		c.groups++
		if len(c.starts) < 1000 {
			c.starts = append(c.starts, now)
		}
	}
	c.last, c.at = now, o.Location
	c.objects++
	c.bytes += int64(len(o.Payload))
	if o.Lost {
		c.lost++
	}
	for _, property := range o.Properties {
		if !slices.Contains(c.properties, property.Type) && len(c.properties) < 32 {
			c.properties = append(c.properties, property.Type)
		}
	}
}

// State implements subscriber.Receiver.
func (p *prober) State(_ context.Context, s subscriber.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Phase >= p.state.Phase {
		p.state = s
	}
	if s.Err != nil {
		p.note(s.Err)
	}
}

// note keeps an error for the report.
func (p *prober) note(err error) {
	if text := err.Error(); !slices.Contains(p.errs, text) && len(p.errs) < 20 {
		p.errs = append(p.errs, text)
	}
}

func (p *prober) size() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

var _ subscriber.Receiver = (*prober)(nil)

// report is what was found out until now.
func (p *prober) report(ch *config.Channel, now time.Time) *report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &report{
		Relay: p.state.Relay, Draft: p.state.Draft, Transport: p.state.Transport, Namespace: ch.Namespace, Phase: p.state.Phase.String(), Errors: p.errs,
		Seconds: now.Sub(p.began).Seconds(),
	}
	out := p.fold.Output()
	if out != nil {
		r.Segment = float64(out.Plan.Grid.Num) / float64(out.Plan.Grid.Den)
		r.PartTarget = out.Plan.PartTarget.Seconds()
	}
	if p.catalog == nil {
		r.hint(p.state)
		return r
	}
	r.Catalog = p.catalog.Version
	for i := range p.catalog.Tracks {
		t := &p.catalog.Tracks[i]
		row := p.tracks[t.Name].row(t)
		if out != nil {
			row.place(out, now)
		}
		r.Tracks = append(r.Tracks, row)
	}
	for _, s := range p.catalog.Skipped {
		r.Skipped = append(r.Skipped, ignored{s.Name, s.Reason})
	}
	r.hint(p.state)
	return r
}

// row is the table's line for a track; c is nil if nothing came.
func (c *cadence) row(t *media.Track) trackRow {
	row := trackRow{Name: t.Name, Kind: t.Kind.String(), Packaging: string(t.Packaging), Codec: t.Codec, Language: t.Language, CatalogBitrate: t.Bitrate}
	if c == nil || c.objects == 0 {
		return row
	}
	row.Groups, row.Objects, row.Bytes, row.Lost, row.Refused, row.Properties = c.groups, c.objects, c.bytes, c.lost, c.refused, c.properties
	row.From, row.To = c.from.Group, c.at.Group
	if n := len(c.starts); n > 2 { // what came at first was older: a burst
		row.GroupSeconds = c.starts[n-1].Sub(c.starts[n/2]).Seconds() / float64(n-1-n/2)
	}
	row.PerGroup = float64(c.objects) / float64(c.groups)
	return row
}

// place says what the segmenter makes of the track, and how far its live edge is behind the clock.
func (row *trackRow) place(out *segmenter.Output, now time.Time) {
	for _, r := range out.Renditions {
		s := r.Timeline.Load()
		if r.Track.Name != row.Name || s.Empty() {
			continue
		}
		row.Codec = s.Current().Init.Codec
		row.Segments = len(s.Segments)
		edge := int64(0)
		if n := len(s.Segments); n > 0 {
			edge = s.Segments[n-1].End()
		}
		if s.Open != nil {
			edge = s.Open.End()
		}
		behind := now.Sub(manifest.UnixMilli(s.Current(), edge)).Seconds()
		row.Behind, row.ClockFromArrival = &behind, s.Current().Arrival
	}
}
