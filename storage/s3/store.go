package s3

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/moqpack/moqpack/storage"
)

// Store is a prefix of a bucket. It is safe for concurrent use.
type Store struct {
	cfg       Config
	api       *api.Client
	keys      keys
	limits    limits
	log       *slog.Logger
	metrics   *Metrics
	abilities abilities
	turns     [64]chan struct{} // at an endpoint without conditions: a Swap of ours at a time, by key
}

var _ storage.Durable = (*Store)(nil)

// maxBlob bounds what is read into memory for one key, in bytes.
const maxBlob = 1 << 30

// maxTrust is how much memory is taken because an answer says that so much will come.
const maxTrust = 16 << 20

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
	conditional := s.abilities.put.Load()
	if !conditional {
		// The endpoint does not look itself. Between our look and the write another instance may write: the same, as a rule.
		there, err := s.sameAs(ctx, key, b)
		if there || err != nil {
			return err
		}
	}
	_, _, err := s.put(ctx, key, b, func(in *api.PutObjectInput) {
		s.asMedia(in)
		if conditional {
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

// asMedia gives media their class. Documents are replaced all the time: they stay in the standard one.
func (s *Store) asMedia(in *api.PutObjectInput) {
	in.StorageClass = types.StorageClass(s.cfg.StorageClass)
}

// sameAs reports whether the key exists, with the content of b: ErrConflict if it is another's.
func (s *Store) sameAs(ctx context.Context, key string, b storage.Blob) (there bool, err error) {
	head, err := s.head(ctx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	digest := head.Metadata[digestKey]
	if digest == "" { // somebody else put it there, or the endpoint has forgotten it
		theirs, err := s.Get(ctx, key)
		if err != nil {
			return false, err
		}
		digest = theirs.Digest
	}
	if kind := aws.ToString(head.ContentType); digest != b.Digest || b.ContentType != "" && kind != b.ContentType {
		return true, fmt.Errorf("put %s: %s has digest %.40q of type %.100q, ours is %q of type %q: %w",
			key, s.cfg, digest, kind, b.Digest, b.ContentType, storage.ErrConflict)
	}
	return true, nil
}

func (s *Store) head(ctx context.Context, key string) (head *api.HeadObjectOutput, err error) {
	err = s.do(ctx, call{op: "HeadObject", key: key}, func(ctx context.Context, _ func(int64)) (err error) {
		head, err = s.api.HeadObject(ctx, &api.HeadObjectInput{Bucket: &s.cfg.Bucket, Key: s.path(key)})
		return err
	})
	return head, err
}

// put writes an object and returns its ETag, and how often it was sent.
func (s *Store) put(ctx context.Context, key string, b storage.Blob, set func(*api.PutObjectInput)) (v storage.Version, sent int, err error) {
	var out *api.PutObjectOutput
	size, sum := b.Size(), checksum(b)
	err = s.do(ctx, call{op: "PutObject", key: key, sent: size}, func(ctx context.Context, _ func(int64)) (err error) {
		sent++
		in := &api.PutObjectInput{
			Bucket: &s.cfg.Bucket, Key: s.path(key), Body: newBody(b), ContentLength: &size,
			ContentType: &b.ContentType, CacheControl: &b.CacheControl,
			Metadata:             map[string]string{digestKey: b.Digest},
			ChecksumCRC32C:       &sum,
			ServerSideEncryption: types.ServerSideEncryption(s.cfg.SSE),
		}
		if s.cfg.KMSKey != "" {
			in.SSEKMSKeyId = &s.cfg.KMSKey
		}
		set(in)
		out, err = s.api.PutObject(ctx, in)
		return err
	})
	if err != nil {
		return "", sent, err
	}
	return storage.Version(aws.ToString(out.ETag)), sent, nil
}

// checksum is the CRC-32C as S3 wants it. Computed here it is a header; the SDK would make a trailer of it, and frame the body,
// which not every store understands.
func checksum(b storage.Blob) string {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, _ = b.WriteTo(h) // it cannot fail
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Get returns the blob, its content held against the digest that it was put with.
func (s *Store) Get(ctx context.Context, key string) (storage.Blob, error) {
	b, _, err := s.Load(ctx, key)
	return b, err
}

// Load returns the document and its ETag.
func (s *Store) Load(ctx context.Context, key string) (b storage.Blob, v storage.Version, err error) {
	err = s.do(ctx, call{op: "GetObject", key: key}, func(ctx context.Context, expect func(int64)) error {
		out, err := s.api.GetObject(ctx, &api.GetObjectInput{Bucket: &s.cfg.Bucket, Key: s.path(key)})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		expect(aws.ToInt64(out.ContentLength))
		content, err := readAll(out.Body, aws.ToInt64(out.ContentLength))
		if err != nil {
			return err
		}
		s.metrics.received(int64(len(content)))
		if aws.ToString(out.ContentEncoding) == encoding { // whoever put it so
			if content, err = unpacked(content); err != nil {
				return err
			}
		}
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

// readAll reads a body that is said to have so many bytes.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if size > maxBlob {
		return nil, fmt.Errorf("%d bytes are more than anything of ours: %w", size, storage.ErrCorrupt)
	}
	var b bytes.Buffer
	b.Grow(int(min(max(size, 0), maxTrust)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(r, maxBlob+1))
	if err == nil && n > maxBlob {
		err = fmt.Errorf("more bytes than anything of ours: %w", storage.ErrCorrupt)
	}
	return b.Bytes(), err
}

// Swap replaces the document if its ETag is still old. When an acknowledgement was lost on the way it looks whose the document is.
func (s *Store) Swap(ctx context.Context, key string, b storage.Blob, old storage.Version) (storage.Version, error) {
	if b.Digest == "" {
		b.Digest = storage.Digest(b.Pieces)
	}
	conditional := s.abilities.swap.Load()
	if old == "" {
		conditional = s.abilities.put.Load()
	}
	if !conditional {
		done, err := s.turn(ctx, key)
		if err != nil {
			return "", fmt.Errorf("swap %s: %w", key, err)
		}
		defer done()
		if now, _, err := s.now(ctx, key); err != nil || now != old {
			return "", fmt.Errorf("swap %s: %w", key, cmp.Or(err, storage.ErrStale))
		}
	}
	body, packed := s.compressed(b)
	v, sent, err := s.put(ctx, key, body, func(in *api.PutObjectInput) {
		if packed {
			in.ContentEncoding = aws.String(encoding)
		}
		switch {
		case !conditional:
		case old == "":
			in.IfNoneMatch = aws.String("*")
		default:
			in.IfMatch = aws.String(string(old))
		}
	})
	switch {
	case errors.Is(err, errPrecondition) || errors.Is(err, storage.ErrNotFound):
		if sent > 1 {
			now, digest, err := s.now(ctx, key)
			if err == nil && now != "" && digest == b.Digest {
				return now, nil
			}
		}
		return "", fmt.Errorf("swap %s: %w", key, storage.ErrStale)
	case err == nil && v == "":
		return "", fmt.Errorf("swap %s in %s: %w: the store gives no ETag: use another one", key, s.cfg, ErrConfig)
	}
	return v, err
}

// now is the version of the document, a moment ago, and the digest that it was put with. Nothing is there: both are empty.
func (s *Store) now(ctx context.Context, key string) (v storage.Version, digest string, err error) {
	head, err := s.head(ctx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return "", "", nil
	case err != nil:
		return "", "", err
	}
	return storage.Version(aws.ToString(head.ETag)), head.Metadata[digestKey], nil
}

// turn waits until no other Swap of the key is under way here. Where the endpoint honours no conditions, two instances have to bear
// that they do not see each other; two goroutines need not.
func (s *Store) turn(ctx context.Context, key string) (done func(), err error) {
	turn := s.turns[crc32.ChecksumIEEE([]byte(key))%uint32(len(s.turns))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// base is the prefix of all keys, with its slash.
func (s *Store) base() string {
	if s.cfg.Prefix == "" {
		return ""
	}
	return s.cfg.Prefix + "/"
}

func (s *Store) path(key string) *string { return aws.String(s.base() + key) }

// check is an error if the key could leave the prefix, or would be too long.
func check(op, key string) error {
	if validKey(key) {
		return nil
	}
	return fmt.Errorf("%s %.200q: %w: at most %d letters, digits and -_.~ in elements that are not empty", op, key, errKey, maxKey)
}

var errKey = errors.New("s3: not a key")
