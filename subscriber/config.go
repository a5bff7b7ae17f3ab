package subscriber

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/moqpack/moqpack/subscriber/catalog"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/tape"
)

// Config says which broadcast to follow, and how. Begin with DefaultConfig.
type Config struct {
	// Relays are where to connect to: moqt://host[:port]/path?query, which tries QUIC before WebTransport, or https://, which
	// tries them the other way round. The port is 443 unless it says otherwise. "draft=18" and "transport=quic" (or wt) in
	// the query fix these and are not sent. Those behind the first one are for when the ones before do not serve.
	Relays []string
	// Reception, if not nil, is where the broadcast's publishers connect to us. Then there are no Relays.
	Reception *Reception

	Token     string   // authorizes us; it is sent with every session and request, to all relays and where they lead
	Namespace []string // tuple of the broadcast; see ParseNamespace
	Channel   string   // what logs and metrics call the broadcast

	// Catalog is the format of the broadcast's catalog; empty: whichever there is.
	Catalog catalog.Format
	// Variables replace %name% in the catalog (draft-ietf-moq-msf, "Variable Substitution").
	Variables map[string]string

	TLS TLS

	// Backfill is how many groups to fetch before the one that is being sent, so that a start has complete segments.
	Backfill uint64
	// Repair is the longest interruption whose objects are fetched afterwards.
	Repair time.Duration
	// Patience is how long to wait for objects that are missing.
	Patience time.Duration
	// Stall is how long all tracks may be silent before the session is taken for dead.
	Stall time.Duration
	// Bytes bounds what each track holds back while objects are missing.
	Bytes int

	// Record is where everything is written down that sessions bring; nil: nowhere. See package tape.
	Record *tape.Writer
	// Replay is a recording to play instead of connecting to Relay. The broadcast ends with it.
	Replay string

	// Packet opens the socket of a session; the Source closes it. Nil: any UDP socket.
	Packet  func() (net.PacketConn, error)
	Logger  *slog.Logger // nil: discarded
	Metrics *Metrics     // nil: not counted
}

// DefaultConfig suits live broadcasts with groups of a few seconds.
func DefaultConfig() Config {
	return Config{
		Backfill: 2,
		Repair:   time.Minute,
		Patience: 2 * time.Second,
		Stall:    5 * time.Second,
		Bytes:    32 << 20,
	}
}

// linger is how long to wait for objects that most likely do not exist.
const linger = 100 * time.Millisecond

// Validate reports every fault at once, each with the path of its field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s must be %s", field, want))
		}
	}
	check(len(c.Relays) > 0 || c.Replay != "" || c.Reception != nil, "relay", "given")
	for _, s := range c.Relays {
		if _, err := parseRelay(s); err != nil {
			errs = append(errs, fmt.Errorf("relay: %w", err))
		}
	}
	if len(c.Token) > maxToken {
		errs = append(errs, fmt.Errorf("token: it has %d bytes, and %d are allowed", len(c.Token), maxToken))
	}
	if err := validNamespace(c.Namespace); err != nil {
		errs = append(errs, fmt.Errorf("namespace: %w", err))
	}
	errs = append(errs, validVariables(c.Variables), c.TLS.validate())
	if c.Catalog != "" && !slices.Contains(formats(), c.Catalog) {
		errs = append(errs, fmt.Errorf("catalog: %.64q is not auto, msf, hang, warp or moq-mi", c.Catalog))
	}
	check(c.Backfill <= 1000, "backfill", "at most 1000 groups")
	check(c.Repair >= 0 && c.Repair <= time.Hour, "repair", "between 0s and 1h")
	check(c.Patience >= linger && c.Patience <= time.Minute, "patience", "between 100ms and 1m")
	check(c.Stall >= time.Second && c.Stall <= time.Hour, "stall", "between 1s and 1h")
	check(c.Bytes >= 1<<20, "bytes", "at least 1 MiB")
	return errors.Join(errs...)
}

func formats() []catalog.Format {
	return []catalog.Format{catalog.MSF, catalog.Hang, catalog.WARP, catalog.MoqMI}
}

// validVariables applies draft-ietf-moq-msf, "Variable Syntax", which keeps a value from being more than a part of one.
func validVariables(v map[string]string) error {
	plain := func(s, also string) bool {
		return len(s) <= 1024 && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"+also) == ""
	}
	for name, value := range v {
		if name == "" || !plain(name, "") || !plain(value, "@") {
			return fmt.Errorf("variables: %q: letters, digits, - and _ are allowed, in a value also @, and 1024 of them", name)
		}
	}
	return nil
}

// maxToken leaves room for all else in a message.
const maxToken = 4096

// tokens are Token as type 0, whose meaning is agreed upon elsewhere (moq-transport, "Authorization Token Structure").
func (c Config) tokens() []moqt.Token {
	if c.Token == "" {
		return nil
	}
	return []moqt.Token{{Value: []byte(c.Token)}}
}

func (c Config) limits() limits {
	return limits{bytes: c.Bytes, patience: c.Patience, linger: linger}
}
