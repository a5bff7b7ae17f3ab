package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/moqpack/moqpack/subscriber"
)

// Bounds of what may be chosen.
const (
	minMemory = 1 << 20
	maxMemory = 1 << 44
	minDisk   = 64 << 20
	minStale  = Duration(time.Second)
	maxStale  = Duration(time.Hour)
)

// Validate reports every fault, each a Fault with its path. What is a matter of the outside world, such as whether a file
// exists, is not its affair. It hides what may be secret in its messages.
func (c *Config) Validate() error {
	redact := c.redactor(true)
	fs := judge{show: func(s string) string { return cut(redact(s)) }}
	c.Server.validate(&fs)
	c.listen(&fs)
	if c.Memory < minMemory || c.Memory > maxMemory {
		fs.add("memory", "%s is not between 1MiB and 16TiB", c.Memory)
	}
	c.Storage.validate(&fs)
	if c.Server.Stale == 0 && c.Server.Incomplete {
		fs.add("server.incomplete", "this needs server.stale, the time after which a rendition is behind")
	}
	if len(c.Channels) == 0 {
		fs.add("channels", "there is none: name a relay and a namespace")
	}
	if c.MaxChannels < 1 || c.MaxChannels > 10_000 {
		fs.add("max_channels", "%d is not between 1 and 10000", c.MaxChannels)
	}
	names, published := map[string]bool{}, map[string]bool{}
	for i := range c.Channels {
		ch := &c.Channels[i]
		at := fmt.Sprintf("channels[%d].", i)
		c.channel(&fs, at, ch)
		if ch.Name != "" && names[ch.Name] {
			fs.add(at+"name", "two channels are called %q: give them different names", fs.show(ch.Name))
		}
		names[ch.Name] = true
		p := ch.permit("")
		taken := fmt.Sprintf("%t %q", p.Below, p.Namespace) // however it is spelt
		if ch.Published() && published[taken] {
			fs.add(at+"namespace", "two channels take what is published as %q: publishers give it once", fs.show(ch.Namespace))
		}
		published[taken] = published[taken] || ch.Published() && (p.Below || p.Namespace != nil)
	}
	for _, f := range fs.faults {
		f.Text = redact(f.Text)
	}
	return fs.join()
}

// judge collects faults, and knows how a value may be shown in one: without secrets first, and then cut, for half a secret is one,
// too.
type judge struct {
	faults
	show func(string) string
}

func (s *Server) validate(fs *judge) {
	if _, _, err := net.SplitHostPort(s.HTTP); err != nil {
		fs.add("server.http", "%q is not of the form HOST:PORT or :PORT", fs.show(s.HTTP))
	}
	if (s.Cert == "") != (s.Key == "") {
		fs.add("server.cert", "a certificate and its key go together: give both or none")
	}
	if s.Stale != 0 && (s.Stale < minStale || s.Stale > maxStale) {
		fs.add("server.stale", "%s is not between 1s and 1h", s.Stale)
	}
}

func (c *Config) listen(fs *judge) {
	l := &c.Listen
	if l.Address == "" {
		for _, f := range []struct{ key, value string }{{"cert", l.Cert}, {"key", l.Key}, {"token", l.Token}} {
			if f.value != "" {
				fs.add("listen."+f.key, "this needs listen.address, where publishers connect to")
			}
		}
		return
	}
	if _, _, err := net.SplitHostPort(l.Address); err != nil {
		fs.add("listen.address", "%q is not of the form HOST:PORT or :PORT", fs.show(l.Address))
	}
	if (l.Cert == "") != (l.Key == "") {
		fs.add("listen.cert", "a certificate and its key go together: give both or none")
	}
	if len(c.Channels) > 0 && !slices.ContainsFunc(c.Channels, func(ch Channel) bool { return ch.Published() }) {
		fs.add("listen.address", "nothing may be published there: it takes a channel without a relay, such as namespace: live/* (--allow)")
	}
}

func (s *Storage) validate(fs *judge) {
	if s.Disk.Limit < minDisk {
		fs.add("storage.disk.limit", "%s is less than 64MiB: that is not enough to work with", s.Disk.Limit)
	}
	s.S3.validate(fs)
}

