package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/subscriber"
)

// serveFlags are those of the serve command.
type serveFlags struct {
	relay      string
	namespaces []string
	names      []string
	tls        subscriber.TLS
	segmenter  segmenter.Config
	origin     originFlags
}

func serveCommand() *cobra.Command {
	f := serveFlags{segmenter: segmenter.DefaultConfig()}
	c := &cobra.Command{
		Use:   "serve --relay moqt://HOST:PORT[/PATH] --namespace NS [--namespace NS ...]",
		Short: "Package broadcasts from a relay or a publisher and serve them over HTTP",
		Long: `Subscribe to one or more broadcasts and serve each as a channel, under
http://ADDR/CHANNEL/index.m3u8 (LL-HLS), index.mpd (LL-DASH), legacy.m3u8 and legacy.mpd (plain).

A broadcast that does not exist yet is waited for. A relay that goes away is dialled again, for ever,
and the playlists continue where they stopped.`,
		Example: `  moqpack serve --relay moqt://relay.example:443/moq --namespace live/studio1
  moqpack serve --relay moqt://127.0.0.1:4443 --namespace news --name news-hd --insecure
  moqpack serve --relay 'moqt://relay.example?draft=16' --namespace a --namespace b --http :80`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var namespaces [][]string
			for _, ns := range f.namespaces {
				fields, err := subscriber.ParseNamespace(ns)
				if err != nil {
					return fmt.Errorf("--namespace: %w", err)
				}
				namespaces = append(namespaces, fields)
			}
			names, err := channelNames(namespaces, f.names)
			if err != nil {
				return err
			}
			if err := f.segmenter.Validate(); err != nil {
				return fmt.Errorf("--segment (target), --part, --window: %w", err)
			}
			o, err := newOrigin(f.origin, f.segmenter)
			if err != nil {
				return err
			}
			for i, fields := range namespaces {
				if err := o.add(names[i], f.relay, fields, f.tls); err != nil {
					return err
				}
			}
			return o.run(c.Context(), c.OutOrStdout(), nil)
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.relay, "relay", "", "relay or publisher, moqt://HOST[:PORT][/PATH][?draft=18]")
	fs.StringArrayVar(&f.namespaces, "namespace", nil, "broadcast to package, its fields separated by /, a / in a field written %2F (repeatable)")
	fs.StringArrayVar(&f.names, "name", nil, "channel name, one for each --namespace (default: the namespace's last field)")
	fs.StringVar(&f.tls.CA, "tls-ca", "", "PEM `file` of the authorities to trust instead of the system's")
	fs.StringVar(&f.tls.Fingerprint, "tls-fingerprint", "", "trust only the certificate with this SHA-256, in hex")
	fs.BoolVar(&f.tls.Insecure, "insecure", false, "do not verify the relay's certificate (for tests only)")
	fs.DurationVar(&f.segmenter.Target, "segment", f.segmenter.Target, "segment duration to come near to, in whole groups")
	fs.DurationVar(&f.segmenter.Part, "part", f.segmenter.Part, "part duration wanted (LL-HLS, LL-DASH), to the frame")
	fs.IntVar(&f.segmenter.Window, "window", f.segmenter.Window, "segments that live playlists list")
	f.origin.register(c)
	_ = c.MarkFlagRequired("relay")
	_ = c.MarkFlagRequired("namespace")
	return c
}

// channelNames are the given names, or the namespaces' last fields.
func channelNames(namespaces [][]string, names []string) ([]string, error) {
	if len(names) > 0 && len(names) != len(namespaces) {
		return nil, fmt.Errorf("%d --name for %d --namespace: give one name for each namespace, in the same order, or none",
			len(names), len(namespaces))
	}
	out := make([]string, len(namespaces))
	for i, ns := range namespaces {
		out[i] = ns[len(ns)-1]
		if len(names) > 0 {
			out[i] = names[i]
		}
		switch {
		case out[i] == "":
			return nil, fmt.Errorf("--name is empty")
		case slices.Contains(out[:i], out[i]):
			return nil, fmt.Errorf("two namespaces are channel %q: choose names with --name", out[i])
		}
	}
	return out, nil
}
