package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/moqpack/moqpack/storage"
)

// answer is an error as the SDK makes it of an answer.
func answer(status int, code string, header ...string) error {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	var err error = &smithy.GenericAPIError{Code: code, Message: "what the server says"}
	if code == "" {
		err = errors.New("deserialization failed")
	}
	return &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: h}}, Err: err,
	}}
}

func sent(err error) error {
	return &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject", Err: &smithyhttp.RequestSendError{
		Err: &url.Error{Op: "Put", URL: "http://host/b/k?X-Amz-Signature=0123", Err: err},
	}}
}

func TestClassify(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for _, tt := range []struct {
		name string
		err  error
		want class
		says string // in the hint
	}{
		{"nothing", nil, fine, ""},
		{"no object", answer(404, "NoSuchKey"), absent, ""},
		{"HEAD of no object", answer(404, "NotFound"), absent, ""},
		{"404 of something else", answer(404, ""), config, "check the endpoint"},
		{"no bucket", answer(404, "NoSuchBucket"), config, "no such bucket"},
		{"condition", answer(412, "PreconditionFailed"), precondition, ""},
		{"condition without a code", answer(412, ""), precondition, ""},
		{"conflict", answer(409, "ConditionalRequestConflict"), temporary, ""},
		{"conflict without a code", answer(409, ""), temporary, ""},
		{"slow down", answer(503, "SlowDown"), temporary, ""},
		{"slow down of MinIO", answer(503, "SlowDownWrite"), temporary, ""},
		{"throttled", answer(429, "TooManyRequests"), temporary, ""},
		{"internal", answer(500, "InternalError"), temporary, ""},
		{"bad gateway of a proxy", answer(502, ""), temporary, ""},
		{"slow body", answer(400, "RequestTimeout"), temporary, ""},
		{"damaged on the way", answer(400, "BadDigest"), temporary, ""},
		{"another checksum", answer(400, "XAmzContentChecksumMismatch"), temporary, ""},
		{"expired", answer(400, "ExpiredToken"), expired, "renew"},
		{"expired, elsewhere", answer(403, "ExpiredTokenException"), expired, "renew"},
		{"key gone", answer(403, "InvalidAccessKeyId"), expired, "does not know the access key"},
		{"HEAD 400", answer(400, "BadRequest", "X-Amz-Bucket-Region", "eu-west-3"), expired, "eu-west-3"},
		{"clock", answer(403, "RequestTimeTooSkewed"), skewed, "clock"},
		{"secret", answer(403, "SignatureDoesNotMatch"), expired, "secret key"},
		{"permission", answer(403, "AccessDenied"), expired, denied},
		{"HEAD 403", answer(403, "Forbidden"), expired, denied},
		{"session gone", answer(403, "InvalidTokenId"), expired, "renew"},
		{"no KMS key at MinIO", answer(404, "kms:KeyNotFound"), config, "kms_key"},
		{"403 without a code", answer(403, ""), config, denied},
		{"region", answer(301, "PermanentRedirect", "X-Amz-Bucket-Region", "eu-west-3"), config, "it is in eu-west-3"},
		{"region without a code", answer(307, "", "X-Amz-Bucket-Region", "a b\n"), config, "name the region"},
		{"archived", answer(403, "InvalidObjectState"), config, "restore it"},
		{"quota", answer(403, "QuotaExceeded"), config, "full"},
		{"disk of the store", answer(507, "XMinioStorageFull"), config, "full"},
		{"not implemented", answer(501, ""), config, "cannot do this"},
		{"something wrong", answer(400, "InvalidArgument"), config, "refuses"},
		{"refused connection", sent(dial), temporary, ""},
		{"cut connection", sent(io.ErrUnexpectedEOF), temporary, ""},
		{"no host", sent(&net.DNSError{Name: "b.s3", IsNotFound: true}), config, "--s3-path-style"},
		{"no resolver", sent(&net.DNSError{Name: "b.s3", IsTemporary: true}), temporary, ""},
		{"certificate", sent(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), config, "AWS_CA_BUNDLE"},
		{"no TLS", sent(http.ErrSchemeMismatch), config, "http://"},
		{"timeout", fmt.Errorf("%w: %w", errTimeout, sent(context.Canceled)), temporary, ""},
		{"other content", fmt.Errorf("x: %w", storage.ErrCorrupt), corrupt, ""},
		{"no credentials", &credentialsError{errors.New("static credentials are empty")}, config, "AWS_ACCESS_KEY_ID"},
		{"no machine role", &credentialsError{errors.New("no EC2 IMDS role found, and so on")}, config, "AWS_ACCESS_KEY_ID"},
		{"role denied", &credentialsError{answer(403, "AccessDenied")}, config, "trust policy"},
		{"STS throttles", &credentialsError{answer(429, "Throttling")}, temporary, ""},
		{"metadata hangs", &credentialsError{context.DeadlineExceeded}, temporary, ""},
		{"STS is away", &credentialsError{sent(dial)}, temporary, ""},
		{"role expired", &credentialsError{answer(403, "ExpiredTokenException")}, expired, "assumed with has expired"},
		{"credential process fails", &credentialsError{errors.New("exit status 1")}, config, "cannot be had"},
	} {
		got, hint := classify(tt.err)
		if got != tt.want || !strings.Contains(hint, tt.says) || (got == config) && hint == "" {
			t.Errorf("%s: %v, %q, want %v that says %q", tt.name, got, hint, tt.want, tt.says)
		}
	}
}