func (s *S3) validate(fs *judge) {
	const at = "storage.s3."
	if s.URL == "" {
		for _, f := range []struct{ key, value string }{
			{"endpoint", s.Endpoint}, {"region", s.Region}, {"profile", s.Profile}, {"role", s.Role}, {"sse", s.SSE},
			{"kms_key", s.KMSKey}, {"storage_class", s.StorageClass}, {"redirect", s.Redirect},
		} {
			if f.value != "" {
				fs.add(at+f.key, "this needs storage.s3.url, s3://BUCKET/PREFIX")
			}
		}
		if s.PathStyle {
			fs.add(at+"url", "path_style needs it: s3://BUCKET/PREFIX")
		}
		if s.Gzip {
			fs.add(at+"url", "gzip needs it: s3://BUCKET/PREFIX")
		}
		return
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.Port() != "" || u.RawQuery != "" || u.Fragment != "" {
		fs.add(at+"url", "%q is not of the form s3://BUCKET/PREFIX", fs.show(s.URL))
	}
	if s.Endpoint != "" {
		u, err := url.Parse(s.Endpoint)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			fs.add(at+"endpoint", "%q is not of the form https://HOST[:PORT]: credentials come from the environment", fs.show(s.Endpoint))
		}
	}
	if s.Redirect != "" {
		u, err := url.Parse(s.Redirect)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			fs.add(at+"redirect", "%q is not a URL of the form https://HOST/PREFIX/ under which viewers reach the bucket", fs.show(s.Redirect))
		}
	}
	if s.Role != "" && !strings.HasPrefix(s.Role, "arn:") {
		fs.add(at+"role", "%q is not an ARN, such as arn:aws:iam::123456789012:role/moqpack", fs.show(s.Role))
	}
	switch s.SSE {
	case "", "AES256", "aws:kms", "aws:kms:dsse":
	default:
		fs.add(at+"sse", "%q is neither AES256 nor aws:kms", fs.show(s.SSE))
	}
	if s.KMSKey != "" && !strings.HasPrefix(s.SSE, "aws:kms") {
		fs.add(at+"kms_key", "this needs sse: aws:kms")
	}
}

// channel judges a channel whose fields have paths that begin with at.
func (c *Config) channel(fs *judge, at string, ch *Channel) {
	if ch.Published() && c.Listen.Address == "" || slices.Contains(ch.Relays, "") {
		fs.add(at+"relay", "this is needed: moqt://HOST[:PORT][/PATH], or listen.address (--listen) for publishers to connect to")
	}
	if ch.Published() && ch.TLS != (TLS{}) {
		fs.add(at+"tls", "this is about relays, and the channel has none: publishers are known by their token")
	}
	if ch.Namespace == "" {
		fs.add(at+"namespace", "this is needed: the broadcast's namespace, its fields separated by /")
		for _, relay := range ch.Relays {
			if _, _, err := subscriber.SplitURL(relay); err != nil {
				fs.add(at+"relay", "%s", err)
			}
		}
	}
	if !slices.Contains(ch.Relays, "") && ch.Namespace != "" {
		src, err := ch.Source()
		if ch.Published() {
			src.Reception = &subscriber.Reception{} // to be judged with
		}
		if err != nil {
			fs.add(at+"namespace", "%s", err)
		} else {
			passOn(fs, at, src.Validate(), ": ")
		}
	}
	if _, ok := ch.Prefix(); ok && ch.Name != "" {
		fs.add(at+"name", "%q cannot be the name of every broadcast under %q: leave it out", fs.show(ch.Name), fs.show(ch.Namespace))
	}
	if _, ok := ch.Prefix(); ok && ch.Replay != "" {
		fs.add(at+"namespace", "a recording has one broadcast: name it, instead of %q", fs.show(ch.Namespace))
	}
	passOn(fs, at, ch.Cut().Validate(), " ")
	if ch.FairPlay != "" && !strings.HasPrefix(ch.FairPlay, "skd://") {
		fs.add(at+"fairplay", "%q is not of the form skd://..., where {kid} or {uuid} stands for the key id", fs.show(ch.FairPlay))
	}
	c.archive(fs, at, ch)
}

func (c *Config) archive(fs *judge, at string, ch *Channel) {
	for _, s := range []struct {
		key  string
		want bool
		have bool
	}{{"disk", ch.Archive.Disk, c.Storage.Disk.Dir != ""}, {"s3", ch.Archive.S3, c.Storage.S3.URL != ""}} {
		if _, said := c.wrote[at+"archive."+s.key]; said && s.want && !s.have {
			fs.add(at+"archive."+s.key, "there is no storage.%s to record on", s.key)
		}
	}
	kept := c.OnDisk(ch) || c.OnS3(ch)
	if ch.DVR > 0 && !kept {
		fs.add(at+"dvr", "this needs a store, storage.disk or storage.s3: what leaves memory must be somewhere")
	}
	if ch.Archive.Retain > 0 && !kept {
		fs.add(at+"archive.retain", "this needs a store, storage.disk or storage.s3")
	}
	if ch.Archive.RetainBytes > 0 && !kept {
		fs.add(at+"archive.retain_bytes", "this needs a store, storage.disk or storage.s3")
	}
	if ch.Archive.Retain > 0 && ch.Archive.Retain < ch.DVR {
		fs.add(at+"archive.retain", "%s is shorter than the dvr of %s: viewers could not go back so far", ch.Archive.Retain, ch.DVR)
	}
}

// passOn takes over the faults that another package found in its own Config, under the names that ours has for its fields.
func passOn(fs *judge, at string, err error, sep string) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			passOn(fs, at, e, sep)
		}
		return
	}
	field, text, _ := strings.Cut(err.Error(), sep)
	ours := map[string]string{"target": "segmenter.segment", "part": "segmenter.part", "window": "segmenter.window"}
	if name, ok := ours[field]; ok {
		field = name
	}
	fs.add(at+field, "%s", text)
}
