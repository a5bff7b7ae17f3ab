package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/moqpack/moqpack/storage"
)

// Store is a prefix of a bucket. It is safe for concurrent use.
type Store struct {
	cfg       Config
	api       *api.Client
	renew     func() // the credentials
	log       *slog.Logger
	metrics   *Metrics
	abilities abilities
	turns     [64]chan struct{} // a Swap of ours at a time, by key
}

var _ storage.Durable = (*Store)(nil)

// maxBlob bounds what is read into memory for one key, in bytes.
const maxBlob = 1 << 30

// digestKey is the metadata under which an object carries its storage.Digest, so that comparing needs no body.
const digestKey = "moqpack-digest"

// Put writes the blob with one PUT. That it is there already is success if it has the same content.
func (s *Store) Put(ctx context.Context, key string, b storage.Blob) error {
	if b.Digest == "" {
		b.Digest = storage.Digest(b.Pieces)
	}
	if b.CacheControl == "" {
		b.CacheControl = storage.Immutable
	}
	if !s.abilities.put.Load() {
		// The endpoint does not look itself. Between our look and the write another instance may write: the same, as a rule.
		there, err := s.sameAs(ctx, key, b)
		if there || err != nil {
			return err
		}
	}
	_, err := s.put(ctx, key, b, func(in *api.PutObjectInput) {
		if s.abilities.put.Load() {
			in.IfNoneMatch = aws.String("*")
		}
	})
	if !errors.Is(err, errPrecondition) {
		return err
	}
	there, err := s.sameAs(ctx, key, b)
	if err == nil && !there {
		err = fmt.Errorf("put %s: refused, but nothing is there: %w", key, storage.ErrUnavailable) // deleted meanwhile
	}
	return err
}

