package segmenter_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// ledger is a store's claims in memory.
type ledger struct {
	plan   *segmenter.Plan
	claims []segmenter.Epoch // ascending Index
	// fail is asked before and after a claim is recorded.
	fail      func(recorded bool) error
	published func(track string, from, to uint64) []timeline.Segment
}

func (l *ledger) fails(recorded bool) error {
	if l.fail == nil {
		return nil
	}
	return l.fail(recorded)
}

func (l *ledger) Plan(_ context.Context, p segmenter.Plan) (segmenter.Plan, error) {
	if err := l.fails(false); err != nil {
		return segmenter.Plan{}, err
	}
	if l.plan == nil {
		l.plan = &p
	}
	return *l.plan, l.fails(true)
}

func (l *ledger) Begin(_ context.Context, e segmenter.Epoch) (segmenter.Epoch, error) {
	if err := l.fails(false); err != nil {
		return segmenter.Epoch{}, err
	}
	for _, c := range l.claims {
		if c.Index == e.Index {
			return c, l.fails(true)
		}
	}
	l.claims = append(l.claims, e)
	return e, l.fails(true)
}

func (l *ledger) Published(_ context.Context, track string, from, to uint64) []timeline.Segment {
	if l.published == nil {
		return nil
	}
	return l.published(track, from, to)
}

// wide is the header of a source with another picture.
func wide(t testing.TB, s source) []byte {
	t.Helper()
	b := bytes.Clone(s.init(t))
	binary.BigEndian.PutUint16(b[bytes.Index(b, []byte("avc1"))+4+24:], 256)
	return b
}
