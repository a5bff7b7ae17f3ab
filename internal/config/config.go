package config

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// Config is everything that a process packages and where it puts it. Begin with Default.
type Config struct {
	Server   Server    `yaml:"server"`
	Listen   Listen    `yaml:"listen"`
	Memory   Size      `yaml:"memory"` // for the media of one channel
	Storage  Storage   `yaml:"storage"`
	Channels []Channel `yaml:"channels"`
	// MaxChannels bounds the channels that appear by themselves, see Channel.Prefix.
	MaxChannels int `yaml:"max_channels"`

	wrote   map[string]position // what the file says, and where; empty for flags
	secrets []secret
}

// Server is the HTTP origin.
type Server struct {
	HTTP string `yaml:"http"` // address to listen on
	Cert string `yaml:"cert"` // PEM files
	Key  string `yaml:"key"`
	// Stale is how long a channel may have nothing new before viewers are sent to another instance. 0: they never are.
	Stale Duration `yaml:"stale"`
	// Incomplete sends them there even if only some of its renditions have nothing new.
	Incomplete bool `yaml:"incomplete"`
}

// Listen is where publishers connect to us, with what the channels allow that have no relay.
type Listen struct {
	Address string `yaml:"address"` // HOST:PORT, over UDP; empty: nowhere
	Cert    string `yaml:"cert"`    // PEM files; empty: a certificate that signs itself
	Key     string `yaml:"key"`
	Token   string `yaml:"token"` // that publishers have to show, unless the channel has a token of its own; empty: none
}

// Storage is where recordings may be, for all channels.
type Storage struct {
	Disk Disk `yaml:"disk"`
	S3   S3   `yaml:"s3"`
}

// Disk is a directory.
type Disk struct {
	Dir   string `yaml:"dir"`   // empty: there is none
	Limit Size   `yaml:"limit"` // of all that is in it
}

// S3 is a bucket. Credentials come from the environment, the shared files or the machine's role, never from here.
type S3 struct {
	URL          string `yaml:"url"`      // s3://bucket/prefix; empty: there is none
	Endpoint     string `yaml:"endpoint"` // of a compatible store; empty: AWS
	Region       string `yaml:"region"`
	PathStyle    bool   `yaml:"path_style"` // the bucket is part of the path, not of the host name
	Profile      string `yaml:"profile"`    // of the shared configuration files
	Role         string `yaml:"role"`       // ARN of the role to assume
	SSE          string `yaml:"sse"`        // AES256 or aws:kms; empty: what the bucket says
	KMSKey       string `yaml:"kms_key"`
	StorageClass string `yaml:"storage_class"`
	Gzip         bool   `yaml:"gzip"`     // compress long playlists there: players that go there must understand that unasked
	Redirect     string `yaml:"redirect"` // URL under which viewers reach what is in the bucket; empty: older media is passed on
}

// Channel is a broadcast and its outputs.
type Channel struct {
	Name      string    `yaml:"name"`      // in URLs; empty: the namespace's last field
	Relays    []string  `yaml:"relay"`     // moqt://HOST[:PORT][/PATH][?draft=18] or https://..., or a list of such, the preferred one first; empty: see Listen
	Token     string    `yaml:"token"`     // authorizes us with the relays; without any, publishers with us
	Replay    string    `yaml:"replay"`    // a recording to play instead of connecting to a relay
	Namespace string    `yaml:"namespace"` // fields separated by /; with * as the last one: every broadcast with those before it
	Catalog   string    `yaml:"catalog"`   // msf, hang, warp or moq-mi; auto: whichever there is
	Variables Variables `yaml:"variables"` // of the catalog (draft-ietf-moq-msf, "Variable Substitution"), by name
	TLS       TLS       `yaml:"tls"`
	Segmenter Segmenter `yaml:"segmenter"`
	DVR       Duration  `yaml:"dvr"` // how far viewers may go back
	Archive   Archive   `yaml:"archive"`
	FairPlay  string    `yaml:"fairplay"` // URI that FairPlay asks keys with: skd://... with {kid} or {uuid}
}

// TLS says whom to believe to be the relay. At most one field may be set.
type TLS struct {
	CA          string `yaml:"ca"`
	Fingerprint string `yaml:"fingerprint"`
	Insecure    bool   `yaml:"insecure"`
}

// Segmenter must be the same on all instances of a channel: the bytes depend on it.
type Segmenter struct {
	Segment Duration `yaml:"segment"`
	Part    Duration `yaml:"part"`
	Window  int      `yaml:"window"`
}

// Archive says in which of the stores a channel is recorded, and for how long. A store that is not configured is none of them.
type Archive struct {
	Disk bool `yaml:"disk"`
	S3   bool `yaml:"s3"`
	// Retain and RetainBytes bound what is kept: what is older, or more. 0: no bound.
	Retain      Duration `yaml:"retain"`
	RetainBytes Size     `yaml:"retain_bytes"`
}

// Default suits one machine: what is not said is as here, in the file and on the command line.
func Default() Config {
	return Config{
		Server: Server{HTTP: "localhost:8080"},
		Memory: 1 << 30, MaxChannels: 100,
		Storage: Storage{Disk: Disk{Limit: 50 << 30}},
	}
}

// Variables are values by name.
type Variables map[string]string

// auto is the catalog of whichever format there is.
const auto = "auto"

