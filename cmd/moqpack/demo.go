package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
)

func demoCommand() *cobra.Command {
	f := newFlags()
	var draft string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Publish a broadcast of our own over MoQ, package it, and serve it",
		Long: `Start a publisher that speaks MoQ over QUIC on loopback (a CMSF catalog, three H.264 renditions, two
AAC tracks, endless), subscribe to it as to any stranger, and serve it as the channel "demo".

The picture carries a clock and a barcode of its frame number, so that latency can be read off the screen.`,
		Example: `  moqpack demo
  moqpack demo --http 0.0.0.0:9000
  moqpack demo --draft 16
  moqpack demo --data /tmp/moqpack --dvr 1h`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return demo(c.Context(), c, f, draft)
		},
	}
	f.origin(c.Flags())
	c.Flags().StringVar(&draft, "draft", "", "draft to speak, such as 18, 16 or lite-05 (default: negotiated)")
	return c
}

func demo(ctx context.Context, c *cobra.Command, f *flags, draft string) error {
	broadcast, err := live.Demo("demo")
	if err != nil {
		return err
	}
	pub, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{broadcast}})
	if err != nil {
		return err
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer conn.Close()
	ch := f.channel
	ch.Name, ch.Namespace = "demo", strings.Join(broadcast.Namespace, "/")
	ch.TLS.Fingerprint = fmt.Sprintf("%x", pub.Fingerprint())
	relay := "moqt://" + conn.LocalAddr().String()
	if draft != "" {
		relay += "?draft=" + draft
	}
	ch.Relays = []string{relay}
	f.config.Channels = []config.Channel{ch}
	if err := f.valid(); err != nil {
		return err
	}
	o, err := newOrigin(ctx, &f.config)
	if err != nil {
		return err
	}
	if err := o.add(&f.config.Channels[0]); err != nil {
		return err
	}
	return o.run(ctx, c.OutOrStdout(), func(ctx context.Context) error { return pub.Serve(ctx, conn) })
}
