package s3

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// abilities are what the endpoint honours. Until Probe has looked it is trusted to honour everything.
type abilities struct{ put, swap atomic.Bool }

// New returns the store. It reads the environment and the shared files, but does not talk to the endpoint.
func New(ctx context.Context, cfg Config, log *slog.Logger, metrics *Metrics) (*Store, error) {
	cfg.Prefix = strings.Trim(cfg.Prefix, "/")
	if cfg.Bucket == "" || cfg.Prefix != "" && !validKey(cfg.Prefix) {
		return nil, fmt.Errorf("%w: bucket %.200q, prefix %.200q", ErrConfig, cfg.Bucket, cfg.Prefix)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, log: log, metrics: metrics}
	for i := range s.turns {
		s.turns[i] = make(chan struct{}, 1)
	}
	s.abilities.put.Store(true)
	s.abilities.swap.Store(true)
	region, cache, err := cfg.credentials(ctx)
	if err != nil {
		return nil, err
	}
	s.renew = cache.Invalidate
	o := api.Options{
		Region: region, Credentials: cache, HTTPClient: dial(), UsePathStyle: cfg.PathStyle,
		Retryer:                    aws.NopRetryer{},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
	if cfg.Endpoint != "" {
		o.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	s.api = api.New(o)
	return s, nil
}

// credentials are those given, or the SDK's default chain: environment, profile, web identity, container, instance.
func (c Config) credentials(ctx context.Context) (region string, cache *aws.CredentialsCache, err error) {
	region = c.Region
	if c.AccessKey != "" {
		cache = aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, ""))
	} else {
		loaded, err := sdk.LoadDefaultConfig(ctx, sdk.WithSharedConfigProfile(c.Profile))
		if err != nil {
			return "", nil, fmt.Errorf("%w: credentials: %w", ErrConfig, err)
		}
		if region == "" {
			region = loaded.Region
		}
		cache = aws.NewCredentialsCache(loaded.Credentials)
		if c.Role != "" {
			loaded.Region = region
			cache = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(loaded), c.Role))
		}
	}
	if region == "" {
		if c.Endpoint == "" {
			return "", nil, fmt.Errorf("%w: no region: name it with --s3-region (storage.s3.region) or AWS_REGION", ErrConfig)
		}
		region = "us-east-1" // what compatible stores that have no regions call theirs
	}
	return region, cache, nil
}
