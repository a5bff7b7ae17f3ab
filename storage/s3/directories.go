package s3

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
)

// Directories yields the first elements of keys, ascending, without going through all that is in them.
func (s *Store) Directories(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &api.ListObjectsV2Input{Bucket: &s.cfg.Bucket, Prefix: aws.String(s.base()), Delimiter: aws.String("/")}
		for {
			var out *api.ListObjectsV2Output
			err := s.do(ctx, call{op: "ListObjectsV2"}, func(ctx context.Context) (err error) {
				out, err = s.api.ListObjectsV2(ctx, in)
				return err
			})
			if err != nil {
				yield("", err)
				return
			}
			for _, p := range out.CommonPrefixes {
				dir, ok := strings.CutPrefix(aws.ToString(p.Prefix), s.base())
				if dir = strings.TrimSuffix(dir, "/"); ok && validKey(dir) && !yield(dir, nil) {
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
