package s3

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
)

// abilities are what the endpoint honours. Until Probe has looked it is trusted to honour everything.
type abilities struct{ put, swap atomic.Bool }

// New returns the store. It reads the environment and the shared files, but does not talk to the endpoint.
func New(ctx context.Context, cfg Config, log *slog.Logger, metrics *Metrics) (*Store, error) {
	cfg.Prefix, cfg.Endpoint = strings.Trim(cfg.Prefix, "/"), strings.TrimRight(cfg.Endpoint, "/")
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	loaded, err := cfg.load(ctx)
	if err != nil {
		return nil, err
	}
	if loaded.Region == "" {
		if cfg.Endpoint == "" {
			return nil, fmt.Errorf("%w: no region: name it with --s3-region (storage.s3.region) or AWS_REGION", ErrConfig)
		}
		loaded.Region = "us-east-1" // what compatible stores that have no regions call theirs
	}
	cfg.Region = loaded.Region
	s := &Store{log: log, metrics: metrics, limits: defaults()}
	s.keys.cache = aws.NewCredentialsCache(aws.CredentialsProviderFunc(cfg.retrieve))
	for i := range s.turns {
		s.turns[i] = make(chan struct{}, 1)
	}
	s.abilities.put.Store(true)
	s.abilities.swap.Store(true)
	s.api = api.NewFromConfig(loaded, func(o *api.Options) {
		o.Credentials, o.UsePathStyle, o.Retryer, o.HTTPSignerV4 = s.keys.cache, cfg.PathStyle, aws.NopRetryer{}, signer{}
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		if cfg.Endpoint != "" {
			o.BaseEndpoint = &cfg.Endpoint
		}
	})
	s.cfg = cfg
	s.cfg.AccessKey, s.cfg.SecretKey = "", "" // the store itself does not know them, and cannot tell
	return s, nil
}

// dial is the HTTP client of a store; AWS_CA_BUNDLE is added by who loads it. An attempt that is given up closes its connection, so
// that the next one is not sent where nobody answers: HTTP/2 would keep it.
func dial() *awshttp.BuildableClient {
	l := defaults()
	return awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = l.answer }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost, t.IdleConnTimeout = 32, 30*time.Second
			t.ForceAttemptHTTP2, t.Protocols = false, new(http.Protocols)
			t.Protocols.SetHTTP1(true)
		})
}
