package main

import (
	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	b := newBroadcasts()
	c := &cobra.Command{
		Use:   "serve (--relay moqt://HOST:PORT[/PATH] --namespace NS [--namespace NS ...] | --listen HOST:PORT --allow NS | --config FILE)",
		Short: "Package broadcasts from a relay or of publishers that connect, and serve them over HTTP",
		Long: `Subscribe to one or more broadcasts and serve each as a channel, under
http://ADDR/CHANNEL/index.m3u8 (LL-HLS), index.mpd (LL-DASH), legacy.m3u8 and legacy.mpd (plain).

A broadcast that does not exist yet is waited for. A relay that goes away is dialled again, for ever,
and the playlists continue where they stopped.

With --listen, publishers connect to us, over QUIC and WebTransport on one UDP port, and no relay is needed: --allow
says which namespaces they may publish, --listen-token what they have to show. Of two that publish the same one, the
first is taken, and the other one stands in for it.

With --data or --s3 everything is recorded, so that viewers may go back (--dvr), a restart continues where
it stopped, and the end of the broadcast leaves a VOD under the same URLs. "moqpack check" with the same
flags tries all of that without serving.`,
		Example: `  moqpack serve --relay moqt://relay.example:443/moq --namespace live/studio1
  moqpack serve --relay moqt://127.0.0.1:4443 --namespace news --name news-hd --insecure
  moqpack serve --relay moqt://relay.example --namespace news --data /var/lib/moqpack --s3 s3://bucket/live --dvr 4h --retain 30d
  moqpack serve --listen :4443 --allow 'live/*' --listen-cert fullchain.pem --listen-key key.pem --listen-token "$TOKEN"
  moqpack serve --config moqpack.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := b.load(c)
			if err != nil {
				return err
			}
			o, err := newOrigin(c.Context(), cfg)
			if err != nil {
				return err
			}
			for i := range cfg.Channels {
				if err := o.add(&cfg.Channels[i]); err != nil {
					return err
				}
			}
			return o.run(c.Context(), c.OutOrStdout(), nil)
		},
	}
	b.register(c)
	return c
}
