package s3

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/manifest"
)

func TestNothingPrintsASecret(t *testing.T) {
	const secret = "wJalrXUtnFEMI"
	c := Config{Bucket: "b", Prefix: "p", AccessKey: "AKIA", SecretKey: secret}
	nested := struct {
		C *Config
		D []Config
	}{&c, []Config{c}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
		fmt.Fprintf(&out, verb+verb, c, nested)
	}
	text, err := json.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("opened", "config", c, "pointer", &c, "group", slog.GroupValue(slog.Any("c", c)))
	}
	s, err := New(t.Context(), Config{Bucket: "bbb", Endpoint: "http://127.0.0.1:1", AccessKey: "AKIA", SecretKey: secret}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%v %+v %#v", s.cfg, s, s.cfg)
	hexed := fmt.Sprintf("%x", secret)
	if got := out.String(); strings.Contains(got, secret) || strings.Contains(got, hexed) || !strings.Contains(got, "s3://b/p") {
		t.Errorf("a secret, or no name, in: %s", got)
	}
}

func TestWhatMayHoldASecretIsNotRepeated(t *testing.T) {
	for _, url := range []string{"s3://AKIA:topsecret@bucket/p", "s3://bucket/p?X-Amz-Signature=topsecret", "s3://bucket/p#topsecret", "s3://AKIA:topsecret@%zz/"} {
		if _, _, err := ParseURL(url); !errors.Is(err, ErrConfig) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, endpoint := range []string{"https://AKIA:topsecret@host", "https://AKIA:topsecret@host:port", "host:9000", "ftp://host", "https://", "https://host?x=topsecret", "https://host#topsecret"} {
		_, err := New(t.Context(), Config{Bucket: "bucket", Endpoint: endpoint}, nil, nil)
		if !errors.Is(err, ErrConfig) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestABucketOfAWSNeedsARegion(t *testing.T) {
	isolate(t)
	if _, err := New(t.Context(), Config{Bucket: "bucket"}, nil, nil); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "--s3-region") {
		t.Errorf("New = %v", err)
	}
	t.Setenv("AWS_REGION", "eu-north-1")
	s, err := New(t.Context(), Config{Bucket: "bucket"}, nil, nil)
	if err != nil || s.cfg.Region != "eu-north-1" {
		t.Errorf("with AWS_REGION: %v", err)
	}
	t.Setenv("AWS_PROFILE", "no-such-profile")
	if _, err = New(t.Context(), Config{Bucket: "bucket"}, nil, nil); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "no-such-profile") {
		t.Errorf("with a profile that does not exist: %v", err)
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"s3://bucket", "s3://bucket/a/b/", "s3://bucket/../x", "s3://key:secret@bucket/p", "s3://bucket/%2e%2e/x", "https://bucket/p", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		bucket, prefix, err := ParseURL(s)
		if err != nil {
			return
		}
		again, same, err := ParseURL(Config{Bucket: bucket, Prefix: prefix}.String())
		if err != nil || again != bucket || same != prefix {
			t.Errorf("%q is %q and %q, which is read as %q and %q: %v", s, bucket, prefix, again, same, err)
		}
		if full := "/" + bucket + "/" + prefix; path.Clean(full) != strings.TrimSuffix(full, "/") {
			t.Errorf("%q leaves its bucket", s)
		}
	})
}

func FuzzKeyStaysInItsPrefix(f *testing.F) {
	for _, key := range []string{"c/t/1.m4s", "../x", "a/../../x", "/x", "a//b", "a/./b", "a\\..\\b", "a\x00b", "a%2e%2e", "a?b", "", strings.Repeat("a", maxKey+1)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if full := "prefix/" + key; validKey(key) && (path.Clean(full) != full || strings.ContainsAny(key, "?#%\\\x00")) {
			t.Errorf("%q is taken for a key, and names %q", key, path.Clean(full))
		}
	})
}

// Every name of a channel and track that is not absurdly long has a key that the store takes.
func FuzzNamesAreKeys(f *testing.F) {
	f.Add("studio1", "video", uint64(7))
	f.Add("../..", "/", uint64(0))
	f.Add("ä ö?%#", "\x00\xff", uint64(1<<63))
	f.Fuzz(func(t *testing.T, channel, track string, n uint64) {
		if channel == "" || track == "" || len(channel)+len(track) > 200 {
			return
		}
		keys := []string{manifest.PrivateKey(channel, "record.json")}
		for kind := manifest.Multivariant; kind <= manifest.Part; kind++ {
			keys = append(keys, manifest.Name{Kind: kind, Channel: channel, Track: track, N: n, Part: int(n % 100), Digest: "0123abcd"}.Key())
		}
		for _, key := range keys {
			if !validKey(key) {
				t.Errorf("%q is no key", key)
			}
		}
	})
}

func TestBodyIsReadAgainFromAnyPlace(t *testing.T) {
	b := newBody(blob("", "ab", "", "cde", "f"))
	for _, tt := range []struct {
		offset int64
		whence int
		want   string
	}{{0, 0, "abcdef"}, {3, 0, "def"}, {-2, 2, "ef"}, {-5, 1, "bcdef"}, {9, 0, ""}, {0, 0, "abcdef"}} {
		if _, err := b.Seek(tt.offset, tt.whence); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(onlyRead{b}); err != nil || got.String() != tt.want {
			t.Errorf("from %d (%d): %q, %v, want %q", tt.offset, tt.whence, got.String(), err, tt.want)
		}
	}
	if _, err := b.Seek(-1, 0); err == nil {
		t.Error("it can be read before its beginning")
	}
}

// onlyRead reads two bytes at a time.
type onlyRead struct{ b *body }

func (r onlyRead) Read(p []byte) (int, error) { return r.b.Read(p[:min(2, len(p))]) }
