package subscriber

import (
	"context"
	"slices"

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

func protocols() (all []string) {
	for _, e := range engines() {
		all = append(all, e.protocols...)
	}
	return all
}

func beginMoqt(f *follower, conn transport.Conn, at relay) (session, error) {
	s, err := moqt.New(conn, moqt.Config{Authority: at.addr, Path: at.path, Logger: f.log, Metrics: f.cfg.Metrics.session()})
	if err != nil {
		return nil, err
	}
	return moqtSession{s}, nil
}

func beginLite(f *follower, conn transport.Conn, at relay) (session, error) {
	s, err := lite.New(conn, lite.Config{Path: at.path, Logger: f.log, Metrics: f.cfg.Metrics.session()})
	if err != nil {
		return nil, err
	}
	return liteSession{s}, nil
}

// dial connects to a relay and begins a session in the protocol that it chooses.
func (f *follower) dial(ctx context.Context, at relay) (session, error) {
	if f.replay != nil {
		return f.replay.session()
	}
	offer := at.drafts
	if offer == nil {
		offer = protocols()
	}
	conn, err := transport.Dialer{Protocols: offer, TLS: f.tls, Packet: f.cfg.Packet}.QUIC(ctx, at.addr)
	if err != nil {
		return nil, err
	}
	for _, e := range engines() {
		if slices.Contains(append(e.protocols, e.experimental...), conn.Protocol()) {
			return e.begin(f, conn, at)
		}
	}
	conn.Close(dialect.NoError, "no common protocol")
	return nil, transport.ErrNoProtocol
}
