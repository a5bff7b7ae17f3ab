package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

func root() *cobra.Command {
	var verbose bool
	c := &cobra.Command{
		Use:   "moqpack",
		Short: "Carry a live MoQ broadcast to everything that cannot speak MoQ",
		Long: `moqpack subscribes to live Media over QUIC broadcasts and serves the same stream as LL-HLS, HLS,
LL-DASH and DASH from its own HTTP origin, so that Smart TVs, legacy CDNs, archives and
networks that block QUIC get it too.

See it work:          moqpack demo
Package a broadcast:  moqpack serve --relay moqt://relay.example:443 --namespace live/studio1
See what is wrong:    moqpack probe moqt://relay.example:443 --namespace live/studio1`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
		},
	}
	c.PersistentFlags().BoolVarP(&verbose, "verbose", "v", false, "log more: subscriptions that end and are renewed, answers that are aborted")
	c.AddCommand(demoCommand(), serveCommand(), checkCommand(), probeCommand(), recordCommand(), replayCommand(), vodCommand(), healthCommand(), versionCommand())
	return c
}
