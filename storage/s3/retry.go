package s3

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/moqpack/moqpack/storage"
)

// Bounds of a call.
const (
	attempts   = 6
	minAttempt = 5 * time.Second // an attempt has so long,
	perMiB     = 2 * time.Second // and so much more for each MiB that it sends
	maxAttempt = time.Minute     // and no longer
	minWait    = 100 * time.Millisecond
	maxWait    = 10 * time.Second
)

// call is one request, however often it is sent.
type call struct {
	op   string // of the S3 API
	key  string
	sent int64 // bytes of the body
}

// timeout is how long an attempt may take.
func (c call) timeout() time.Duration {
	return min(minAttempt+time.Duration(c.sent>>20)*perMiB, maxAttempt)
}

// do sends a request until it is answered with something that another attempt would not change.
func (s *Store) do(ctx context.Context, c call, send func(ctx context.Context) error) error {
	if c.op != "ListObjectsV2" && !validKey(c.key) {
		return badKey(c.op, c.key)
	}
	renewed := false
	for n := range attempts {
		err := s.attempt(ctx, c, send)
		class, hint := classify(err)
		s.metrics.request(c, class, n > 0)
		switch {
		case class == fine:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s %s: %w", c.op, c.key, ctx.Err())
		case class == expired && !renewed:
			renewed = true
			s.renew()
			continue
		case class == corrupt && n < 2: // read while it was being replaced, or damaged on the way
		case class != temporary:
			return s.explain(c, class, hint, err)
		case n == attempts-1:
			return fmt.Errorf("%s %s in %s: %d attempts: %w: %w", c.op, c.key, s.cfg, attempts, storage.ErrUnavailable, plain(err))
		}
		if !sleep(ctx, wait(n, err)) {
			return fmt.Errorf("%s %s: %w", c.op, c.key, ctx.Err())
		}
	}
	return nil // not reached: the last attempt returns
}

func (s *Store) attempt(ctx context.Context, c call, send func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	begin := time.Now()
	err := send(ctx)
	s.metrics.took(c, time.Since(begin))
	return err
}

// wait is how long to wait after attempt n: anything up to twice as long as the time before, or what the server asks for.
func wait(n int, err error) time.Duration {
	most := min(minWait<<n, maxWait)
	d := time.Duration(rand.Int64N(int64(most)) + 1)
	var res *smithyhttp.ResponseError
	if errors.As(err, &res) && res.Response != nil {
		if after, perr := strconv.Atoi(res.Response.Header.Get("Retry-After")); perr == nil && after > 0 {
			return min(time.Duration(after)*time.Second, maxWait) + d
		}
	}
	return d
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

// status is the HTTP status of an answer, or 0.
func status(err error) int {
	var res *smithyhttp.ResponseError
	if errors.As(err, &res) {
		return res.HTTPStatusCode()
	}
	return 0
}

// code is the error code of an answer, or empty. HEAD has none.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) && status(err) != http.StatusOK {
		return e.ErrorCode()
	}
	return ""
}
