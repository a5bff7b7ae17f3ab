package s3

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// limits bound a call.
type limits struct {
	attempts int           // in all
	reads    int           // of content that is not what was put
	identity time.Duration // the environment has so long to give credentials
	answer   time.Duration // an attempt has so long,
	perMiB   time.Duration // so much more for each MiB that it sends or receives,
	longest  time.Duration // and no longer
	pause    time.Duration // most before the second attempt; doubled with each
	pauses   time.Duration // and never longer, whatever the server asks for
}

func defaults() limits {
	return limits{
		attempts: 6, reads: 3, identity: 15 * time.Second, answer: 5 * time.Second, perMiB: 2 * time.Second, longest: time.Minute,
		pause: 100 * time.Millisecond, pauses: 10 * time.Second,
	}
}

// timeout is how long an attempt may take that moves so many bytes.
func (l limits) timeout(bytes int64) time.Duration {
	return min(l.answer+time.Duration(max(bytes, 0)>>20)*l.perMiB, l.longest)
}

// wait is how long to wait after attempt n, which is at least 1: anything up to twice as long as the time before, and beyond what
// the server asks for, so that not all come back at once.
func (l limits) wait(n int, err error, now time.Time) time.Duration {
	d := time.Duration(rand.Int64N(int64(min(l.pause<<min(n-1, 16), l.pauses)))) + 1
	return max(0, min(retryAfter(header(err, "Retry-After"), now), l.pauses)) + d
}

// retryAfter reads seconds or a date (RFC 9110 10.2.3); what is neither is 0.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(now)
	}
	return 0
}

// call is one request, however often it is sent.
type call struct {
	op   string // of the S3 API
	key  string
	sent int64 // bytes of the body
}

// send makes an attempt. It says with expect how many bytes it will receive when it knows.
type send func(ctx context.Context, expect func(bytes int64)) error

// do sends a request until it is answered with something that another attempt would not change.
func (s *Store) do(ctx context.Context, c call, send send) error {
	if c.op != list {
		if err := check(c.op, c.key); err != nil {
			return err
		}
	}
	renewed, reads := false, 0
	for n := 1; ; n++ {
		used, err := s.attempt(ctx, c, send)
		class, hint := classify(err)
		s.metrics.request(c, class, n > 1)
		if class == fine {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", c.op, c.key, ctx.Err())
		}
		again := class == temporary
		switch class {
		case expired, skewed: // the SDK has learned the time from the answer
			again, renewed = !renewed, true
			if again && class == expired {
				s.keys.renew(used)
			}
		case corrupt: // read while it was being replaced, or damaged on the way
			reads++
			again = reads < s.limits.reads
		}
		if !again || n == s.limits.attempts {
			return s.explain(c, n, class, hint, err)
		}
		if class == expired || class == skewed {
			continue
		}
		if !sleep(ctx, s.limits.wait(n, err, time.Now())) {
			return fmt.Errorf("%s %s: %w", c.op, c.key, ctx.Err())
		}
	}
}

// attempt sends the request once, and says with which credentials.
func (s *Store) attempt(ctx context.Context, c call, send send) (used aws.Credentials, err error) {
	if used, err = s.keys.get(ctx, s.limits.identity); err != nil {
		return used, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(s.limits.timeout(c.sent), func() { cancel(errTimeout) })
	defer timer.Stop()
	begin := time.Now()
	err = send(ctx, func(bytes int64) { timer.Reset(s.limits.timeout(bytes)) })
	s.metrics.took(c, time.Since(begin))
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = fmt.Errorf("%w: %w", errTimeout, err)
	}
	return used, err
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// header is a header of the answer that err comes from, or empty.
func header(err error, name string) string {
	var res *smithyhttp.ResponseError
	if errors.As(err, &res) && res.Response != nil {
		return res.Response.Header.Get(name)
	}
	return ""
}

// status is the HTTP status of an answer, or 0.
func status(err error) int {
	var res *smithyhttp.ResponseError
	if errors.As(err, &res) {
		return res.HTTPStatusCode()
	}
	return 0
}

// code is the error code of an answer, or empty. For HEAD, whose answers have none, the SDK makes one of the status.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}
