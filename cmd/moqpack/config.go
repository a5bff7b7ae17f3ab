package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/moqpack/moqpack/internal/config"
)

// flags fill a configuration from the command line: the single-channel case, or several channels that are alike.
type flags struct {
	config  config.Config
	channel config.Channel // what all channels have in common
	file    string         // --config
}

func newFlags() *flags {
	return &flags{config: config.Default(), channel: config.DefaultChannel()}
}

// origin registers where and how to serve, and what to keep.
func (f *flags) origin(fs *pflag.FlagSet) {
	c := &f.config
	fs.StringVar(&c.Server.HTTP, "http", c.Server.HTTP, "address to serve on, HOST:PORT")
	fs.StringVar(&c.Server.Cert, "http-cert", "", "PEM certificate `file`: serve HTTPS with HTTP/2")
	fs.StringVar(&c.Server.Key, "http-key", "", "PEM key `file` of --http-cert")
	fs.Var(&c.Server.Stale, "stale", "send viewers to another instance after so long without anything new; 0: never")
	fs.Var(&c.Memory, "memory", "most memory for the media of one channel")
	fs.StringVar(&c.Storage.Disk.Dir, "data", "", "`directory` to record in")
	fs.Var(&c.Storage.Disk.Limit, "data-limit", "most bytes in --data")
	fs.StringVar(&c.Storage.S3.URL, "s3", "", "bucket to record in, `s3://BUCKET/PREFIX`; credentials as for every AWS tool")
	reach(fs, &c.Storage.S3)
	fs.StringVar(&c.Storage.S3.Redirect, "s3-redirect", "", "`URL` under which viewers reach the bucket: send them there for older media instead of passing it on")
	fs.StringVar(&f.channel.FairPlay, "fairplay", "", "`URI` that FairPlay asks keys with, skd://..., with {kid} or {uuid} for the key id")
	fs.Var(&f.channel.DVR, "dvr", "how far viewers may go back (needs --data or --s3)")
	fs.Var(&f.channel.Archive.Retain, "retain", "how long recordings are kept; 0: for ever")
	fs.Var(&f.channel.Archive.RetainBytes, "retain-bytes", "how much of a channel is kept; 0: all")
}

// reach registers how to get at a bucket.
func reach(fs *pflag.FlagSet, c *config.S3) {
	fs.StringVar(&c.Endpoint, "s3-endpoint", "", "`URL` of a compatible store instead of AWS")
	fs.StringVar(&c.Region, "s3-region", "", "region of the bucket (default: as for every AWS tool)")
	fs.StringVar(&c.Profile, "s3-profile", "", "profile of the shared AWS configuration")
	fs.BoolVar(&c.PathStyle, "s3-path-style", false, "address the bucket by path, as most compatible stores want")
}

// trust registers whom to believe to be the relay.
func (f *flags) trust(fs *pflag.FlagSet) {
	t := &f.channel.TLS
	fs.StringVar(&t.CA, "tls-ca", "", "PEM `file` of the authorities to trust instead of the system's")
	fs.StringVar(&t.Fingerprint, "tls-fingerprint", "", "trust only the certificate with this SHA-256, in hex")
	fs.BoolVar(&t.Insecure, "insecure", false, "do not verify the relay's certificate (for tests only)")
}

// broadcast registers what to follow without packaging it.
func (f *flags) broadcast(fs *pflag.FlagSet) {
	fs.StringVar(&f.channel.Namespace, "namespace", "", "the broadcast, its fields separated by /, a / in a field written %2F")
	f.asking(fs)
	f.trust(fs)
}

// asking registers what to say to the relay, and how to read its answers.
func (f *flags) asking(fs *pflag.FlagSet) {
	ch := &f.channel
	fs.StringVar(&ch.Token, "token", "", "authorization token to send to the relays")
	fs.StringVar(&ch.Catalog, "catalog", ch.Catalog, "`format` of the broadcast's catalog: msf, hang, warp, moq-mi (which has none), or auto: whichever there is")
	fs.StringToStringVar((*map[string]string)(&ch.Variables), "variable", nil, "value of a variable in the catalog, `NAME=VALUE` (repeatable)")
}

// segmenter registers how to cut.
func (f *flags) segmenter(fs *pflag.FlagSet) {
	s := &f.channel.Segmenter
	fs.Var(&s.Segment, "segment", "segment duration to come near to, in whole groups")
	fs.Var(&s.Part, "part", "part duration wanted (LL-HLS, LL-DASH), to the frame")
	fs.IntVar(&s.Window, "window", s.Window, "segments that live playlists list")
}

// valid is nil, or all faults under the names of the flags.
func (f *flags) valid() error {
	var errs []error
	var said []string
	for _, fault := range config.Faults(f.config.Validate()) {
		text := inFlags(fault)
		if !slices.Contains(said, text) { // channels that are alike have the same faults
			said, errs = append(said, text), append(errs, errors.New(text))
		}
	}
	return errors.Join(errs...)
}

