package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/s3test"
)

// profile writes shared files in which the profile "writer" is a role of MinIO, assumed with a secret.
func profile(t *testing.T, srv *s3test.Server, secret string) {
	t.Helper()
	isolate(t)
	for name, text := range map[string]string{
		"AWS_CONFIG_FILE": "[profile writer]\nrole_arn = arn:aws:iam::123456789012:role/writer\nsource_profile = operator\nservices = minio\n" +
			"[services minio]\nsts =\n  endpoint_url = " + srv.Endpoint + "\n",
		"AWS_SHARED_CREDENTIALS_FILE": "[operator]\naws_access_key_id = " + srv.Access + "\naws_secret_access_key = " + secret + "\n",
	} {
		if err := os.WriteFile(os.Getenv(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARevokedSessionIsReplacedInTheMiddleOfARun(t *testing.T) {
	srv := s3test.StartMinIO(t, bucketName)
	byProfile := func() Config { profile(t, srv, srv.Secret); return Config{Profile: "writer"} }
	byRole := func() Config {
		profile(t, srv, srv.Secret)
		t.Setenv("AWS_ENDPOINT_URL_STS", srv.Endpoint)
		return Config{Profile: "operator", Role: "arn:aws:iam::123456789012:role/writer"}
	}
	for name, configure := range map[string]func() Config{"profile": byProfile, "role": byRole} {
		c := configure()
		c.Bucket, c.Prefix, c.Endpoint, c.PathStyle = bucketName, name, srv.Endpoint, true
		s := storeOf(t, c)
		if err := s.Put(t.Context(), key, blob("media")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v, err := s.Swap(t.Context(), "c/record.json", blob("one"), "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := operations(s, v)
		all["Put again"] = func(ctx context.Context) error { return s.Put(ctx, key, blob("media")) }
		all["head"] = func(ctx context.Context) error { _, err := s.head(ctx, key); return err }
		for op, do := range all {
			before, err := s.keys.get(t.Context(), s.limits.identity)
			if err != nil || before.SessionToken == "" {
				t.Fatalf("%s: no session: %v", name, err)
			}
			srv.Revoke()
			if err := do(t.Context()); err != nil {
				t.Errorf("%s: %s when the session is revoked: %v", name, op, err)
			}
			if after, err := s.keys.get(t.Context(), s.limits.identity); err != nil || after.SessionToken == before.SessionToken {
				t.Errorf("%s: %s goes on with the session that was revoked, %v", name, op, err)
			}
		}
	}
}

// The SDK asks a credential_process again when the end of what it said has come.
func TestASessionWithAnEndIsReplacedAtIt(t *testing.T) {
	srv := s3test.StartMinIO(t, bucketName)
	set, asked := rotating(t)
	s := storeOf(t, Config{Bucket: bucketName, Endpoint: srv.Endpoint, PathStyle: true})
	for n := 1; n <= 3; n++ {
		session := srv.Session(s3test.Allow("s3:*"))
		set(map[string]any{
			"Version": 1, "AccessKeyId": session.Access, "SecretAccessKey": session.Secret, "SessionToken": session.Token,
			"Expiration": "2020-01-01T00:00:00Z", // it is used for the request under way, and no longer
		})
		if err := s.Put(t.Context(), fmt.Sprintf("c/t/%d.m4s", n), blob("media")); err != nil {
			t.Errorf("session %d: %v", n, err)
		}
		if asked() < n {
			t.Errorf("session %d is not asked for", n)
		}
	}
}

func TestARoleThatCannotBeAssumedIsNamed(t *testing.T) {
	srv := s3test.StartMinIO(t, bucketName)
	const role = "arn:aws:iam::123456789012:role/writer"
	for _, tt := range []struct {
		name, secret, profile, role string
		want                        string
	}{
		{"the secret is wrong", "topsecret", "writer", "", "the role cannot be assumed: check it"},
		{"the secret is wrong, role in our file", "topsecret", "operator", role, "the role cannot be assumed: check it"},
		{"sessions may not assume roles", srv.Secret, "writer", role, "the role cannot be assumed: check it"},
		{"no such profile", srv.Secret, "nobody", "", "profile, nobody"},
	} {
		profile(t, srv, tt.secret)
		t.Setenv("AWS_ENDPOINT_URL_STS", srv.Endpoint)
		s, err := New(t.Context(), Config{Bucket: bucketName, Endpoint: srv.Endpoint, PathStyle: true, Profile: tt.profile, Role: tt.role}, nil, nil)
		if err == nil {
			_, err = s.Probe(t.Context(), "test")
		}
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), tt.secret) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestWhatASessionMayNotDoIsNamed(t *testing.T) {
	srv := s3test.StartMinIO(t, bucketName)
	isolate(t)
	all := []string{"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject"}
	var told bytes.Buffer
	for _, missing := range append(all, "nothing") {
		use(t, srv.Session(s3test.Allow(slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == missing })...)))
		s, err := New(t.Context(), Config{Bucket: bucketName, Endpoint: srv.Endpoint, PathStyle: true}, slog.New(slog.NewTextHandler(&told, nil)), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Probe(t.Context(), "test")
		fmt.Fprintln(&told, err)
		if named := errors.Is(err, ErrConfig) && strings.Contains(err.Error(), "may not do this: allow ") && strings.Contains(err.Error(), missing); named != (missing != "nothing") {
			t.Errorf("%s is missing: %v", missing, err)
		}
		if used, err := s.keys.get(t.Context(), s.limits.identity); err != nil || strings.Contains(told.String(), used.SecretAccessKey) || strings.Contains(told.String(), used.SessionToken) {
			t.Errorf("a secret in %s, or no session: %v", told.String(), err)
		}
	}
	session := srv.Session(s3test.Allow(all...))
	session.Token = "not-the-token"
	use(t, session)
	s := storeOf(t, Config{Bucket: bucketName, Endpoint: srv.Endpoint, PathStyle: true})
	if _, err := s.Probe(t.Context(), "test"); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "expired: renew them") || strings.Contains(err.Error(), session.Token) {
		t.Errorf("with another session's token: %v", err)
	}
}

// use gives a session to whoever asks the environment.
func use(t *testing.T, s s3test.Session) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", s.Access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.Secret)
	t.Setenv("AWS_SESSION_TOKEN", s.Token)
}
