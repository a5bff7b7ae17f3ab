package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

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
	// Skew is by how much the endpoint's clock is ahead of ours, to the second.
	Skew time.Duration
}

// Missing says what cannot be guaranteed, for people; empty when everything can.
func (a Abilities) Missing() (lines []string) {
	if !a.Put {
		lines = append(lines, "the store ignores If-None-Match: two instances that write at the same moment may overwrite each other's media")
	}
	if !a.Swap {
		lines = append(lines, "the store ignores If-Match: of two instances the slower one may take playlists back: let one instance write")
	}
	if !a.Headers {
		lines = append(lines, "the store forgets Cache-Control or metadata: set the cache lifetimes in the CDN")
	}
	return lines
}

// Probe tries what the store needs on an object of its own, whose name has id in it so that instances do not meet, and deletes it.
// From then on the store relies on what the endpoint honours only.
func (s *Store) Probe(ctx context.Context, id string) (a Abilities, err error) {
	key := ".moqpack-probe-" + id
	if err := s.Delete(ctx, key); err != nil {
		return a, fmt.Errorf("s3: probe: %w", err)
	}
	defer func() { err = errors.Join(err, s.Delete(context.WithoutCancel(ctx), key)) }()
	if a, err = s.probe(ctx, key); err != nil {
		return a, fmt.Errorf("s3: probe: %w", err)
	}
	s.abilities.put.Store(a.Put)
	s.abilities.swap.Store(a.Swap)
	for _, line := range a.Missing() {
		s.log.Warn("S3 endpoint is limited", "store", s.cfg.String(), "what", line)
	}
	return a, nil
}

func (s *Store) probe(ctx context.Context, key string) (a Abilities, err error) {
	content := func(text string) storage.Blob {
		b := storage.Blob{Pieces: [][]byte{[]byte(text)}, ContentType: "application/dash+xml", CacheControl: "no-store"}
		b.Digest = storage.Digest(b.Pieces)
		return b
	}
	always := func(*api.PutObjectInput) {}
	if _, err := s.put(ctx, key, content("1"), always); err != nil {
		return a, err
	}
	first, v, err := s.Load(ctx, key)
	if err != nil {
		return a, err
	}
	a.Headers = first.ContentType == "application/dash+xml" && first.CacheControl == "no-store" && first.Digest == content("1").Digest
	ifAbsent := func(in *api.PutObjectInput) { in.IfNoneMatch = ptr("*") }
	if a.Put, err = refused(s.put(ctx, key, content("2"), ifAbsent)); err != nil {
		return a, err
	}
	// What was the newest version a moment ago is not any more.
	if _, err := s.put(ctx, key, content("3"), always); err != nil {
		return a, err
	}
	stale := func(in *api.PutObjectInput) { in.IfMatch = ptr(string(v)) }
	if a.Swap, err = refused(s.put(ctx, key, content("4"), stale)); err != nil {
		return a, err
	}
	if a.Swap {
		_, v, err := s.Load(ctx, key)
		if err != nil {
			return a, err
		}
		if _, err := s.put(ctx, key, content("5"), func(in *api.PutObjectInput) { in.IfMatch = ptr(string(v)) }); err != nil {
			if !errors.Is(err, errPrecondition) {
				return a, err
			}
			a.Swap = false // it refuses everything
		}
	}
	found := false
	for k, err := range s.List(ctx, key) {
		if err != nil {
			return a, err
		}
		found = found || k == key
	}
	if !found {
		return a, fmt.Errorf("what was put is not listed: %w: use a store whose lists are consistent", ErrConfig)
	}
	a.Skew, err = s.skew(ctx, key)
	return a, err
}

// refused reports whether a PUT was refused for its condition, and an error that is something else.
func refused(_ storage.Version, err error) (bool, error) {
	if errors.Is(err, errPrecondition) {
		return true, nil
	}
	return false, err
}

// skew compares the endpoint's clock with ours.
func (s *Store) skew(ctx context.Context, key string) (d time.Duration, err error) {
	err = s.do(ctx, call{op: "HeadObject", key: key}, func(ctx context.Context) error {
		out, err := s.api.HeadObject(ctx, &api.HeadObjectInput{Bucket: &s.cfg.Bucket, Key: s.path(key)})
		if err != nil {
			return err
		}
		d = dateOf(out.ResultMetadata)
		return nil
	})
	return d, err
}

// dateOf is the Date of an answer minus ours, to the second.
func dateOf(m middleware.Metadata) time.Duration {
	date, ok := awsmiddleware.GetServerTime(m)
	if !ok {
		return 0
	}
	return date.Sub(time.Now().Truncate(time.Second))
}

func ptr(s string) *string { return &s }
