package subscriber

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moqpack/moqpack/subscriber/lite"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// engine is a family of protocols: what its members are called when a connection is made, the most trusted one first, those that
// are used only if they were asked for, and how a session begins on a connection that has agreed on one of them.
type engine struct {
	protocols    []string
	experimental []string
	begin        func(f *follower, conn transport.Conn, at relay) (session, error)
}

// engines are all that moqpack speaks, in the order in which they are offered.
func engines() []engine {
	return []engine{
		{moqt.Protocols(), moqt.Experimental(), beginMoqt},
		{lite.Protocols(), nil, beginLite},
	}
}

// protocols are what is offered if nobody said what to speak. The oldest comes last: its name is that of all drafts before it, too.
func protocols() (all []string) {
	for _, e := range engines() {
		all = append(all, e.protocols...)
	}
	oldest := dialect.Draft14().ALPN
	return append(slices.DeleteFunc(all, func(p string) bool { return p == oldest }), oldest)
}

// acceptable is what publishers that connect to us may choose from. Over QUIC the first one that they offer is taken, so that who speaks
// something better is not met in an experimental draft.
func acceptable() (all []string) {
	all = protocols()
	for _, e := range engines() {
		all = append(all, e.experimental...)
	}
	return all
}

func beginMoqt(f *follower, conn transport.Conn, at relay) (session, error) {
	s, err := moqt.New(conn, moqt.Config{
		Authority: at.addr, Path: at.path, Tokens: f.cfg.tokens(), Logger: f.log, Metrics: f.cfg.Metrics.session(),
	})
	if err != nil {
		return nil, err
	}
	return moqtSession{s, f.cfg.tokens()}, nil
}

func beginLite(f *follower, conn transport.Conn, at relay) (session, error) {
	s, err := lite.New(conn, lite.Config{Path: at.path, Logger: f.log, Metrics: f.cfg.Metrics.session()})
	if err != nil {
		return nil, err
	}
	return liteSession{s}, nil
}

// dial connects to a relay and begins a session in the protocol that it chooses.
func (f *follower) dial(ctx context.Context, at relay) (*line, error) {
	if f.replay != nil {
		s, err := f.replay.session()
		return newLine(s, at), err
	}
	if f.cfg.Reception != nil {
		return f.visit(ctx)
	}
	offer := at.drafts
	if offer == nil {
		offer = protocols()
	}
	conn, err := f.connect(ctx, at, offer)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", at.addr, err)
	}
	how := "quic"
	if conn.WebTransport() {
		how = "webtransport"
	}
	for _, e := range engines() {
		if slices.Contains(append(e.protocols, e.experimental...), conn.Protocol()) {
			f.log.Info("connected", "relay", at.addr, "transport", how, "draft", conn.Protocol())
			s, err := e.begin(f, conn, at)
			l := newLine(s, at)
			l.how = how
			return l, err
		}
	}
	conn.Close(dialect.NoError, "no common protocol")
	return nil, fmt.Errorf("connect to %s: %w", at.addr, transport.ErrNoProtocol)
}

// way is one of the two to connect to a relay.
type way struct {
	name string // as in a relay's URL
	dial func(ctx context.Context) (transport.Conn, error)
}

// connect tries QUIC itself and WebTransport, that first which the URL's scheme suggests. Who does not answer over one does
// not answer over the other.
func (f *follower) connect(ctx context.Context, at relay, offer []string) (transport.Conn, error) {
	d := transport.Dialer{Protocols: offer, TLS: f.tls, Packet: f.cfg.Packet}
	ways := []way{
		{"quic", func(ctx context.Context) (transport.Conn, error) { return d.QUIC(ctx, at.addr) }},
		{"wt", func(ctx context.Context) (transport.Conn, error) { return f.webTransport(ctx, at, d) }},
	}
	if at.scheme == "https" {
		slices.Reverse(ways)
	}
	var errs []error
	for _, w := range ways {
		if at.only != "" && at.only != w.name {
			continue
		}
		dctx, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err := w.dial(dctx)
		cancel()
		if err == nil {
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", w.name, err))
		if ctx.Err() != nil || errors.Is(err, transport.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	return nil, advise(errors.Join(errs...), at, offer)
}

// advise says what to do about a relay that chose none of the protocols.
func advise(err error, at relay, offer []string) error {
	switch {
	case !errors.Is(err, transport.ErrNoProtocol):
		return err
	case at.drafts != nil:
		return fmt.Errorf("this relay does not speak %s: leave out ?draft= to offer all others too: %w", strings.Join(offer, ", "), err)
	}
	return fmt.Errorf("this relay speaks none of %s, or does not choose from so many: try one, such as ?draft=16: %w", strings.Join(offer, ", "), err)
}

// webTransport connects over WebTransport. A server that does not say what it has chosen is offered one protocol at a time,
// the next one whenever a session came to nothing.
func (f *follower) webTransport(ctx context.Context, at relay, d transport.Dialer) (transport.Conn, error) {
	if n, ok := f.mumblers[at.addr]; ok {
		d.Protocols = d.Protocols[n%len(d.Protocols):][:1]
	}
	conn, err := d.WebTransport(ctx, at.addr, at.path)
	if err != nil || conn.Protocol() != "" {
		return conn, err
	}
	conn.Close(dialect.NoError, "no protocol was chosen")
	f.mumblers[at.addr] = 0
	return f.webTransport(ctx, at, d)
}

// guessAgain has the next session with at, if it does not say what it speaks, be in another protocol.
func (f *follower) guessAgain(at relay) {
	if n, ok := f.mumblers[at.addr]; ok {
		f.mumblers[at.addr] = n + 1
	}
}
