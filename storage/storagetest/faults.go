package storagetest

import (
	"context"
	"iter"
	"time"

	"github.com/moqpack/moqpack/storage"
)

// Op is an operation of a Store or of Documents.
type Op uint8

// The operations that Faulty can disturb.
const (
	Put Op = iota + 1
	Get
	List
	Delete
	Load
	Swap
)

// Fault is what happens to one operation. The zero Fault lets it pass.
type Fault struct {
	Delay  time.Duration // before anything else
	Before error         // returned without calling the store
	After  error         // returned although the store was called: a lost acknowledgement
}

// Faulty is a Store whose operations fail as Plan says, and Documents too if Store is. Plan is called once for each operation
// with its first key, and concurrently if the operations are.
type Faulty struct {
	Store storage.Store
	Plan  func(op Op, key string) Fault
}

var _ storage.Durable = (*Faulty)(nil)

// Once is a Plan by which fault f strikes the first operation op and nothing else. It is not safe for concurrent use.
func Once(op Op, f Fault) func(Op, string) Fault {
	done := false
	return func(o Op, _ string) Fault {
		if o != op || done {
			return Fault{}
		}
		done = true
		return f
	}
}

// Put stores b unless the plan is against it.
func (f *Faulty) Put(ctx context.Context, key string, b storage.Blob) error {
	return f.disturb(ctx, Put, key, func() error { return f.Store.Put(ctx, key, b) })
}

// Get returns the blob unless the plan is against it.
func (f *Faulty) Get(ctx context.Context, key string) (b storage.Blob, err error) {
	err = f.disturb(ctx, Get, key, func() (err error) {
		b, err = f.Store.Get(ctx, key)
		return err
	})
	if err != nil {
		b = storage.Blob{}
	}
	return b, err
}

// List yields the keys; with a fault After, the error comes behind them.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		more := true
		err := f.disturb(ctx, List, prefix, func() error {
			for key, err := range f.Store.List(ctx, prefix) {
				if more = yield(key, err); !more {
					break
				}
			}
			return nil
		})
		if more && err != nil {
			yield("", err)
		}
	}
}

// Delete removes the keys unless the plan is against it.
func (f *Faulty) Delete(ctx context.Context, keys ...string) error {
	first := ""
	if len(keys) > 0 {
		first = keys[0]
	}
	return f.disturb(ctx, Delete, first, func() error { return f.Store.Delete(ctx, keys...) })
}

// Load returns the document unless the plan is against it. It panics if Store has no documents.
func (f *Faulty) Load(ctx context.Context, key string) (b storage.Blob, v storage.Version, err error) {
	err = f.disturb(ctx, Load, key, func() (err error) {
		b, v, err = f.Store.(storage.Documents).Load(ctx, key)
		return err
	})
	if err != nil {
		return storage.Blob{}, "", err
	}
	return b, v, nil
}

// Swap replaces the document unless the plan is against it. It panics if Store has no documents.
func (f *Faulty) Swap(ctx context.Context, key string, b storage.Blob, old storage.Version) (v storage.Version, err error) {
	err = f.disturb(ctx, Swap, key, func() (err error) {
		v, err = f.Store.(storage.Documents).Swap(ctx, key, b, old)
		return err
	})
	if err != nil {
		return "", err
	}
	return v, nil
}

func (f *Faulty) disturb(ctx context.Context, op Op, key string, do func() error) error {
	fault := f.Plan(op, key)
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fault.Before != nil {
		return fault.Before
	}
	if err := do(); err != nil {
		return err
	}
	return fault.After
}
