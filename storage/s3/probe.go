package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/moqpack/moqpack/storage"
)

// Abilities are what an endpoint was seen to do.
type Abilities struct {
	// Put: a PUT with If-None-Match leaves what is there alone.
	Put bool
	// Swap: a PUT with If-Match replaces only the version that it names.
	Swap bool
	// Headers: Content-Type, Cache-Control and metadata come back as they were put.
	Headers bool
	// Encrypts: media are encrypted as the configuration wants it.
	Encrypts bool
	// Classes: media are in the storage class that the configuration names.
	Classes bool
	// Skew is by how much the endpoint's clock is ahead of ours, to the second.
	Skew time.Duration
}

// maxSkew is by how much clocks may differ without a word. S3 refuses what is signed a quarter of an hour off.
const maxSkew = 5 * time.Second

// Missing says what cannot be guaranteed, for people; empty when everything can.
func (a Abilities) Missing() (lines []string) {
	if !a.Put {
		lines = append(lines, "the store does not honour If-None-Match: two instances that write at the same moment may overwrite each other's media")
	}
	if !a.Swap {
		lines = append(lines, "the store does not honour If-Match: of two instances the slower one may take playlists back: let one instance write")
	}
	if !a.Headers {
		lines = append(lines, "the store forgets Content-Type, Cache-Control or metadata: set them in the CDN")
	}
	if !a.Encrypts {
		lines = append(lines, "the store does not encrypt as storage.s3.sse and kms_key want it: what is recorded there is not encrypted so")
	}
	if !a.Classes {
		lines = append(lines, "the store ignores storage.s3.storage_class: media are in another class")
	}
	return lines
}

// Skewed reports whether the clocks differ by more than what the network explains.
func (a Abilities) Skewed() bool { return a.Skew.Abs() > maxSkew }

// Probe tries what the store needs on an object of its own, whose name has id in it so that instances do not meet, and deletes it.
// From then on the store relies on what the endpoint honours only.
func (s *Store) Probe(ctx context.Context, id string) (a Abilities, err error) {
	key := ".moqpack-probe-" + id
	if a, err = s.probe(ctx, key); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.answer)
		defer cancel()
		_ = s.Delete(ctx, key) // the first error says more
		return a, fmt.Errorf("s3: probe: %w", err)
	}
	s.abilities.put.Store(a.Put)
	s.abilities.swap.Store(a.Swap)
	for _, line := range a.Missing() {
		s.log.Warn("S3 endpoint is limited", "store", s.cfg.String(), "what", line)
	}
	if a.Skewed() {
		s.log.Warn("the clocks of the S3 endpoint and of this machine differ: synchronize them (NTP)", "store", s.cfg.String(), "ahead", a.Skew)
	}
	return a, nil
}

func (s *Store) probe(ctx context.Context, key string) (a Abilities, err error) {
	if err := s.Delete(ctx, key); err != nil {
		return a, err
	}
	if _, _, err := s.put(ctx, key, probed("1"), s.asMedia); err != nil {
		return a, err
	}
	first, v, err := s.Load(ctx, key)
	if err != nil {
		return a, err
	}
	a.Headers = first.ContentType == probed("1").ContentType && first.CacheControl == "no-store" && first.Digest == probed("1").Digest
	if v == "" {
		return a, fmt.Errorf("%w: the store gives no ETag: use another one", ErrConfig)
	}
	if err := s.seen(ctx, key, &a); err != nil {
		return a, err
	}
	if err := s.listed(ctx, key); err != nil {
		return a, err
	}
	if a.Swap, err = s.swaps(ctx, key, v); err != nil {
		return a, err
	}
	if a.Put, err = s.puts(ctx, key); err != nil {
		return a, err
	}
	return a, s.Delete(ctx, key)
}

func probed(text string) storage.Blob {
	b := storage.Blob{Pieces: [][]byte{[]byte(text)}, ContentType: "application/dash+xml", CacheControl: "no-store"}
	b.Digest = storage.Digest(b.Pieces)
	return b
}

func always(*api.PutObjectInput) {}

func ifAbsent(in *api.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func ifStill(v storage.Version) func(in *api.PutObjectInput) {
	return func(in *api.PutObjectInput) { in.IfMatch = aws.String(string(v)) }
}

// swaps reports whether a stale version is refused, and the newest one is not.
func (s *Store) swaps(ctx context.Context, key string, stale storage.Version) (bool, error) {
	newest, _, err := s.put(ctx, key, probed("2"), always)
	if err != nil {
		return false, err
	}
	if done, err := s.honoured(ctx, key, probed("3"), ifStill(stale)); done || err != nil {
		return false, err
	}
	return s.honoured(ctx, key, probed("4"), ifStill(newest))
}

// puts reports whether what is there is left alone, and what is not there is written.
func (s *Store) puts(ctx context.Context, key string) (bool, error) {
	if done, err := s.honoured(ctx, key, probed("5"), ifAbsent); done || err != nil {
		return false, err
	}
	if err := s.Delete(ctx, key); err != nil {
		return false, err
	}
	done, err := s.honoured(ctx, key, probed("6"), ifAbsent)
	if err == nil && !done {
		_, _, err = s.put(ctx, key, probed("7"), always) // for who looks at it next
	}
	return done, err
}

// honoured reports whether a PUT with a condition was done. One that is refused for having a condition, with whatever error, is
// not: the same without worked a moment ago.
func (s *Store) honoured(ctx context.Context, key string, b storage.Blob, condition func(*api.PutObjectInput)) (done bool, err error) {
	_, _, err = s.put(ctx, key, b, condition)
	if errors.Is(err, errPrecondition) || errors.Is(err, ErrConfig) || errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *Store) listed(ctx context.Context, key string) error {
	for k, err := range s.List(ctx, key) {
		if err != nil || k == key {
			return err
		}
	}
	return fmt.Errorf("what was put is not listed: %w: use a store whose lists are consistent", ErrConfig)
}

// seen is what HEAD says of media that were put a moment ago: how they are encrypted, in which class, and the endpoint's clock, which
// is compared with ours.
func (s *Store) seen(ctx context.Context, key string, a *Abilities) error {
	head, err := s.head(ctx, key)
	if err != nil {
		return err
	}
	a.Encrypts = s.cfg.SSE == "" || string(head.ServerSideEncryption) == s.cfg.SSE && keyIs(aws.ToString(head.SSEKMSKeyId), s.cfg.KMSKey)
	standard := string(types.StorageClassStandard) // S3 does not mention it
	a.Classes = s.cfg.StorageClass == "" || cmp.Or(string(head.StorageClass), standard) == s.cfg.StorageClass
	if date, ok := awsmiddleware.GetServerTime(head.ResultMetadata); ok {
		a.Skew = date.Sub(time.Now().Truncate(time.Second))
	}
	return nil
}

// keyIs reports whether a key is the one that was asked for: answers have its ARN, which ends with its name, and never an alias.
func keyIs(arn, asked string) bool {
	return strings.Contains(asked, "alias/") || strings.HasSuffix(arn, asked)
}