// sameAs reports whether the key exists, with the content of b: ErrConflict if it is another's.
func (s *Store) sameAs(ctx context.Context, key string, b storage.Blob) (there bool, err error) {
	var head *api.HeadObjectOutput
	err = s.do(ctx, call{op: "HeadObject", key: key}, func(ctx context.Context) (err error) {
		head, err = s.api.HeadObject(ctx, &api.HeadObjectInput{Bucket: &s.cfg.Bucket, Key: s.path(key)})
		return err
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	digest := head.Metadata[digestKey]
	if digest == "" { // somebody else put it there
		theirs, err := s.Get(ctx, key)
		if err != nil {
			return false, err
		}
		digest = theirs.Digest
	}
	if digest != b.Digest || aws.ToString(head.ContentType) != b.ContentType {
		return true, fmt.Errorf("put %s: %s has digest %s, ours is %s: %w", key, s.cfg, digest, b.Digest, storage.ErrConflict)
	}
	return true, nil
}

// put writes an object and returns its ETag.
func (s *Store) put(ctx context.Context, key string, b storage.Blob, condition func(*api.PutObjectInput)) (storage.Version, error) {
	var out *api.PutObjectOutput
	size := b.Size()
	err := s.do(ctx, call{op: "PutObject", key: key, sent: size}, func(ctx context.Context) (err error) {
		in := &api.PutObjectInput{
			Bucket: &s.cfg.Bucket, Key: s.path(key), Body: newBody(b), ContentLength: &size,
			ContentType: &b.ContentType, CacheControl: &b.CacheControl,
			Metadata:             map[string]string{digestKey: b.Digest},
			ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32c,
			ServerSideEncryption: types.ServerSideEncryption(s.cfg.SSE),
			StorageClass:         types.StorageClass(s.cfg.StorageClass),
		}
		if s.cfg.KMSKey != "" {
			in.SSEKMSKeyId = &s.cfg.KMSKey
		}
		condition(in)
		out, err = s.api.PutObject(ctx, in)
		return err
	})
	if err != nil {
		return "", err
	}
	return storage.Version(aws.ToString(out.ETag)), nil
}

// Get returns the blob, its content held against the digest that it was put with.
func (s *Store) Get(ctx context.Context, key string) (storage.Blob, error) {
	b, _, err := s.Load(ctx, key)
	return b, err
}

// Load returns the document and its ETag.
func (s *Store) Load(ctx context.Context, key string) (b storage.Blob, v storage.Version, err error) {
	err = s.do(ctx, call{op: "GetObject", key: key}, func(ctx context.Context) error {
		out, err := s.api.GetObject(ctx, &api.GetObjectInput{Bucket: &s.cfg.Bucket, Key: s.path(key)})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		content, err := readAll(out.Body, aws.ToInt64(out.ContentLength))
		if err != nil {
			return err
		}
		s.metrics.received(int64(len(content)))
		b = storage.Blob{
			Pieces: [][]byte{content}, ContentType: aws.ToString(out.ContentType), CacheControl: aws.ToString(out.CacheControl),
		}
		b.Digest = storage.Digest(b.Pieces)
		v = storage.Version(aws.ToString(out.ETag))
		if put := out.Metadata[digestKey]; put != "" && put != b.Digest {
			return fmt.Errorf("it was put with digest %s and has %s now: %w", put, b.Digest, storage.ErrCorrupt)
		}
		return nil
	})
	if err != nil {
		return storage.Blob{}, "", err
	}
	return b, v, nil
}

func readAll(r io.Reader, size int64) ([]byte, error) {
	if size > maxBlob {
		return nil, fmt.Errorf("%d bytes are more than anything of ours: %w", size, storage.ErrCorrupt)
	}
	var b bytes.Buffer
	if size > 0 {
		b.Grow(int(size))
	}
	n, err := b.ReadFrom(io.LimitReader(r, maxBlob+1))
	if err == nil && n > maxBlob {
		err = fmt.Errorf("more bytes than anything of ours: %w", storage.ErrCorrupt)
	}
	return b.Bytes(), err
}

// Swap replaces the document if its ETag is still old.
func (s *Store) Swap(ctx context.Context, key string, b storage.Blob, old storage.Version) (storage.Version, error) {
	if b.Digest == "" {
		b.Digest = storage.Digest(b.Pieces)
	}
	done, err := s.turn(ctx, key)
	if err != nil {
		return "", fmt.Errorf("swap %s: %w", key, err)
	}
	defer done()
	conditional := s.abilities.swap.Load()
	if !conditional {
		if err := s.still(ctx, key, old); err != nil {
			return "", err
		}
	}
	v, err := s.put(ctx, key, b, func(in *api.PutObjectInput) {
		switch {
		case !conditional:
		case old == "":
			in.IfNoneMatch = aws.String("*")
		default:
			in.IfMatch = aws.String(string(old))
		}
	})
	if errors.Is(err, errPrecondition) || errors.Is(err, storage.ErrNotFound) {
		return "", fmt.Errorf("swap %s: %w", key, storage.ErrStale)
	}
	return v, err
}

// turn waits until no other Swap of the key is under way here. There are endpoints that look at the version and write in two steps
// (versitygw's posix backend): two instances have to bear that, two goroutines need not.
func (s *Store) turn(ctx context.Context, key string) (done func(), err error) {
	turn := s.turns[crc32.ChecksumIEEE([]byte(key))%uint32(len(s.turns))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// still is ErrStale unless the document is of version old, a moment ago.
func (s *Store) still(ctx context.Context, key string, old storage.Version) error {
	_, v, err := s.Load(ctx, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if v != old {
		return fmt.Errorf("swap %s: %w", key, storage.ErrStale)
	}
	return nil
}

// List yields the keys page by page.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &api.ListObjectsV2Input{Bucket: &s.cfg.Bucket, Prefix: aws.String(s.base() + prefix)}
		for {
			var out *api.ListObjectsV2Output
			err := s.do(ctx, call{op: "ListObjectsV2", key: prefix}, func(ctx context.Context) (err error) {
				out, err = s.api.ListObjectsV2(ctx, in)
				return err
			})
			if err != nil {
				yield("", err)
				return
			}
			for _, o := range out.Contents {
				key, ok := strings.CutPrefix(aws.ToString(o.Key), s.base())
				if ok && validKey(key) && !yield(key, nil) { // what is not a key is somebody else's
					return
				}
			}
			if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextContinuationToken) == "" {
				return
			}
			in.ContinuationToken = out.NextContinuationToken
		}
	}
}

// batch is how many keys S3 deletes at once.
const batch = 1000

// Delete removes the keys, a thousand with one request.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	var errs []error
	for len(keys) > 0 {
		some := keys[:min(batch, len(keys))]
		keys = keys[len(some):]
		var ids []types.ObjectIdentifier
		for _, key := range some {
			if !validKey(key) {
				return badKey("delete", key)
			}
			ids = append(ids, types.ObjectIdentifier{Key: s.path(key)})
		}
		var out *api.DeleteObjectsOutput
		err := s.do(ctx, call{op: "DeleteObjects", key: some[0]}, func(ctx context.Context) (err error) {
			out, err = s.api.DeleteObjects(ctx, &api.DeleteObjectsInput{Bucket: &s.cfg.Bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}})
			return err
		})
		if err != nil {
			errs = append(errs, err)
			break
		}
		for _, e := range out.Errors {
			if aws.ToString(e.Code) != "NoSuchKey" {
				errs = append(errs, fmt.Errorf("delete %s: %s: %s", aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message)))
			}
		}
	}
	return errors.Join(errs...)
}

// base is the prefix of all keys, with its slash.
func (s *Store) base() string {
	if s.cfg.Prefix == "" {
		return ""
	}
	return s.cfg.Prefix + "/"
}

func (s *Store) path(key string) *string { return aws.String(s.base() + key) }

func badKey(op, key string) error {
	return fmt.Errorf("%s %.200q: %w: letters, digits and -_.~ in elements that are not empty", op, key, errKey)
}

var errKey = errors.New("s3: not a key")

// dial is the HTTP client of a store: connections are kept, but not to a server that has stopped answering.
func dial() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	t.MaxIdleConnsPerHost, t.IdleConnTimeout = 32, 30*time.Second
	t.ResponseHeaderTimeout = maxAttempt
	return &http.Client{Transport: t}
}
