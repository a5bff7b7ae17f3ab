package subscriber

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// backoff spaces repeated attempts: each wait is drawn at random between 0 and a limit that doubles (full jitter), so that
// those who lost the same relay do not return together.
type backoff struct {
	first, max time.Duration
	limit      time.Duration
}

// next is how long to wait before the next attempt.
func (b *backoff) next() time.Duration {
	b.limit = min(max(b.first, 2*b.limit), b.max)
	return rand.N(b.limit)
}

// slow is how long to wait at least behind an attempt that came to nothing for what somebody has set, here or there: it does not pass
// by itself, and relays count who is refused.
const slow = 30 * time.Second

// after is next, as far as err does not ask for more.
func (b *backoff) after(err error) time.Duration {
	wait := max(b.next(), retryAfter(err))
	if misconfigured(err) {
		wait += slow
	}
	return wait
}

// misconfigured reports whether err is about credentials, addresses, certificates or protocols.
func misconfigured(err error) bool {
	if status, ok := errors.AsType[*transport.RefusedError](err); ok {
		return status.Status == http.StatusUnauthorized || status.Status == http.StatusForbidden
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	for _, e := range []error{moqt.ErrUnauthorized, moqt.ErrAddress, transport.ErrNoProtocol, transport.ErrNoWebTransport, ErrFingerprint} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (b *backoff) reset() { b.limit = 0 }

// sleep waits, at most until ctx ends; then it returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 { // a timer that is due at once crashes the race detector in a synctest bubble (Go 1.26.8)
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