// inFlags says a fault to somebody who knows the flags and not the file.
func inFlags(f *config.Fault) string {
	names := map[string]string{
		"listen.address": "listen", "listen.cert": "listen-cert and --listen-key", "listen.token": "listen-token",
		"server.http": "http", "server.cert": "http-cert and --http-key", "server.stale": "stale", "memory": "memory", "max_channels": "max-channels",
		"storage.disk.dir": "data", "storage.disk.limit": "data-limit",
		"storage.s3.url": "s3", "storage.s3.endpoint": "s3-endpoint", "storage.s3.region": "s3-region", "storage.s3.profile": "s3-profile",
		"storage.s3.redirect": "s3-redirect",
		"relay":               "relay", "token": "token", "namespace": "namespace", "name": "name", "catalog": "catalog", "variables": "variable",
		"tls": "tls-ca, --tls-fingerprint and --insecure", "tls.fingerprint": "tls-fingerprint",
		"segmenter.segment": "segment", "segmenter.part": "part", "segmenter.window": "window",
		"fairplay": "fairplay", "dvr": "dvr", "archive.retain": "retain", "archive.retain_bytes": "retain-bytes",
	}
	name, known := names[regexp.MustCompile(`^channels\[\d+\]\.`).ReplaceAllString(f.Path, "")]
	if !known {
		return f.Error()
	}
	text := strings.NewReplacer("storage.s3.url", "--s3", "storage.disk", "--data", "storage.s3", "--s3",
		"path_style", "--s3-path-style").Replace(f.Text)
	return fmt.Sprintf("--%s: %s", name, text)
}

// broadcasts are the flags that say which broadcasts to package.
type broadcasts struct {
	*flags
	namespaces, names []string
	allow             []string // namespaces that publishers who connect to us may publish
}

func newBroadcasts() *broadcasts { return &broadcasts{flags: newFlags()} }

func (b *broadcasts) register(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&b.file, "config", "", "YAML `file` that says everything, instead of all other flags")
	fs.StringArrayVar(&b.channel.Relays, "relay", nil, "relay or publisher, moqt://HOST[:PORT][/PATH][?draft=18] or https://... (repeatable: the others are for when it fails)")
	fs.StringArrayVar(&b.namespaces, "namespace", nil, "broadcast to package, its fields separated by /, a / in a field written %2F; LIVE/* is every broadcast under LIVE (repeatable)")
	fs.IntVar(&b.config.MaxChannels, "max-channels", b.config.MaxChannels, "most channels that appear by themselves, of a --namespace with *")
	b.asking(fs)
	fs.StringArrayVar(&b.names, "name", nil, "channel name, one for each --namespace (default: the namespace's last field)")
	l := &b.config.Listen
	fs.StringVar(&l.Address, "listen", "", "UDP address for publishers to connect to, HOST:PORT; --allow says what they may publish")
	fs.StringArrayVar(&b.allow, "allow", nil, "broadcast that publishers who connect may publish, written like a --namespace; LIVE/* is every one under LIVE (repeatable)")
	fs.StringVar(&l.Token, "listen-token", "", "token that publishers who connect have to show (default: none)")
	fs.StringVar(&l.Cert, "listen-cert", "", "PEM certificate `file` for --listen (default: one that signs itself, whose fingerprint is printed)")
	fs.StringVar(&l.Key, "listen-key", "", "PEM key `file` of --listen-cert")
	b.trust(fs)
	b.segmenter(fs)
	b.origin(fs)
}

// load is the configuration that the command line or the file gives. beside are flags that are no part of it.
func (b *broadcasts) load(c *cobra.Command, beside ...string) (*config.Config, error) {
	if b.file == "" {
		return b.assemble()
	}
	var also []string
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "config" && c.InheritedFlags().Lookup(f.Name) == nil && !slices.Contains(beside, f.Name) {
			also = append(also, "--"+f.Name)
		}
	})
	if len(also) > 0 {
		return nil, fmt.Errorf("--config says everything: put into %s what %s says", b.file, strings.Join(also, ", "))
	}
	return config.Load(b.file)
}

// assemble makes the configuration of the flags.
func (b *broadcasts) assemble() (*config.Config, error) {
	if len(b.channel.Relays) > 0 && strings.Contains(b.channel.Relays[0], "#") && len(b.namespaces) == 0 {
		b.namespaces = []string{""} // the relay's URL says it
	}
	switch listens := b.config.Listen.Address != ""; {
	case len(b.allow) > 0 && !listens:
		return nil, errors.New("--allow is what publishers may publish who connect to us: say where, with --listen")
	case len(b.channel.Relays) == 0 && !listens, len(b.namespaces) == 0 && len(b.allow) == 0:
		return nil, errors.New("give --relay and --namespace, or --listen and --allow, or --config FILE")
	case len(b.namespaces) == 0 && len(b.channel.Relays) > 0:
		return nil, errors.New("--relay: say which broadcasts to take from it, with --namespace")
	}
	if len(b.names) > 0 && len(b.names) != len(b.namespaces) {
		return nil, fmt.Errorf("%d --name for %d --namespace: give one name for each namespace, in the same order, or none",
			len(b.names), len(b.namespaces))
	}
	if slices.Contains(b.names, "") {
		return nil, errors.New("--name is empty")
	}
	for i, ns := range b.namespaces {
		ch := b.channel
		ch.Namespace = ns
		if len(b.names) > 0 {
			ch.Name = b.names[i]
		}
		b.config.Channels = append(b.config.Channels, ch)
	}
	for _, ns := range b.allow {
		ch := b.channel
		ch.Namespace, ch.Relays, ch.Token, ch.TLS = ns, nil, "", config.TLS{}
		b.config.Channels = append(b.config.Channels, ch)
	}
	b.config.Complete()
	return &b.config, b.valid()
}
