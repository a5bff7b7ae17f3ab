package lite

import (
	"context"
	"errors"
	"strings"

	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Namespaces tells f which broadcasts there are under prefix, and every change, until ctx ends or the peer has no more to say;
// then none of them may be taken to exist any longer. A broadcast that is active again without having been anything else has
// begun anew.
//
// The error is ctx's, a *moqt.RequestError if the peer refused, a *moqt.SessionError if the session ended, or nil.
func (s *Session) Namespaces(ctx context.Context, prefix []string, f func(ns []string, active bool)) error {
	under := ""
	if len(prefix) > 0 {
		under = strings.Join(prefix, "/") + "/" // paths are compared as bytes: without it, "a/b" has "a/bc" under it
	}
	err := s.ask(ctx, &dialect.AnnounceRequest{Prefix: under}, func(r *wire.Reader) error {
		if s.d.AnnounceOK {
			if _, err := s.d.ReadAnnounceOK(r); err != nil {
				return err
			}
		}
		for {
			m, err := s.d.ReadAnnounce(r)
			if m == nil {
				return err
			}
			path := strings.Trim(under+strings.TrimPrefix(m.Suffix, "/"), "/")
			f(strings.Split(path, "/"), m.Status != dialect.Ended)
		}
	})
	if reset, ok := errors.AsType[*transport.ResetError](err); ok && ctx.Err() == nil {
		return refused("announce", reset)
	}
	return s.ended(ctx, err)
}
