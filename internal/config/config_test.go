package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/moqpack/moqpack/subscriber"
)

const everything = `
server: {http: ":8080", cert: /etc/moqpack/tls.crt, key: /etc/moqpack/tls.key, stale: 10s, incomplete: true}
listen: {address: ":4443", cert: /etc/moqpack/moq.crt, key: /etc/moqpack/moq.key, token: "${TOKEN}"}
max_channels: 250
memory: 512MiB            # per channel
storage:
  disk: {dir: /var/lib/moqpack, limit: 50GiB}
  s3:
    url: "s3://bucket/prefix"
    endpoint: https://s3.example
    region: eu-central-1
    path_style: true
    profile: broadcast
    role: arn:aws:iam::1:role/x
    sse: aws:kms
    kms_key: alias/x
    storage_class: STANDARD_IA
    gzip: true
    redirect: https://cdn.example/live/
channels:
  - name: studio1
    relay: "moqt://relay.example:443/x?token=${TOKEN}&cost=$$5"
    token: ${TOKEN}
    namespace: live/studio1
    catalog: hang
    variables: {id: bob, token: "${TOKEN}"}
    tls: {ca: , fingerprint: , insecure: true}
    segmenter: {segment: 4s, part: 500ms, window: 60}
    dvr: 4h
    archive: {disk: true, s3: false, retain: 30d, retain_bytes: 1TB}
  - relay: [moqt://relay.example, "https://other.example/moq"]
    namespace: 1
  - namespace: studios/*
    token: own
`

func env(name string) (string, bool) {
	v, ok := map[string]string{"TOKEN": "hunter2-secret", "EMPTY": "", "LONG": strings.Repeat("x", 60_000)}[name]
	return v, ok
}

func TestEveryKeyIsRead(t *testing.T) {
	got, err := Parse([]byte(everything), env)
	if err != nil {
		t.Fatal(err)
	}
	second := DefaultChannel()
	second.Name, second.Relays, second.Namespace = "1", []string{"moqt://relay.example", "https://other.example/moq"}, "1"
	third := DefaultChannel()
	third.Namespace, third.Token = "studios/*", "own"
	want := &Config{
		Server: Server{HTTP: ":8080", Cert: "/etc/moqpack/tls.crt", Key: "/etc/moqpack/tls.key", Stale: Duration(10 * time.Second), Incomplete: true},
		Listen: Listen{Address: ":4443", Cert: "/etc/moqpack/moq.crt", Key: "/etc/moqpack/moq.key", Token: "hunter2-secret"},
		Memory: 512 << 20, MaxChannels: 250,
		Storage: Storage{
			Disk: Disk{Dir: "/var/lib/moqpack", Limit: 50 << 30},
			S3: S3{
				URL: "s3://bucket/prefix", Endpoint: "https://s3.example", Region: "eu-central-1", PathStyle: true, Profile: "broadcast",
				Role: "arn:aws:iam::1:role/x", SSE: "aws:kms", KMSKey: "alias/x", StorageClass: "STANDARD_IA", Gzip: true, Redirect: "https://cdn.example/live/",
			},
		},
		Channels: []Channel{{
			Name: "studio1", Relays: []string{"moqt://relay.example:443/x?token=hunter2-secret&cost=$5"}, Token: "hunter2-secret", Namespace: "live/studio1",
			Catalog: "hang", Variables: Variables{"id": "bob", "token": "hunter2-secret"},
			TLS:       TLS{Insecure: true},
			Segmenter: Segmenter{Segment: Duration(4 * time.Second), Part: Duration(500 * time.Millisecond), Window: 60},
			DVR:       Duration(4 * time.Hour),
			Archive:   Archive{Disk: true, Retain: Duration(30 * 24 * time.Hour), RetainBytes: 1e12},
		}, second, third},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Error(diff)
	}
	if !got.OnDisk(&got.Channels[0]) || got.OnS3(&got.Channels[0]) || !got.OnS3(&got.Channels[1]) {
		t.Error("a channel is not recorded where the file says, or not in all stores if it says nothing")
	}
}

