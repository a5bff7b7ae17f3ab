package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/moqpack/moqpack/storage"
)

// class of an answer: what to do about it.
type class uint8

const (
	fine class = iota
	absent
	precondition // another instance was first
	temporary    // the same may work in a moment
	expired      // new credentials may do
	skewed       // the SDK learns the time from the answer: it may do
	corrupt
	config // nothing but the operator can help
)

func (c class) String() string {
	return [...]string{"ok", "not_found", "precondition", "temporary", "expired", "skewed", "corrupt", "config"}[c]
}

var (
	errPrecondition = errors.New("s3: precondition failed")
	errTimeout      = errors.New("no answer in time")
)

// denied is completed with what to allow.
const denied = "the credentials may not do this: allow "

const (
	elsewhere  = "the bucket is in another region, or behind another endpoint: name the region with --s3-region (storage.s3.region)"
	unknownKey = "the store does not know the access key: check AWS_ACCESS_KEY_ID, the profile or the role"
	archived   = "it was moved to an archive class: restore it, and keep such lifecycle rules away from the prefix"
	full       = "the bucket is full: raise its quota or shorten the retention"
	noKey      = "the KMS key does not exist: correct storage.s3.kms_key"
	noAPI      = "this is not the answer of an S3 API: check the endpoint"
	noRole     = "the role cannot be assumed: check it, its trust policy and who assumes it, and AWS_ENDPOINT_URL_STS if the store is not Amazon's"
	noCipher   = "the store refuses the encryption: correct storage.s3.sse and kms_key, or leave them out and encrypt by a default of the bucket"
)

// advice says what is wrong with the configuration, and what to do, by error code.
func advice() map[string]string {
	return map[string]string{
		"NoSuchBucket":                 "there is no such bucket: create it, or correct the name",
		"InvalidBucketName":            "this is no name of a bucket: correct it",
		"AllAccessDisabled":            "the bucket is disabled: ask its owner",
		"AccountProblem":               "the account has a problem: ask its owner",
		"PermanentRedirect":            elsewhere,
		"TemporaryRedirect":            elsewhere,
		"MovedPermanently":             elsewhere, // HEAD
		"AuthorizationHeaderMalformed": elsewhere,
		"IllegalLocationConstraint":    elsewhere,
		"InvalidObjectState":           archived,
		"InvalidStorageClass":          "the store does not know the storage class: correct storage.s3.storage_class",
		"KMS.NotFoundException":        noKey,
		"kms:KeyNotFound":              noKey, // MinIO
		"KMS.DisabledException":        "the KMS key is disabled: enable it",
		"QuotaExceeded":                full,
		"XMinioStorageFull":            full,
		"NotImplemented":               "the store cannot do this: use another one, or report what it is",
	}
}

// classify says what an error of the SDK means, and what to do about it.
func classify(err error) (c class, hint string) {
	var creds *credentialsError
	switch {
	case err == nil:
		return fine, ""
	case errors.Is(err, storage.ErrCorrupt):
		return corrupt, ""
	case errors.Is(err, errTimeout):
		return temporary, ""
	case errors.As(err, &creds):
		return withoutCredentials(err)
	}
	switch code := code(err); code {
	case "NoSuchKey", "NotFound":
		return absent, ""
	case "PreconditionFailed":
		return precondition, ""
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken",
		"InvalidTokenId": // MinIO, of a session that it does not know
		return expired, "the credentials have expired: renew them"
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the latter is versitygw's
		return expired, unknownKey
	case "SignatureDoesNotMatch": // of an access key the secret may have been changed
		return expired, "the secret key is wrong: check AWS_SECRET_ACCESS_KEY or the profile"
	case "BadRequest": // HEAD has nothing better to say, of expired credentials neither
		return expired, "the store refuses the request: check the region, and whether the credentials have expired" + region(err)
	case "Forbidden", "AccessDenied": // nor does HEAD, or AWS at all, tell a session that was revoked from what is not allowed
		return expired, denied
	case "RequestTimeTooSkewed":
		return skewed, "the clock of this machine is wrong: synchronize it (NTP)"
	case "SlowDown", "ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "InternalError", "ServiceUnavailable",
		"BadDigest", "InvalidDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch": // damaged on the way
		return temporary, ""
	default:
		if hint := advice()[code]; hint != "" {
			if hint == elsewhere {
				hint += region(err)
			}
			return config, hint
		}
	}
	return byStatus(err)
}

// byStatus judges an answer whose code says nothing.
func byStatus(err error) (c class, hint string) {
	switch status := status(err); {
	case status == http.StatusPreconditionFailed:
		return precondition, ""
	case status == http.StatusForbidden:
		return config, denied
	case status >= 300 && status < 400:
		return config, elsewhere + region(err)
	case status == http.StatusNotImplemented:
		return config, advice()["NotImplemented"]
	case status == http.StatusInsufficientStorage:
		return config, full
	case status == http.StatusConflict, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return temporary, ""
	case status == http.StatusNotFound:
		return config, noAPI
	case status >= 400:
		return config, "the store refuses the request"
	}
	return local(err)
}

