package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
	"github.com/moqpack/moqpack/subscriber/tape"
)

func recordCommand() *cobra.Command {
	f := newFlags()
	var d config.Duration
	c := &cobra.Command{
		Use:   "record RELAY FILE --namespace NS",
		Short: "Write down what a relay sends, object by object with its timing, to be replayed",
		Long: `Follow a broadcast as serve does, and write everything that the relay answers to a file: the catalog, every
object with its properties, where streams end, what is refused, and when. "moqpack replay" plays that to
everything behind the network, so a recording is what to attach to a report of something that does not work.

The file is lines of JSON, gzip-compressed if its name ends in .gz; the format is described in subscriber/tape.`,
		Example: `  moqpack record moqt://relay.example:443/moq studio1.jsonl.gz --namespace live/studio1 --for 30s`,
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f.channel.Relays = []string{args[0]}
			return record(c.Context(), c.ErrOrStderr(), &f.channel, args[1], time.Duration(d))
		},
	}
	f.broadcast(c.Flags())
	c.Flags().Var(&d, "for", "how long; 0: until it is interrupted, or the broadcast ends")
	return c
}

func record(ctx context.Context, w io.Writer, ch *config.Channel, path string, d time.Duration) error {
	c, err := source(ch)
	if err != nil {
		return err
	}
	out, err := tape.Create(path, c.Namespace, time.Now())
	if err != nil {
		return err
	}
	c.Record = out
	src, err := subscriber.New(c)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	err = follow(ctx, src, everything{}, newProgress(w, 0), func() int64 {
		if out.Err() != nil {
			stop()
		}
		return out.Size()
	})
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s of media are in %s: moqpack replay %s\n", bytesOf(out.Size()), path, path)
	return nil
}

// follow hands a broadcast to recv until ctx or the broadcast ends, which both are no errors, and shows how much there is already.
func follow(ctx context.Context, src *subscriber.Source, recv subscriber.Receiver, p *progress, size func() int64) error {
	defer p.end()
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer cancel()
		if err := src.Run(ctx, recv); ctx.Err() == nil {
			return err
		}
		return nil
	})
	g.Go(func() error {
		tick := time.NewTicker(time.Second / 4)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.show(size())
			case <-ctx.Done():
				return nil
			}
		}
	})
	return g.Wait()
}

// source is the subscriber's part of a channel that is not served.
func source(ch *config.Channel) (subscriber.Config, error) {
	ch.Name = "probe"
	ch.Split()
	cfg := config.Default()
	cfg.Channels = []config.Channel{*ch}
	if err := (&flags{config: cfg}).valid(); err != nil {
		return subscriber.Config{}, err
	}
	c, err := ch.Source()
	c.Logger = slog.Default()
	return c, err
}

// everything is a Receiver that wants all tracks, and does nothing with them.
type everything struct{}

// Catalog implements subscriber.Receiver.
func (everything) Catalog(_ context.Context, c *catalog.Catalog) (want []string, err error) {
	for _, t := range c.Tracks {
		want = append(want, t.Name)
	}
	return want, nil
}

// Object implements subscriber.Receiver.
func (everything) Object(context.Context, string, media.Object) error { return nil }

// State implements subscriber.Receiver.
func (everything) State(context.Context, subscriber.State) {}

var _ subscriber.Receiver = everything{}

func replayCommand() *cobra.Command {
	f := newFlags()
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Package what was recorded, and serve it as if it were live",
		Long: `Play a recording of "moqpack record" to everything behind the network: the same answers at the same times, through
catalog, order, repair and segmenter to the playlists. It is served as a channel until the process is ended; when the recording
ends, the broadcast has ended.`,
		Example: `  moqpack replay studio1.jsonl.gz
  moqpack replay studio1.jsonl.gz --http :9000 --data /tmp/moqpack`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return replay(c, f, args[0]) },
	}
	f.segmenter(c.Flags())
	f.origin(c.Flags())
	return c
}

func replay(c *cobra.Command, f *flags, path string) error {
	r, err := tape.Open(path)
	if err != nil {
		return err
	}
	space := r.Namespace
	if err := r.Close(); err != nil {
		return err
	}
	ch := f.channel
	ch.Replay, ch.Namespace = path, subscriber.FormatNamespace(space)
	ch.Name = strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".jsonl")
	f.config.Channels = []config.Channel{ch}
	if err := f.valid(); err != nil {
		return err
	}
	o, err := newOrigin(c.Context(), &f.config)
	if err != nil {
		return err
	}
	if err := o.add(&f.config.Channels[0]); err != nil {
		return err
	}
	return o.run(c.Context(), c.OutOrStdout(), nil)
}