// minimal is a file that is valid, to which a test adds what is not. The first line added is line 2.
const minimal = "channels: [{relay: \"moqt://r\", namespace: a}]\n"

func TestFaultsAreNamedWithTheirPlaceAndWhatWouldBeRight(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{minimal + "storage:\n  s3:\n    endpiont: x\n", "line 4, column 5: storage.s3.endpiont: unknown key: did you mean endpoint?"},
		{minimal + "servre: {}", "line 2, column 1: servre: unknown key: did you mean server?"},
		{minimal + "zzzzzz: {}", "line 2, column 1: zzzzzz: unknown key: the keys here are server, listen, memory, storage, channels, max_channels"},
		{minimal + "memory: 1GiB\nmemory: 2GiB\n", "line 3, column 1: memory: this key is here twice"},
		{minimal + "memory: 1024\n", `line 2, column 9: memory: "1024" has no unit: write 512MiB, 50GiB or 1TB`},
		{minimal + "memory: 1.5GiB\n", `line 2, column 9: memory: "1.5GiB" is not a whole number with a unit`},
		{minimal + "memory: 9999999TiB\n", "is more than can be"},
		{minimal + "memory: [1]\n", "line 2, column 9: memory: this must be text"},
		{minimal + "server: {stale: 10}\n", `line 2, column 17: server.stale: "10" is not a duration such as 10s, 4h or 30d`},
		{minimal + "server: {incomplete: yes}\n", "server.incomplete: this must be true or false"},
		{minimal + "server: on\n", "line 2, column 9: server: this must be a map with the keys http, cert, key, stale, incomplete"},
		{"channels:\n  relay: moqt://x\n", "line 2, column 3: channels: this must be a list: begin every channel with a dash"},
		{minimal + "server: {http: \"8080\"}\n", `line 2, column 10: server.http: "8080" is not of the form HOST:PORT`},
		{minimal + "server: {cert: x}\n", "line 2, column 10: server.cert: a certificate and its key go together"},
		{minimal + "storage: {s3: {region: x}}\n", "line 2, column 16: storage.s3.region: this needs storage.s3.url"},
		{minimal + "storage: {s3: {url: \"http://x\"}}\n", "storage.s3.url: \"http://x\" is not of the form s3://BUCKET/PREFIX"},
		{minimal + "storage: {s3: {url: \"s3://b\", sse: aes}}\n", "storage.s3.sse: \"aes\" is neither AES256 nor aws:kms"},
		{minimal + "storage: {s3: {url: \"s3://b\", kms_key: k}}\n", "storage.s3.kms_key: this needs sse: aws:kms"},
		{"channels:\n- relay: moqt://r\n  namespace: a\n  dvr: 4h\n", "line 4, column 3: channels[0].dvr: this needs a store"},
		{"channels:\n- {relay: \"moqt://r\", namespace: a, archive: {retain: 1d}}\n", "channels[0].archive.retain: this needs a store"},
		{"channels:\n- {relay: \"moqt://r\", namespace: a, archive: {s3: true}}\n", "channels[0].archive.s3: there is no storage.s3 to record on"},
		{"storage: {disk: {dir: d}}\nchannels:\n- relay: moqt://r\n  namespace: a\n  dvr: 2d\n  archive:\n    retain: 1d\n",
			"line 7, column 5: channels[0].archive.retain: 1d is shorter than the dvr of 2d"},
		{"channels:\n- relay: moqt://r\n  namespace: a\n- relay: moqt://r\n  namespace: b/a\n", "line 4, column 3: channels[1].name: two channels are called \"a\""},
		{"channels:\n- relay: http://r\n  namespace: a\n  segmenter: {segment: 1ms}\n", "line 4, column 15: channels[0].segmenter.segment: must be between 500ms and 1m"},
		{"channels:\n- relay: http://r\n  namespace: a\n  segmenter: {segment: 1ms}\n", "line 2, column 3: channels[0].relay: \"http://r\" is not of the form moqt://"},
		{"channels:\n- relay: moqt://r\n  namespace: a\n  tls: {ca: x, insecure: true}\n", "line 4, column 3: channels[0].tls: at most one of"},
		{"channels:\n- {relay: \"moqt://r\", namespace: a, segmenter: {window: 3.5}}\n", "this must be a whole number"},
		{"channels:\n- {relay: \"moqt://r\", namespace: a, catalog: dash}\n", `channels[0].catalog: "dash" is not auto, msf, hang, warp or moq-mi`},
		{"channels:\n- {relay: \"moqt://r\", namespace: a, variables: [id]}\n", "channels[0].variables: this must be a map of names and values"},
		{"channels:\n- {relay: \"moqt://r\", namespace: a, variables: {id: a, id: b}}\n", "channels[0].variables.id: this key is here twice"},
		{"channels:\n- {relay: \"moqt://r\", namespace: a, variables: {id: \"a b\"}}\n", `channels[0].variables: "id": letters`},
		{minimal + "max_channels: 0\n", "line 2, column 1: max_channels: 0 is not between 1 and 10000"},
		{"channels:\n- {relay: \"moqt://r\", namespace: live/*, name: a}\n", `channels[0].name: "a" cannot be the name of every broadcast under "live/*"`},
		{"channels:\n- {replay: f, namespace: live/*}\n", "channels[0].namespace: a recording has one broadcast"},
		{"channels:\n- {relay: \"moqt://r#msf:a--b\"}\n", `channels[0].relay: the fragment names the track "b"`},
		{"channels:\n- {relay: \"moqt://r#msf:a--catalog\", namespace: b}\n", `channels[0].relay: the fragment names the broadcast "a"`},
		{"channels: []\n", "line 1, column 1: channels: there is none"},
		{"# nothing\n", "the file is empty"},
		{"", "the file is empty"},
		{minimal + "listen: {address: \"4443\"}\n", `line 2, column 10: listen.address: "4443" is not of the form HOST:PORT`},
		{minimal + "listen: {address: \":1\"}\n", "line 2, column 10: listen.address: nothing may be published there"},
		{minimal + "listen: {token: secret}\n", "line 2, column 10: listen.token: this needs listen.address"},
		{"listen: {address: \":1\", key: k}\nchannels: [{namespace: a}]\n", "line 1, column 1: listen.cert: a certificate and its key go together"},
		{"listen: {address: \":1\"}\nchannels: [{namespace: a}, {namespace: a, name: b}]\n", "channels[1].namespace: two channels take what is published as \"a\""},
		{"listen: {address: \":1\"}\nchannels: [{namespace: a/*}, {namespace: /%61/*}]\n", "channels[1].namespace: two channels take what is published as \"/%61/*\""},
		{"channels: [{namespace: a}]\n", "channels[0].relay: this is needed: moqt://HOST[:PORT][/PATH], or listen.address"},
		{"listen: {address: \":1\"}\nchannels: [{namespace: a, tls: {insecure: true}}]\n", "channels[0].tls: this is about relays"},
		{"listen: {address: \":1\"}\nchannels: [{namespace: a//b}]\n", "channels[0].namespace: namespace \"a//b\": a field is empty"},
		{minimal + "---\n" + minimal, "more than one document"},
		{"a: &x [1]\nb: [*x, *x]\n", "line 1, column 4: anchors and aliases are not read here"},
		{"<<: {a: b}\n", "anchors and aliases"},
		{"a: !!str 5\n", "tags and directives"},
		{strings.Repeat("[", 1000), "nested too deep"},
		{strings.Repeat("- ", 1000), "nested too deep"},
		{"a: 'x\n", "line 1"},
		{"server: {http: ${EMPTY}}\n", `"${NAME}" needs quotes`},
		{strings.Repeat("# comment\n", maxFile/10+1), "longer than"},
		{minimal + "memory: ${NOT_SET}\n", "line 2, column 9: memory: the environment variable NOT_SET is not set"},
		{minimal + "memory: ${LONG}${LONG}\n", "longer than 65536 bytes"},
		{"channels:\n" + strings.Repeat("- {relay: \"${LONG}\"}\n", 100), "with the environment's values the file is too long"},
		{minimal + "memory: $NOT_SET\n", "memory: a $ that begins no ${NAME}: write $$"},
	} {
		_, err := Parse([]byte(tt.text), env)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.200s\ngave %v\nwant an error that says %q", tt.text, err, tt.want)
		}
	}
}

