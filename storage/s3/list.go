package s3

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// list is the only operation whose key may be anything: it is the beginning of others.
const list = "ListObjectsV2"

// List yields the keys page by page.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &api.ListObjectsV2Input{Prefix: aws.String(s.base() + prefix)}
		for out, err := range s.pages(ctx, call{op: list, key: prefix}, in) {
			if err != nil {
				yield("", err)
				return
			}
			for _, o := range out.Contents {
				if key, ok := s.ours(out, o.Key); ok && !yield(key, nil) {
					return
				}
			}
		}
	}
}

// Directories yields the first elements of keys, ascending, without going through all that is in them.
func (s *Store) Directories(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &api.ListObjectsV2Input{Prefix: aws.String(s.base()), Delimiter: aws.String("/")}
		for out, err := range s.pages(ctx, call{op: list}, in) {
			if err != nil {
				yield("", err)
				return
			}
			for _, p := range out.CommonPrefixes {
				dir := aws.String(strings.TrimSuffix(aws.ToString(p.Prefix), "/"))
				if key, ok := s.ours(out, dir); ok && !yield(key, nil) {
					return
				}
			}
		}
	}
}

// pages yields the pages of a list, or an error as the last one. Names in them are escaped, for XML cannot say each.
func (s *Store) pages(ctx context.Context, c call, in *api.ListObjectsV2Input) iter.Seq2[*api.ListObjectsV2Output, error] {
	return func(yield func(*api.ListObjectsV2Output, error) bool) {
		in.Bucket, in.EncodingType = &s.cfg.Bucket, types.EncodingTypeUrl
		for {
			var out *api.ListObjectsV2Output
			err := s.do(ctx, c, func(ctx context.Context, _ func(int64)) (err error) {
				out, err = s.api.ListObjectsV2(ctx, in)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(out, nil) || !aws.ToBool(out.IsTruncated) {
				return
			}
			next := aws.ToString(out.NextContinuationToken)
			if next == "" || next == aws.ToString(in.ContinuationToken) {
				yield(nil, fmt.Errorf("list %s in %s: %w: the store says that there is more, and not where: use another one", c.key, s.cfg, ErrConfig))
				return
			}
			in.ContinuationToken = &next
		}
	}
}

// ours is a listed name as a key. What is none is somebody else's.
func (s *Store) ours(out *api.ListObjectsV2Output, name *string) (key string, ok bool) {
	key = aws.ToString(name)
	if out.EncodingType == types.EncodingTypeUrl {
		var err error
		if key, err = url.QueryUnescape(key); err != nil {
			return "", false
		}
	}
	key, ok = strings.CutPrefix(key, s.base())
	return key, ok && validKey(key)
}

// batch is how many keys S3 deletes at once.
const batch = 1000

// Delete removes the keys, a thousand with one request.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := check("delete", key); err != nil {
			return err
		}
	}
	for len(keys) > 0 {
		some := keys[:min(batch, len(keys))]
		keys = keys[len(some):]
		if err := s.delete(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) delete(ctx context.Context, keys []string) error {
	del := &types.Delete{Quiet: aws.Bool(true)}
	for _, key := range keys {
		del.Objects = append(del.Objects, types.ObjectIdentifier{Key: s.path(key)})
	}
	return s.do(ctx, call{op: "DeleteObjects", key: keys[0]}, func(ctx context.Context, _ func(int64)) error {
		in := &api.DeleteObjectsInput{Bucket: &s.cfg.Bucket, Delete: del}
		out, err := s.api.DeleteObjects(ctx, in, withMD5)
		if err != nil {
			return err
		}
		// One that is worth another attempt stands for all: what is gone already is no error then.
		var first error
		for _, e := range out.Errors {
			code := cmp.Or(aws.ToString(e.Code), "InternalError")
			if code == "NoSuchKey" {
				continue
			}
			err := &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)}
			if class, _ := classify(err); class == temporary {
				return err
			}
			first = cmp.Or(first, error(err))
		}
		return first
	})
}

// withMD5 adds Content-MD5, which S3 asked for before there were other checksums, and older stores ask for still.
func withMD5(o *api.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddContentChecksumMiddleware)
}
