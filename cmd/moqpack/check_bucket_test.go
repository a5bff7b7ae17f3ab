package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/s3test"
)

// Versitygw knows no sessions, roles and encryption: what a check says about these is seen with MinIO.
func TestCheckSaysWhatARealStoreRefuses(t *testing.T) {
	srv := s3test.StartMinIO(t, "recordings")
	environment(t, srv)
	shared := filepath.Join(t.TempDir(), "config")
	text := "[profile writer]\nrole_arn = arn:aws:iam::123456789012:role/writer\nsource_profile = nobody\n[profile nobody]\naws_access_key_id = nobody\naws_secret_access_key = topsecret\n"
	if err := os.WriteFile(shared, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL_STS", srv.Endpoint)
	session := func(actions ...string) func(*testing.T, *config.S3) {
		return func(t *testing.T, _ *config.S3) {
			s := srv.Session(s3test.Allow(actions...))
			t.Setenv("AWS_ACCESS_KEY_ID", s.Access)
			t.Setenv("AWS_SECRET_ACCESS_KEY", s.Secret)
			t.Setenv("AWS_SESSION_TOKEN", s.Token)
		}
	}
	for name, tt := range map[string]struct {
		change func(t *testing.T, c *config.S3)
		says   string // empty: all is well
	}{
		"good":             {func(*testing.T, *config.S3) {}, ""},
		"good session":     {session("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"), ""},
		"good encryption":  {func(_ *testing.T, c *config.S3) { c.SSE, c.KMSKey = "aws:kms", s3test.Key }, ""},
		"put denied":       {session("s3:GetObject", "s3:DeleteObject", "s3:ListBucket"), "allow s3:PutObject"},
		"get denied":       {session("s3:PutObject", "s3:DeleteObject", "s3:ListBucket"), "allow s3:GetObject"},
		"list denied":      {session("s3:PutObject", "s3:GetObject", "s3:DeleteObject"), "allow s3:ListBucket"},
		"delete denied":    {session("s3:PutObject", "s3:GetObject", "s3:ListBucket"), "allow s3:DeleteObject"},
		"another bucket":   {func(_ *testing.T, c *config.S3) { c.URL = "s3://elsewhere/live" }, "there is no such bucket: create it"},
		"another region":   {func(_ *testing.T, c *config.S3) { c.Region = "eu-nowhere-9" }, "--s3-region"},
		"no such key":      {func(t *testing.T, _ *config.S3) { t.Setenv("AWS_ACCESS_KEY_ID", "nobody") }, "does not know the access key: check"},
		"wrong secret":     {func(t *testing.T, _ *config.S3) { t.Setenv("AWS_SECRET_ACCESS_KEY", "topsecret") }, "the secret key is wrong: check"},
		"revoked session":  {func(t *testing.T, c *config.S3) { session("s3:*")(t, c); srv.Revoke() }, "check"},
		"role denied":      {func(t *testing.T, c *config.S3) { role(t, shared, c) }, "the role cannot be assumed: check it, its trust policy"},
		"no such profile":  {func(_ *testing.T, c *config.S3) { c.Profile = "director" }, "profile, director"},
		"encryption":       {func(_ *testing.T, c *config.S3) { c.SSE = "aws:kms:dsse" }, "correct storage.s3.sse"},
		"encryption's key": {func(_ *testing.T, c *config.S3) { c.SSE, c.KMSKey = "aws:kms", "other" }, "correct storage.s3.kms_key"},
		"class":            {func(_ *testing.T, c *config.S3) { c.StorageClass = "GLACIER" }, "correct storage.s3.storage_class"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.S3{URL: "s3://recordings/live", Endpoint: srv.Endpoint, PathStyle: true}
			tt.change(t, &c)
			got := tryBucket(t.Context(), c)
			if len(got) != 1 || (got[0].Level == levelOK) != (tt.says == "") || !strings.Contains(got[0].Text, tt.says) {
				t.Errorf("%v, want it to say %q", got, tt.says)
			}
			for _, secret := range []string{srv.Secret, "topsecret", os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")} {
				if secret != "" && strings.Contains(got[0].String(), secret) {
					t.Errorf("a secret is printed: %v", got)
				}
			}
		})
	}
}

// role makes the configuration assume a role with credentials that nobody knows.
func role(t *testing.T, shared string, c *config.S3) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", shared)
	c.Profile = "writer"
}