func TestAllFaultsAreToldAtOnceByLine(t *testing.T) {
	_, err := Parse([]byte("memory: x\nserver:\n  htpp: y\n  stale: z\n"), env)
	var lines []int
	for _, f := range Faults(err) {
		lines = append(lines, f.Line)
	}
	if diff := cmp.Diff([]int{1, 3, 4}, lines); diff != "" {
		t.Error(diff)
	}
	_, err = Parse([]byte("channels:\n"+strings.Repeat("- {}\n", 1000)), env)
	if got := Faults(err); len(got) != maxFaults+1 || !strings.Contains(got[maxFaults].Text, "faults more") {
		t.Errorf("%d faults are told", len(got))
	}
}

func TestSecretsAreNotInErrors(t *testing.T) {
	for _, text := range []string{
		"channels: [{relay: \"http://r/?t=${TOKEN}\", namespace: a}]",
		"channels: [{relay: \"moqt://hunter2-secret@r/\", namespace: a}]",
		"channels: [{relay: \"http://r/?t=hunter2-secret\", namespace: a}]",
		"channels: [{relay: \"moqt://r:${TOKEN}/\", namespace: a}]",
		"channels: [{relay: \"moqt://r/a#hunter2-secret\", namespace: a}]",
		"channels: [{relay: \"moqt://r/?a=b#t=hunter2-secret\", namespace: a}]",
		minimal + "storage: {s3: {url: \"s3://b/x#hunter2-secret\"}}",
		"channels: [{relay: \"moqt://r\", namespace: a, catalog: \"${TOKEN}\", variables: {\"a b\": \"${TOKEN}\"}}]",
		"channels: [{relay: [\"moqt://r\", \"http://r/?t=${TOKEN}\"], namespace: a}]",
		"channels: [{relay: \"http://r/hunter2-secret\", token: hunter2-secret, namespace: a}]",
		minimal + "memory: ${TOKEN}",
		minimal + "server: {http: \"${TOKEN}\"}",
		minimal + "storage: {s3: {url: \"s3://b\", endpoint: \"https://id:hunter2-secret@x\"}}",
		minimal + "storage: {s3: {url: \"s3://b\", role: \"${TOKEN}\"}}",
		minimal + "storage: {s3: {url: \"s3://b\", redirect: \"https://b/?sig=hunter2-secret\"}}",
		"channels: [{namespace: a, token: \"${TOKEN}\"}]\nlisten: {address: \"hunter2-secret\", token: hunter2-secret}",
		minimal + "memory: ${LONG}", // half a secret is one, too
		minimal + "server: {stale: \"${LONG}\"}",
		minimal + "storage: {s3: {url: \"${LONG}\"}}",
		minimal + "storage: {s3: {url: \"s3://b\", endpoint: \"https://id:" + strings.Repeat("y", 100) + "@x\"}}",
	} {
		_, err := Parse([]byte(text), env)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "xxxx") || strings.Contains(err.Error(), "yyyy") {
			t.Errorf("%s\ngave %v, want an error without the secret", text, err)
		}
	}
}