// DefaultChannel is a channel of which nothing has been said yet.
func DefaultChannel() Channel {
	s := segmenter.DefaultConfig()
	return Channel{
		Catalog:   auto,
		Segmenter: Segmenter{Segment: Duration(s.Target), Part: Duration(s.Part), Window: s.Window},
		Archive:   Archive{Disk: true, S3: true},
	}
}

// Published reports whether the channel's publishers connect to us.
func (ch *Channel) Published() bool { return len(ch.Relays) == 0 && ch.Replay == "" }

// Permits are what publishers who connect to us may publish.
func (c *Config) Permits() (all []subscriber.Permit) {
	for i := range c.Channels {
		ch := &c.Channels[i]
		if !ch.Published() {
			continue
		}
		all = append(all, ch.permit(c.Listen.Token))
	}
	return all
}

// permit is what may be published for the channel, with the token unless it has its own. A namespace that is not valid is nil there.
func (ch *Channel) permit(token string) subscriber.Permit {
	p := subscriber.Permit{Token: cmp.Or(ch.Token, token)}
	if p.Namespace, p.Below = ch.Prefix(); !p.Below {
		p.Namespace, _ = subscriber.ParseNamespace(ch.Namespace)
	}
	return p
}

// OnDisk and OnS3 report whether the channel is recorded there.
func (c *Config) OnDisk(ch *Channel) bool { return ch.Archive.Disk && c.Storage.Disk.Dir != "" }

// OnS3 : see OnDisk.
func (c *Config) OnS3(ch *Channel) bool { return ch.Archive.S3 && c.Storage.S3.URL != "" }

// Source is the channel's part for the subscriber.
func (ch *Channel) Source() (subscriber.Config, error) {
	c := subscriber.DefaultConfig()
	c.Relays, c.Token, c.Replay, c.Channel, c.Variables = ch.Relays, ch.Token, ch.Replay, ch.Name, ch.Variables
	if ch.Catalog != auto {
		c.Catalog = catalog.Format(ch.Catalog)
	}
	c.TLS = subscriber.TLS{CA: ch.TLS.CA, Fingerprint: ch.TLS.Fingerprint, Insecure: ch.TLS.Insecure}
	var err error
	c.Namespace, err = subscriber.ParseNamespace(ch.Namespace)
	return c, err
}

// Prefix is how the namespaces of all broadcasts begin that the channel stands for; ok is false if it stands for just one. A
// field that is an asterisk and no wildcard is written %2A.
func (ch *Channel) Prefix() (fields []string, ok bool) {
	head, ok := strings.CutSuffix(strings.TrimPrefix(ch.Namespace, "/"), "*")
	if !ok || head != "" && !strings.HasSuffix(head, "/") {
		return nil, false
	}
	if head == "" {
		return nil, true
	}
	fields, err := subscriber.ParseNamespace(head)
	return fields, err == nil
}

// Cut is the channel's part for the segmenter.
func (ch *Channel) Cut() segmenter.Config {
	c := segmenter.DefaultConfig()
	c.Target, c.Part = time.Duration(ch.Segmenter.Segment), time.Duration(ch.Segmenter.Part)
	c.Window, c.DVR = ch.Segmenter.Window, time.Duration(ch.DVR)
	return c
}

// Split takes the name of the broadcast out of relays' URLs that have it, unless another is said. What is wrong with them, Validate says.
func (ch *Channel) Split() {
	ch.Relays = slices.Clone(ch.Relays) // channels may share them
	for i, s := range ch.Relays {
		relay, namespace, err := subscriber.SplitURL(s)
		if err != nil || namespace == nil {
			continue
		}
		if ch.Namespace == "" {
			ch.Namespace = subscriber.FormatNamespace(namespace)
		}
		if said, err := subscriber.ParseNamespace(ch.Namespace); err == nil && slices.Equal(said, namespace) {
			ch.Relays[i] = relay
		}
	}
}

// Complete fills in what follows from the rest.
func (c *Config) Complete() {
	for i := range c.Channels {
		ch := &c.Channels[i]
		ch.Split()
		if _, ok := ch.Prefix(); ok {
			continue // each broadcast gives its channel a name
		}
		if fields, err := subscriber.ParseNamespace(ch.Namespace); ch.Name == "" && err == nil {
			ch.Name = fields[len(fields)-1]
		}
	}
}

// Redact replaces what came from the environment into a relay's URL, and what in any URL may be credentials, by the name of where it
// came from.
func (c *Config) Redact(s string) string { return c.redactor(false)(s) }

// redactor replaces what is secret; all: and everything else that came from the environment.
func (c *Config) redactor(all bool) func(string) string {
	var pairs []string // spelling, replacement, ...
	for _, x := range c.secrets {
		if all || !x.plain {
			pairs = x.spell(pairs)
		}
	}
	pairs = secret{text: c.Listen.Token, name: "***"}.spell(pairs)
	for _, ch := range c.Channels {
		pairs = secret{text: ch.Token, name: "***"}.spell(pairs)
	}
	for _, u := range c.urls() {
		for _, x := range hidden(u) {
			pairs = x.spell(pairs)
		}
	}
	return func(s string) string {
		for i := 0; i < len(pairs); i += 2 {
			s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
		}
		return s
	}
}

// urls are the values in which people put credentials.
func (c *Config) urls() []string {
	out := []string{c.Storage.S3.URL, c.Storage.S3.Endpoint, c.Storage.S3.Redirect}
	for _, ch := range c.Channels {
		out = append(out, ch.Relays...)
	}
	return out
}
