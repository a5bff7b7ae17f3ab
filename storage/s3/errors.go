package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/moqpack/moqpack/storage"
)

// class of an answer: what to do about it.
type class uint8

const (
	fine class = iota
	absent
	precondition // another instance was first
	temporary    // the same may work in a moment
	expired      // new credentials will do
	corrupt
	config // nothing but the operator can help
)

func (c class) String() string {
	return [...]string{"ok", "not_found", "precondition", "temporary", "expired", "corrupt", "config"}[c]
}

var errPrecondition = errors.New("s3: precondition failed")

// advice says what is wrong with the configuration, and what to do, by error code.
func advice() map[string]string {
	return map[string]string{
		"NoSuchBucket":                 "there is no such bucket: create it, or correct the name",
		"InvalidBucketName":            "this is no name of a bucket: correct it",
		"InvalidAccessKeyId":           "the store does not know the access key: check AWS_ACCESS_KEY_ID, the profile or the role",
		"XAdminUserNotFound":           "the store does not know the access key: check AWS_ACCESS_KEY_ID, the profile or the role", // versitygw
		"SignatureDoesNotMatch":        "the secret key is wrong: check AWS_SECRET_ACCESS_KEY or the profile",
		"AccessDenied":                 "the credentials may not do this: allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on the bucket",
		"AllAccessDisabled":            "the bucket is disabled: ask its owner",
		"AccountProblem":               "the account has a problem: ask its owner",
		"PermanentRedirect":            "the bucket is in another region, or behind another endpoint: name the region",
		"TemporaryRedirect":            "the bucket is in another region, or behind another endpoint: name the region",
		"AuthorizationHeaderMalformed": "the bucket is in another region: name it with --s3-region (storage.s3.region)",
		"IllegalLocationConstraint":    "the bucket is in another region: name it with --s3-region (storage.s3.region)",
		"RequestTimeTooSkewed":         "the clock of this machine is wrong: synchronize it (NTP)",
		"InvalidStorageClass":          "the store does not know the storage class: correct it",
		"KMS.NotFoundException":        "the KMS key does not exist: correct it",
		"KMS.DisabledException":        "the KMS key is disabled: enable it",
		"QuotaExceeded":                "the quota of the bucket is used up: raise it or shorten the retention",
		"NotImplemented":               "the store cannot do this: use another one, or report what it is",
	}
}

// classify says what an error of the SDK means, and for config what to do about it.
func classify(err error) (c class, hint string) {
	if err == nil {
		return fine, ""
	}
	if errors.Is(err, storage.ErrCorrupt) {
		return corrupt, ""
	}
	switch code := code(err); code {
	case "NoSuchKey", "NotFound":
		return absent, ""
	case "PreconditionFailed":
		return precondition, ""
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired":
		return expired, "the credentials have expired: renew them"
	case "SlowDown", "ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "InternalError", "ServiceUnavailable":
		return temporary, ""
	default:
		if hint := advice()[code]; hint != "" {
			return config, hint
		}
	}
	switch status := status(err); {
	case status == http.StatusNotFound && code(err) == "":
		return absent, ""
	case status == http.StatusPreconditionFailed:
		return precondition, ""
	case status == http.StatusForbidden:
		return config, advice()["AccessDenied"]
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return config, advice()["PermanentRedirect"]
	case status == http.StatusConflict, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return temporary, ""
	case status >= 400:
		return config, "the store refuses the request"
	}
	return local(err)
}

// local judges what went wrong before there was an answer.
func local(err error) (c class, hint string) {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return config, "there is no such host: check the endpoint, the bucket and the region"
	case errors.As(err, &unknown), errors.As(err, &host):
		return config, "the endpoint's certificate is not to be trusted: check the endpoint, or set AWS_CA_BUNDLE"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return config, "the endpoint does not speak TLS: use http:// in the endpoint"
	case strings.Contains(err.Error(), "failed to refresh cached credentials"), strings.Contains(err.Error(), "get credentials"),
		strings.Contains(err.Error(), "static credentials are empty"):
		return config, "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or run with a role"
	}
	return temporary, ""
}

// explain makes an error of the operation.
func (s *Store) explain(c call, class class, hint string, err error) error {
	switch class {
	case absent:
		return fmt.Errorf("%s %s: %w", c.op, c.key, storage.ErrNotFound)
	case precondition:
		return fmt.Errorf("%s %s: %w", c.op, c.key, errPrecondition)
	case corrupt:
		return fmt.Errorf("%s %s: %w", c.op, c.key, err)
	}
	return fmt.Errorf("%s %s in %s: %s: %w: %w", c.op, c.key, s.cfg, hint, ErrConfig, plain(err))
}

// plain is the error without the request that it belongs to: identity and reason only, no header and no signature.
func plain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errTimeout
	}
	if code := code(err); code != "" {
		return fmt.Errorf("%d %s", status(err), code)
	}
	if status := status(err); status != 0 {
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

var errTimeout = errors.New("no answer in time")