// withoutCredentials judges why there are none.
func withoutCredentials(err error) (c class, hint string) {
	var away net.Error
	switch status := status(err); {
	case strings.Contains(err.Error(), "no EC2 IMDS role found"), strings.Contains(err.Error(), "static credentials are empty"):
		return config, "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or run with a role"
	case status == http.StatusTooManyRequests, status >= 500:
		return temporary, ""
	case strings.HasPrefix(code(err), "ExpiredToken"):
		return expired, "what the role is assumed with has expired: renew it"
	case status >= 400:
		return config, noRole
	case errors.As(err, &away):
		return temporary, ""
	}
	return config, "the credentials cannot be had: check the environment, the profile and the role"
}

// region tells where the bucket is, if the answer says so.
func region(err error) string {
	if r := header(err, "X-Amz-Bucket-Region"); regexp.MustCompile(`^[a-z0-9-]{1,40}$`).MatchString(r) {
		return ": it is in " + r
	}
	return ""
}

// local judges what went wrong before there was an answer.
func local(err error) (c class, hint string) {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return config, "there is no such host: check the endpoint, the bucket and the region, or try --s3-path-style (storage.s3.path_style)"
	case errors.As(err, &cert):
		return config, "the endpoint's certificate is not to be trusted: check the endpoint, or set AWS_CA_BUNDLE"
	case errors.Is(err, http.ErrSchemeMismatch):
		return config, "the endpoint does not speak TLS: use http:// in the endpoint"
	}
	return temporary, ""
}

// explain makes an error of the operation, which was tried n times.
func (s *Store) explain(c call, n int, class class, hint string, err error) error {
	switch class {
	case absent:
		if c.op == list || c.op == "DeleteObjects" { // of which nothing can be absent but the API
			return fmt.Errorf("%s %s in %s: %s: %w: %w", c.op, c.key, s.cfg, noAPI, ErrConfig, plain(err))
		}
		return fmt.Errorf("%s %s: %w", c.op, c.key, storage.ErrNotFound)
	case precondition:
		return fmt.Errorf("%s %s: %w", c.op, c.key, errPrecondition)
	case corrupt:
		return fmt.Errorf("%s %s in %s: %w", c.op, c.key, s.cfg, err)
	case temporary:
		return fmt.Errorf("%s %s in %s: %d attempts: %w: %w", c.op, c.key, s.cfg, n, storage.ErrUnavailable, plain(err))
	}
	switch {
	case hint == denied:
		hint += action(c.op, strings.HasPrefix(s.cfg.SSE, "aws:kms"))
	case c.op == "PutObject" && s.cfg.SSE != "" && unencrypted(err):
		hint = noCipher
	}
	return fmt.Errorf("%s %s in %s: %s: %w: %w", c.op, c.key, s.cfg, hint, ErrConfig, plain(err))
}

// unencrypted reports whether an error may be due to the encryption that was asked for: there is no code for that alone.
func unencrypted(err error) bool {
	switch code(err) {
	case "InvalidArgument", "InvalidRequest", "InvalidEncryptionAlgorithmError", "NotImplemented":
		return true
	}
	return false
}

// action is what a policy must allow for the operation. Without s3:ListBucket what is absent is forbidden.
func action(op string, kms bool) string {
	actions := "s3:GetObject and s3:ListBucket"
	switch op {
	case "PutObject":
		actions = "s3:PutObject"
	case "DeleteObjects":
		return "s3:DeleteObject"
	case "ListObjectsV2":
		return "s3:ListBucket"
	}
	if kms {
		actions += ", kms:GenerateDataKey and kms:Decrypt"
	}
	return actions
}

// plain is the error without the request that it belongs to: identity and reason only, no header and no signature.
func plain(err error) error {
	if errors.Is(err, errTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return errTimeout
	}
	var e smithy.APIError
	switch status := status(err); {
	case errors.As(err, &e) && status == 0: // one of a batch
		return fmt.Errorf("%s%s", clean(e.ErrorCode()), message(e))
	case errors.As(err, &e):
		return fmt.Errorf("%d %s%s", status, clean(e.ErrorCode()), message(e))
	case status != 0:
		return fmt.Errorf("status %d", status)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// message is what the server says beyond the code, unless it may repeat what the request was signed with.
func message(e smithy.APIError) string {
	text := clean(e.ErrorMessage())
	if text == "" || regexp.MustCompile(`(?i)signature|credential|secret|token|authorization|amz`).MatchString(text) {
		return ""
	}
	return ": " + text
}

// clean is text of a server for people: short, and in one line.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text[:min(len(text), 200)])
}