func TestRedactKnowsTheSpellingsOfASecret(t *testing.T) {
	c := Config{secrets: []secret{{text: "a b\"c", name: "${X}"}, {text: "1", name: "${ONE}"}, {text: "us-east-1", name: "${R}", plain: true}}}
	if got, want := c.Redact(`1 a b"c a b\"c a+b%22c a%20b%22c us-east-1`), "1 ${X} ${X} ${X} ${X} us-east-1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moqpack.yaml")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(path, []byte("memroy: 1GiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path+":\nline 1, column 1: memroy: unknown key: did you mean memory?") {
		t.Errorf("error %v", err)
	}
}

func TestUnitsSurviveBeingPrinted(t *testing.T) {
	for _, s := range []string{"10s", "4h", "30d", "1m30s", "500ms", "36h", "0s"} {
		d, err := ParseDuration(s)
		if err != nil || d.String() != s {
			t.Errorf("%s: %s, %v", s, d, err)
		}
	}
	for _, s := range []string{"50GiB", "1MiB", "500MB", "7B", "0", "1TB"} {
		z, err := ParseSize(s)
		if err != nil || z.String() != s {
			t.Errorf("%s: %s, %v", s, z, err)
		}
	}
	if d, err := ParseDuration("1d12h"); err != nil || time.Duration(d) != 36*time.Hour {
		t.Errorf("%s, %v", d, err)
	}
	for _, s := range []string{"", "d", "-1s", "1d-1h", "-1d", "99999d", "1dd", "1h1d", "300000h1d", "999999999999999h"} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("%q is the duration %s", s, d)
		}
	}
	for _, s := range []string{"", "GiB", "-1MiB", "1gib", "10", "1 GiB", "99999999999999999999B", "1BB"} {
		if z, err := ParseSize(s); err == nil {
			t.Errorf("%q is the size %s", s, z)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{everything, minimal, "a: &x [1]\nb: [*x, *x]", "a: ${TOKEN}$$${", "- - - ?", "{a: {a: [", "a: |\n ${TOKEN}\n", "\"a\": 'b", "? a\n: b", "%YAML 1.2\n---\na: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text, env)
		switch {
		case err == nil:
			if err := c.Validate(); err != nil {
				t.Errorf("what was parsed is not valid: %v", err)
			}
		case strings.Contains(err.Error(), "hunter2-secret") && !strings.Contains(string(text), "hunter2"):
			t.Errorf("the secret is in %q", err)
		case len(err.Error()) > 32<<10:
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}

func TestARelaysURLMayNameTheBroadcast(t *testing.T) {
	c, err := Parse([]byte("channels:\n- relay: [\"moqt://r/p#msf:live-a.2fb--catalog\", \"moqt://s\"]\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	if ch := c.Channels[0]; ch.Namespace != "live/a%2Fb" || ch.Name != "a/b" || !slices.Equal(ch.Relays, []string{"moqt://r/p", "moqt://s"}) {
		t.Errorf("%+v", ch)
	}
}

func TestPatternsOfNamespaces(t *testing.T) {
	for _, tt := range []struct {
		namespace string
		prefix    []string
		ok        bool
	}{
		{"live/*", []string{"live"}, true},
		{"/live/eu%2Fn/*", []string{"live", "eu/n"}, true},
		{"*", nil, true},
		{"live", nil, false},
		{"live*", nil, false},
		{"*/live", nil, false},
		{"live/%2A", nil, false},
	} {
		c := Default()
		c.Channels = []Channel{DefaultChannel()}
		c.Channels[0].Relays, c.Channels[0].Namespace = []string{"moqt://r"}, tt.namespace
		prefix, ok := c.Channels[0].Prefix()
		if !slices.Equal(prefix, tt.prefix) || ok != tt.ok {
			t.Errorf("%s: %q %v", tt.namespace, prefix, ok)
		}
		if c.Complete(); ok && (c.Channels[0].Name != "" || c.Validate() != nil) {
			t.Errorf("%s: name %q, %v", tt.namespace, c.Channels[0].Name, c.Validate())
		}
	}
}

func TestPermitsAreTheChannelsWithoutARelay(t *testing.T) {
	c, err := Parse([]byte(`
listen: {address: ":4443", token: all}
channels:
- {relay: "moqt://r", namespace: far}
- {namespace: "live/*"}
- {namespace: news, token: own}
- {namespace: "*"}
`), env)
	if err != nil {
		t.Fatal(err)
	}
	want := []subscriber.Permit{
		{Namespace: []string{"live"}, Below: true, Token: "all"}, {Namespace: []string{"news"}, Token: "own"}, {Below: true, Token: "all"},
	}
	if diff := cmp.Diff(want, c.Permits()); diff != "" {
		t.Error(diff)
	}
}
