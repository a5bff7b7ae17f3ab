package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	api "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// at is the configuration of a prefix of a server.
func at(srv *s3test.Server, prefix string) Config {
	return Config{Bucket: bucketName, Prefix: prefix, Endpoint: srv.Endpoint, PathStyle: true, AccessKey: srv.Access, SecretKey: srv.Secret}
}

func TestEncryptionAndClassAreWhatWasAskedFor(t *testing.T) {
	srv := s3test.StartMinIO(t, bucketName)
	const reduced, arn = "REDUCED_REDUNDANCY", "arn:aws:kms:" + s3test.Key
	for i, tt := range []struct {
		sse, kmsKey, class string
		media, doc         string // what HEAD says of them
	}{
		{"", "", "", "//", "//"},
		{"AES256", "", "", "AES256//", "AES256//"},
		{"aws:kms", "", "", "aws:kms/" + arn + "/", "aws:kms/" + arn + "/"},
		{"aws:kms", s3test.Key, "", "aws:kms/" + arn + "/", "aws:kms/" + arn + "/"},
		{"", "", "STANDARD", "//", "//"},
		{"AES256", "", reduced, "AES256//" + reduced, "AES256//"},
	} {
		c := at(srv, fmt.Sprint("asked-", i))
		c.SSE, c.KMSKey, c.StorageClass = tt.sse, tt.kmsKey, tt.class
		s := storeOf(t, c)
		if a, err := s.Probe(t.Context(), "test"); err != nil || len(a.Missing()) > 0 {
			t.Errorf("%s %s %s: Probe = %+v, %v", tt.sse, tt.kmsKey, tt.class, a, err)
		}
		looks(t, s)
		for k, want := range map[string]string{key: tt.media, "c/record.json": tt.doc} {
			head, err := s.head(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%s/%s/%s", head.ServerSideEncryption, aws.ToString(head.SSEKMSKeyId), head.StorageClass); got != want {
				t.Errorf("%s %s %s: %s is %q, want %q", tt.sse, tt.kmsKey, tt.class, k, got, want)
			}
		}
	}
}

// A role, of a profile, whose session encrypts with a key and puts media into a class, in a bucket that is part of the host name.
func TestTheSuiteHoldsWithEverythingThatCanBeAskedFor(t *testing.T) {
	srv := s3test.StartMinIO(t, bucketName)
	profile(t, srv, srv.Secret)
	n := 0
	storagetest.RunDurable(t, func(t *testing.T) storage.Durable {
		n++
		return virtual(t, srv, Config{
			Bucket: bucketName, Prefix: fmt.Sprint("suite-", n), Profile: "writer",
			SSE: "aws:kms", KMSKey: s3test.Key, StorageClass: "REDUCED_REDUNDANCY",
		})
	})
}

// virtual opens a store whose bucket is part of the host name. Nobody but the dialer knows where that host is.
func virtual(t *testing.T, srv *s3test.Server, c Config) *Store {
	t.Helper()
	u, err := url.Parse(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c.Endpoint = "http://" + s3test.Domain + ":" + u.Port()
	s := storeOf(t, c)
	s.api = api.New(s.api.Options(), func(o *api.Options) {
		o.HTTPClient = o.HTTPClient.(*awshttp.BuildableClient).WithTransportOptions(func(transport *http.Transport) {
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr != bucketName+"."+s3test.Domain+":"+u.Port() {
					return nil, fmt.Errorf("%s is no virtual host", addr)
				}
				return (&net.Dialer{}).DialContext(ctx, network, u.Host)
			}
		})
	})
	return s
}

func TestAStoreThatIgnoresEncryptionAndClassIsFoundOut(t *testing.T) {
	srv := server(t)
	for _, tt := range []struct {
		sse, class string
		says       string
	}{
		{"", "", ""},
		{"AES256", "", "storage.s3.sse"},
		{"aws:kms", "", "storage.s3.sse"},
		{"", "STANDARD_IA", "storage.s3.storage_class"},
	} {
		c := at(srv, "ignored")
		c.SSE, c.StorageClass = tt.sse, tt.class
		a, err := storeOf(t, c).Probe(t.Context(), "test")
		if missing := strings.Join(a.Missing(), "\n"); err != nil || (missing == "") != (tt.says == "") || !strings.Contains(missing, tt.says) {
			t.Errorf("%q %q: missing %q, %v", tt.sse, tt.class, missing, err)
		}
	}
}

func TestTheKeyThatEncryptsIsTheOneThatWasAskedFor(t *testing.T) {
	const arn = "arn:aws:kms:eu-west-3:1:key/0123"
	for asked, want := range map[string]bool{"": true, arn: true, "0123": true, "alias/media": true, "4567": false, arn + "4": false} {
		if keyIs(arn, asked) != want {
			t.Errorf("%q for %q: %t", arn, asked, !want)
		}
	}
}

// Everything that a configuration may have wrong says what it is when the bucket is tried, and tells no secret.
func TestMinIOSaysWhatIsWrong(t *testing.T) {
	srv := s3test.StartMinIO(t, bucketName)
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"bucket", func(c *Config) { c.Bucket = "elsewhere" }, "there is no such bucket: create it"},
		{"access key", func(c *Config) { c.AccessKey = "nobody" }, "does not know the access key: check AWS_ACCESS_KEY_ID"},
		{"secret key", func(c *Config) { c.SecretKey = "topsecret" }, "the secret key is wrong: check AWS_SECRET_ACCESS_KEY"},
		{"region", func(c *Config) { c.Region = "eu-nowhere-9" }, "name the region with --s3-region"},
		{"KMS key", func(c *Config) { c.SSE, c.KMSKey = "aws:kms", "no-such-key" }, "correct storage.s3.kms_key"},
		{"encryption", func(c *Config) { c.SSE = "aws:kms:dsse" }, "correct storage.s3.sse"},
		{"class", func(c *Config) { c.StorageClass = "GLACIER" }, "correct storage.s3.storage_class"},
	} {
		c := at(srv, "wrong")
		tt.change(&c)
		_, err := storeOf(t, c).Probe(t.Context(), "test")
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), c.SecretKey) {
			t.Errorf("wrong %s: %v", tt.name, err)
		}
	}
	c := at(s3test.StartMinIO(t, bucketName, "MINIO_KMS_SECRET_KEY="), "wrong")
	c.SSE = "AES256"
	if _, err := storeOf(t, c).Probe(t.Context(), "test"); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "correct storage.s3.sse") {
		t.Errorf("without any key: %v", err)
	}
}
