package s3

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Config says which bucket, and how to write to it.
type Config struct {
	Bucket string
	Prefix string // of all keys, without a slash at either end; may be empty

	Endpoint  string // URL of a compatible store; empty for AWS
	Region    string // empty: what the environment says
	Profile   string // of the shared configuration files
	Role      string // ARN to assume
	PathStyle bool   // the bucket is part of the path, not of the host name

	SSE          string // server-side encryption: "AES256", "aws:kms", "aws:kms:dsse", or the bucket's default
	KMSKey       string
	StorageClass string

	// AccessKey and SecretKey are for tests; operators give credentials to the SDK's default chain.
	AccessKey, SecretKey string
}

// String names the bucket and nothing that is secret.
func (c Config) String() string { return "s3://" + strings.TrimSuffix(c.Bucket+"/"+c.Prefix, "/") }

// GoString is String: no verb of package fmt prints a secret.
func (c Config) GoString() string { return c.String() }

// MarshalText is String.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ErrConfig is returned for a configuration that cannot work.
var ErrConfig = errors.New("s3: bad configuration")

// ParseURL reads "s3://BUCKET[/PREFIX]".
func ParseURL(s string) (bucket, prefix string, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", "", fmt.Errorf("%w: %.200q is not of the form s3://BUCKET/PREFIX", ErrConfig, s)
	}
	bucket, prefix = u.Host, strings.Trim(u.Path, "/")
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`).MatchString(bucket) {
		return "", "", fmt.Errorf("%w: %.200q is no name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens", ErrConfig, bucket)
	}
	if prefix != "" && !validKey(prefix) {
		return "", "", fmt.Errorf("%w: prefix %.200q: use letters, digits and -_.~/ without empty or dotted elements", ErrConfig, prefix)
	}
	return bucket, prefix, nil
}

// maxKey leaves room for a prefix: S3 bounds both together by 1,024 bytes.
const maxKey = 1024

// validKey reports whether every element of a key is plain, so that no key leaves its prefix and none needs to be escaped.
func validKey(key string) bool {
	if key == "" || len(key) > maxKey {
		return false
	}
	for e := range strings.SplitSeq(key, "/") {
		if e == "" || e == "." || e == ".." || strings.Trim(e, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") != "" {
			return false
		}
	}
	return true
}
