package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/config"
)

// level is how a check came out.
type level string

const (
	levelOK   level = "ok"
	levelWarn level = "WARN" // it works, but not as well as it could, or not yet
	levelFail level = "FAIL" // moqpack would not do what it is told
)

// finding is what a check found out about one thing.
type finding struct {
	Level level  `json:"level"`
	What  string `json:"what"`
	Text  string `json:"text"`
	Next  string `json:"next,omitempty"` // what to do about it
}

func (f finding) String() string {
	s := fmt.Sprintf("%-4s  %s: %s", f.Level, f.What, f.Text)
	if f.Next != "" {
		s += "\n      -> " + f.Next
	}
	return s
}

// probe tries one thing. It ends soon after ctx at the latest.
type probe func(ctx context.Context) []finding

func checkCommand() *cobra.Command {
	b := newBroadcasts()
	var asJSON bool
	wait := config.Duration(5 * time.Second)
	c := &cobra.Command{
		Use:   "check [--config FILE | the flags of serve]",
		Short: "Try what a configuration names: relays, directory, bucket, address, certificate",
		Long: `Read the configuration that serve would run with and then really try what it names: connect to every relay
and wait for the catalog, write to the data directory and to the bucket, go where viewers are redirected to, listen
on the addresses, load the certificates. Nothing is packaged, and nothing stays behind but the directory.

One line for each thing: ok, WARN or FAIL, and what to do. The exit code is 1 if anything fails.`,
		Example: `  moqpack check --config moqpack.yaml
  moqpack check --relay moqt://relay.example --namespace news --s3 s3://bucket/live --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := b.load(c, "json", "wait")
			if err != nil {
				return err
			}
			return check(c.Context(), c.OutOrStdout(), cfg, probes(cfg, time.Duration(wait)), asJSON)
		},
	}
	b.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array of level, what, text and next")
	c.Flags().Var(&wait, "wait", "how long to wait for each relay's catalog")
	return c
}

// check runs the probes side by side and prints what they find in their order.
func check(ctx context.Context, out io.Writer, cfg *config.Config, all []probe, asJSON bool) error {
	found := make([][]finding, len(all))
	done := make([]chan struct{}, len(all)) // each closed by its probe's goroutine
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16 + 1) // and the printer
	for i := range all {
		done[i] = make(chan struct{})
	}
	failed, list := 0, []finding{}
	g.Go(func() error {
		for i := range all {
			<-done[i]
			for _, f := range found[i] {
				f.What, f.Text, f.Next = cfg.Redact(f.What), cfg.Redact(f.Text), cfg.Redact(f.Next)
				list = append(list, f)
				if f.Level == levelFail {
					failed++
				}
				if !asJSON {
					fmt.Fprintln(out, f)
				}
			}
		}
		return nil
	})
	for i, p := range all {
		g.Go(func() error {
			defer close(done[i])
			found[i] = p(ctx)
			return nil
		})
	}
	err := g.Wait()
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = errors.Join(err, e.Encode(list))
	}
	if failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d checks failed", failed, len(list)))
	}
	return err
}

// probes are those of everything that the configuration names.
func probes(cfg *config.Config, wait time.Duration) []probe {
	all := []probe{func(ctx context.Context) []finding { return probeAddress(ctx, cfg.Server.HTTP) }}
	if s := cfg.Server; s.Cert != "" {
		all = append(all, func(context.Context) []finding { return probeCertificate(s.Cert, s.Key, time.Now()) })
	}
	if l := cfg.Listen; l.Address != "" {
		all = append(all, func(ctx context.Context) []finding { return probeDoor(ctx, cfg) })
		if l.Cert != "" {
			all = append(all, func(context.Context) []finding { return probeCertificate(l.Cert, l.Key, time.Now()) })
		}
	}
	if cfg.Storage.Disk.Dir != "" || cfg.Storage.S3.URL != "" {
		all = append(all, func(ctx context.Context) []finding { return probeDirectory(ctx, cfg) })
	}
	if b := cfg.Storage.S3; b.URL != "" {
		all = append(all, func(ctx context.Context) []finding { return tryBucket(ctx, b) })
		if b.Redirect != "" {
			all = append(all, func(ctx context.Context) []finding { return tryRedirect(ctx, b) })
		}
	}
	for i := range cfg.Channels {
		for _, from := range sources(&cfg.Channels[i]) {
			all = append(all, func(ctx context.Context) []finding { return probeChannel(ctx, cfg, &cfg.Channels[i], from, wait) })
		}
	}
	return all
}
