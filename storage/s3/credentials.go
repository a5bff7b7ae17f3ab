package s3

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// keys are the credentials of a store, as long as they are good.
type keys struct {
	cache *aws.CredentialsCache

	mu   sync.Mutex      // guards what follows
	dead aws.Credentials // refused,
	at   time.Time       // and dropped then
}

// get returns the credentials, from where they come if there are none or they have expired. An error is a *credentialsError.
func (k *keys) get(ctx context.Context, patience time.Duration) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := k.cache.Retrieve(ctx)
	if err != nil {
		return c, &credentialsError{err}
	}
	return c, nil
}

// renew drops the credentials that the endpoint has refused. Of those who were refused at the same time only the first does it.
func (k *keys) renew(refused aws.Credentials) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead.AccessKeyID == refused.AccessKeyID && k.dead.SecretAccessKey == refused.SecretAccessKey &&
		k.dead.SessionToken == refused.SessionToken && time.Since(k.at) < time.Second {
		return
	}
	k.dead, k.at = refused, time.Now()
	k.cache.Invalidate()
}

// credentialsError says why there are no credentials.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return fmt.Sprintf("credentials: %v", e.err) }

func (e *credentialsError) Unwrap() error { return e.err }

// signer signs with a key that it derives each time. The SDK's keeps keys by access key and day, whatever the secret has become.
type signer struct{}

// SignHTTP implements api.HTTPSignerV4.
func (signer) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payload, service, region string, at time.Time,
	options ...func(*v4.SignerOptions),
) error {
	return v4.NewSigner().SignHTTP(ctx, c, r, payload, service, region, at, options...)
}

// load reads the environment and the shared files. It talks to nobody.
func (c Config) load(ctx context.Context) (aws.Config, error) {
	loaded, err := sdk.LoadDefaultConfig(ctx, sdk.WithSharedConfigProfile(c.Profile), sdk.WithHTTPClient(dial()), sdk.WithRegion(c.Region),
		sdk.WithLogger(logging.Nop{})) // or it writes to the standard error itself; what matters is in the errors
	if err != nil {
		return loaded, fmt.Errorf("%w: the environment, or the shared files, of AWS: %w", ErrConfig, err)
	}
	return loaded, nil
}

// retrieve returns the credentials that are given, or those of the SDK's default chain: environment, profile, web identity,
// container, instance. It looks for them anew each time, for files may have been written again.
func (c Config) retrieve(ctx context.Context) (aws.Credentials, error) {
	if c.AccessKey != "" {
		return credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, "").Retrieve(ctx)
	}
	loaded, err := c.load(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	if c.Role == "" {
		return loaded.Credentials.Retrieve(ctx)
	}
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(loaded), c.Role).Retrieve(ctx)
}
