package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// rotating makes a credential_process that counts how often it is asked, and sets what it says.
func rotating(t *testing.T) (set func(answer map[string]any), asked func() int) {
	t.Helper()
	isolate(t)
	dir := t.TempDir()
	file, count := filepath.Join(dir, "keys.json"), filepath.Join(dir, "count")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(os.Getenv("AWS_CONFIG_FILE"), fmt.Sprintf("[default]\ncredential_process = sh -c 'echo >>%s; cat %s'\n", count, file))
	write(count, "")
	set = func(answer map[string]any) {
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		write(file, string(text))
	}
	return set, func() int {
		lines, err := os.ReadFile(count)
		if err != nil {
			t.Fatal(err)
		}
		return len(lines)
	}
}

// static is what a credential_process says of credentials without an end.
func static(accessKey string) map[string]any {
	return map[string]any{"Version": 1, "AccessKeyId": accessKey, "SecretAccessKey": secret}
}

func TestExpiredCredentialsAreRenewedOnce(t *testing.T) {
	set, asked := rotating(t)
	var together sync.WaitGroup
	const writers = 8
	together.Add(writers)
	p := between(t, server(t).Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if !strings.Contains(r.Header.Get("Authorization"), "/old-key/") && !strings.Contains(r.Header.Get("Authorization"), "=old-key/") {
			forward.ServeHTTP(w, r)
			return
		}
		if n <= writers { // all use the old ones before anybody learns of it
			together.Done()
			together.Wait()
		}
		refuse(w, http.StatusBadRequest, "ExpiredToken")
	})
	set(static("old-key"))
	s := storeOf(t, Config{Bucket: bucketName, Endpoint: p.URL, PathStyle: true})
	if _, err := s.keys.get(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	set(static(access))
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			if err := s.Put(context.WithoutCancel(t.Context()), fmt.Sprintf("c/t/%d.m4s", i), blob("media")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := asked(); n != 2 {
		t.Errorf("credentials were asked for %d times, want once and once more", n)
	}
}

// Of an access key the secret may be another one, since it was changed, or was wrong from the start and has been put right.
func TestASecretThatWasChangedIsReadAgain(t *testing.T) {
	set, _ := rotating(t)
	keys := static(access)
	keys["SecretAccessKey"] = "the-one-before"
	set(keys)
	s := storeOf(t, Config{Bucket: bucketName, Endpoint: server(t).Endpoint, PathStyle: true})
	if err := s.Put(t.Context(), key, blob("media")); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "the secret key is wrong") {
		t.Errorf("with a wrong secret: %v", err)
	}
	set(static(access))
	s.keys.at = time.Time{} // a second later
	if err := s.Put(t.Context(), key, blob("media")); err != nil {
		t.Errorf("with the right one: %v", err)
	}
}

// AWS says of a session that was revoked what it says of whom a policy stops.
func TestWhoIsDeniedTriesWithNewCredentials(t *testing.T) {
	set, _ := rotating(t)
	p := between(t, server(t).Endpoint, method("PUT"), func(_ int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if strings.Contains(r.Header.Get("Authorization"), "=old-key/") {
			refuse(w, http.StatusForbidden, "AccessDenied")
			return
		}
		forward.ServeHTTP(w, r)
	})
	set(static("old-key"))
	s := storeOf(t, Config{Bucket: bucketName, Endpoint: p.URL, PathStyle: true})
	if _, err := s.keys.get(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	set(static(access))
	if err := s.Put(t.Context(), key, blob("media")); err != nil || len(p.requests()) != 2 {
		t.Errorf("Put = %v after %d requests", err, len(p.requests()))
	}
}

func TestWhoIsRefusedLateDoesNotDropNewCredentials(t *testing.T) {
	asked := 0
	k := keys{cache: aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		asked++
		return aws.Credentials{AccessKeyID: fmt.Sprint(asked), SecretAccessKey: "s"}, nil
	}))}
	var first aws.Credentials
	for i := range 3 {
		c, err := k.get(t.Context(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = c
		}
		k.renew(first)
	}
	if asked != 2 {
		t.Errorf("credentials were asked for %d times, want twice", asked)
	}
}

// Of the same key there may be many sessions, and one that was dropped may be what the environment still has.
func TestEachSessionIsDroppedAndAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token, asked := "1", 0
		k := keys{cache: aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			asked++
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SessionToken: token}, nil
		}))}
		for i, tt := range []struct {
			after time.Duration
			token string
		}{{0, "1"}, {0, "2"}, {2 * time.Second, "2"}, {2 * time.Second, "2"}} {
			time.Sleep(tt.after)
			token = tt.token
			k.renew(aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SessionToken: token})
			if _, err := k.get(t.Context(), time.Minute); err != nil || asked != i+1 {
				t.Errorf("%d: credentials were asked for %d times, %v", i, asked, err)
			}
		}
	})
}

func TestCredentialsThatStayExpiredAreNamed(t *testing.T) {
	set, asked := rotating(t)
	set(static("old-key"))
	p := between(t, "http://127.0.0.1:1", method("PUT"), func(n int, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		if n == 1 {
			refuse(w, http.StatusInternalServerError, "InternalError")
			return
		}
		refuse(w, http.StatusBadRequest, "ExpiredToken")
	})
	s := storeOf(t, Config{Bucket: bucketName, Endpoint: p.URL, PathStyle: true})
	// However few attempts are left, expired credentials are an error.
	for attempts, want := range map[int]error{2: ErrConfig, 6: ErrConfig} {
		s.limits.attempts = attempts
		if err := s.Put(t.Context(), key, blob("media")); !errors.Is(err, want) || !strings.Contains(err.Error(), "expired: renew them") {
			t.Errorf("with %d attempts: %v", attempts, err)
		}
	}
	if n := asked(); n < 2 || n > 3 {
		t.Errorf("credentials were asked for %d times", n)
	}
}

func TestNoCredentialsAreNamedSoon(t *testing.T) {
	isolate(t)
	hang := between(t, "http://127.0.0.1:1", func(*http.Request) bool { return true }, func(_ int, _ http.ResponseWriter, r *http.Request, _ http.Handler) { swallow(r) })
	for _, disabled := range []string{"true", "false"} {
		t.Setenv("AWS_EC2_METADATA_DISABLED", disabled)
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", hang.URL)
		begin := time.Now()
		s := storeOf(t, Config{Bucket: bucketName, Endpoint: "http://127.0.0.1:1", PathStyle: true})
		if d := time.Since(begin); d > time.Second {
			t.Errorf("New took %v", d)
		}
		err := s.Put(t.Context(), key, blob("media"))
		if d := time.Since(begin); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "there are no credentials") || d > 20*time.Second {
			t.Errorf("metadata disabled: %s: %v after %v", disabled, err, d)
		}
	}
}