func TestPlainTellsNoSecret(t *testing.T) {
	signed := answer(403, "SignatureDoesNotMatch")
	api := &smithy.GenericAPIError{}
	errors.As(signed, &api)
	for _, message := range []string{"StringToSign AWS4-HMAC-SHA256 wJalrXUt X-Amz-Date", "the Signature wJalrXUt", "token wJalrXUt", "the secret wJalrXUt", "Credential wJalrXUt", "Authorization: wJalrXUt"} {
		api.Message = message
		if got := plain(signed).Error(); strings.Contains(got, "wJalrXUt") || !strings.Contains(got, "403 SignatureDoesNotMatch") {
			t.Errorf("%s", got)
		}
	}
	api.Message = "User: arn:aws:iam::1:user/x is not\nauthorized to perform: s3:PutObject" + strings.Repeat("!", 1000)
	if got := plain(signed).Error(); !strings.Contains(got, "s3:PutObject") || strings.Contains(got, "\n") || len(got) > 300 {
		t.Errorf("%s", got)
	}
	if got := plain(sent(errors.New("EOF"))).Error(); got != "EOF" {
		t.Errorf("%s", got)
	}
}

func TestErrorsSayWhatToAllow(t *testing.T) {
	s := &Store{cfg: Config{Bucket: "b"}}
	for op, want := range map[string]string{
		"PutObject": "s3:PutObject", "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject", "DeleteObjects": "s3:DeleteObject", list: "s3:ListBucket",
	} {
		class, hint := classify(answer(403, "AccessDenied"))
		err := s.explain(call{op: op, key: "k"}, 1, class, hint, answer(403, "AccessDenied"))
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "allow "+want) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestErrorsSayThatAKeyMustBeAllowedToo(t *testing.T) {
	for sse, want := range map[string]bool{"": false, "AES256": false, "aws:kms": true, "aws:kms:dsse": true} {
		s := &Store{cfg: Config{Bucket: "b", SSE: sse}}
		for _, op := range []string{"PutObject", "GetObject"} {
			err := s.explain(call{op: op, key: "k"}, 1, config, denied, answer(403, "AccessDenied"))
			if strings.Contains(err.Error(), "kms:GenerateDataKey and kms:Decrypt") != want {
				t.Errorf("%s %q: %v", op, sse, err)
			}
		}
	}
}

func TestWhatIsSaidToBeTooLongIsNotRead(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readAll(strings.NewReader("x"), maxBlob+1); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("more than anything of ours: %v", err)
	}
	if b, err := readAll(strings.NewReader("x"), maxBlob); err != nil || string(b) != "x" {
		t.Errorf("a short body that is said to be long: %d bytes, %v", len(b), err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*maxTrust {
		t.Errorf("%d bytes of memory were taken on a word", n)
	}
}

func TestWait(t *testing.T) {
	l, now := defaults(), time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for n, most := range []time.Duration{100, 200, 400, 800, 1600} {
		for range 100 {
			if d := l.wait(n+1, answer(500, ""), now); d <= 0 || d > most*time.Millisecond {
				t.Fatalf("after attempt %d: %v, want at most %v ms", n+1, d, most)
			}
		}
	}
	for value, want := range map[string]time.Duration{
		"3": 3 * time.Second, "0": 0, "-5": 0, "soon": 0, "999999999999": 0, "4000000000": l.pauses,
		"Fri, 01 May 2026 12:00:07 GMT": 7 * time.Second, "Fri, 01 May 2026 11:00:00 GMT": 0, "Fri, 01 May 2099 12:00:00 GMT": l.pauses,
	} {
		if d := l.wait(1, answer(503, "SlowDown", "Retry-After", value), now) - want; d <= 0 || d > l.pause {
			t.Errorf("Retry-After: %s: %v more than %v", value, d, want)
		}
	}
	if d := l.wait(60, nil, now); d > l.pauses+1 {
		t.Errorf("after many attempts: %v", d)
	}
}

func TestTimeoutGrowsWithTheSize(t *testing.T) {
	l := defaults()
	for bytes, want := range map[int64]time.Duration{-1: 5 * time.Second, 0: 5 * time.Second, 500_000: 5 * time.Second, 10 << 20: 25 * time.Second, maxBlob: time.Minute} {
		if got := l.timeout(bytes); got != want {
			t.Errorf("%d bytes: %v, want %v", bytes, got, want)
		}
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if sleep(ctx, time.Hour) || time.Since(begin) != time.Second {
			t.Errorf("slept for %v", time.Since(begin))
		}
		if !sleep(t.Context(), time.Minute) {
			t.Error("it did not sleep to the end")
		}
	})
}
