package s3

import (
	"errors"
	"fmt"
	"io"
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

	Gzip bool // playlists and MPDs that are worth it are compressed, whatever their readers ask for

	// AccessKey and SecretKey are for tests; operators give credentials to the SDK's default chain.
	AccessKey, SecretKey string
}

// String names the bucket and nothing that is secret.
func (c Config) String() string { return "s3://" + strings.TrimSuffix(c.Bucket+"/"+c.Prefix, "/") }

// Format is String with every verb, so that none prints a secret.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalText is String.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ErrConfig is returned for a configuration that cannot work.
var ErrConfig = errors.New("s3: bad configuration")

// ParseURL reads "s3://BUCKET[/PREFIX]".
func ParseURL(s string) (bucket, prefix string, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "s3" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", "", fmt.Errorf("%w: %s is not of the form s3://BUCKET/PREFIX", ErrConfig, shown(s))
	}
	c := Config{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if err := c.validate(); err != nil {
		return "", "", err
	}
	return c.Bucket, c.Prefix, nil
}

// shown is a URL in quotes, unless there may be a secret in it.
func shown(s string) string {
	if strings.ContainsAny(s, "@?#") {
		return "what was given"
	}
	return fmt.Sprintf("%.200q", s)
}

// validate looks at what is put into URLs. What else is wrong the endpoint says.
func (c Config) validate() error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`).MatchString(c.Bucket) {
		return fmt.Errorf("%w: %.200q is no name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens", ErrConfig, c.Bucket)
	}
	if c.Prefix != "" && (!validKey(c.Prefix) || len(c.Prefix) > maxPrefix) {
		return fmt.Errorf("%w: prefix %.200q: use at most %d letters, digits and -_.~/ without empty or dotted elements", ErrConfig, c.Prefix, maxPrefix)
	}
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%w: endpoint %s is not of the form https://HOST[:PORT]; credentials are not part of it", ErrConfig, shown(c.Endpoint))
	}
	return nil
}

// S3 bounds a prefix and a key together by 1,024 bytes.
const (
	maxPrefix = 256
	maxKey    = 1024 - maxPrefix - 1
)

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
