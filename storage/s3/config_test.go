package s3

import (
	"path"
	"strings"
	"testing"
)

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
	})
}

func FuzzKeyStaysInItsPrefix(f *testing.F) {
	for _, key := range []string{"c/t/1.m4s", "../x", "a/../../x", "/x", "a//b", "a/./b", "a\\..\\b", "a\x00b", ""} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if full := "prefix/" + key; validKey(key) && (path.Clean(full) != full || !strings.HasPrefix(path.Clean(full), "prefix/")) {
			t.Errorf("%q is taken for a key, and names %q", key, path.Clean(full))
		}
	})
}
