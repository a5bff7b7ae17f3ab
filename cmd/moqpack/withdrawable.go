package main

import (
	"context"
	"errors"
	"sync"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/subscriber"
)

// withdrawable is a source whose broadcast has ended, whatever it says itself, when over is closed.
type withdrawable struct {
	channel.Source
	over <-chan struct{}
}

var errWithdrawn = errors.New("no longer announced")

// Run implements channel.Source.
func (w *withdrawable) Run(ctx context.Context, recv subscriber.Receiver) error {
	sctx, cancel := context.WithCancelCause(ctx)
	var g sync.WaitGroup
	g.Go(func() {
		select {
		case <-w.over:
			cancel(errWithdrawn)
		case <-sctx.Done():
		}
	})
	err := w.Source.Run(sctx, recv)
	cancel(nil)
	g.Wait()
	if ctx.Err() == nil && errors.Is(err, errWithdrawn) {
		recv.State(ctx, subscriber.State{Phase: subscriber.Ended})
		return nil
	}
	return err
}

var _ channel.Source = (*withdrawable)(nil)
