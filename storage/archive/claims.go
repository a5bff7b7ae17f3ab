package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// errClaim marks a claim that cannot be read. The object must go before instances can agree again.
var errClaim = errors.New("the claim is malformed")

const (
	maxClaim  = 1 << 20 // bytes
	maxSlot   = 1 << 62 // beyond it, sums of slots would overflow
	parallel  = 16      // requests at a time
	claimType = "application/json"
)

func planKey(channel string) string { return manifest.PrivateKey(channel, "plan.json") }

func epochPrefix(channel string) string { return manifest.PrivateKey(channel, "epoch-") }

func epochKey(channel string, index int) string {
	return epochPrefix(channel) + strconv.Itoa(index) + ".json"
}

func changePrefix(channel string) string { return manifest.PrivateKey(channel, "change-") }

func changeKey(channel string, index int) string {
	return changePrefix(channel) + strconv.Itoa(index) + ".json"
}

// numbered is the number in a key that is prefix, a canonical number and ".json".
func numbered(key, prefix string) (n uint64, ok bool) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(key, prefix), ".json")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n < maxSlot && strconv.FormatUint(n, 10) == digits
}

// written is a claim or a hold as it is stored.
func written(v any) (storage.Blob, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return storage.Blob{}, fmt.Errorf("archive: encode: %w", err)
	}
	return storage.Blob{Pieces: [][]byte{body}, ContentType: claimType, CacheControl: "no-store"}, nil
}

func malformed(key, format string, args ...any) error {
	return fmt.Errorf("archive: %w: %s: %s: remove the object", errClaim, key, fmt.Sprintf(format, args...))
}

// decodePlan reads the claim of a plan from the blob under key.
func decodePlan(key string, b storage.Blob) (segmenter.Plan, error) {
	var p segmenter.Plan
	if err := decodeClaim(key, b, &p); err != nil {
		return segmenter.Plan{}, err
	}
	if err := soundPlan(&p); err != nil {
		return segmenter.Plan{}, malformed(key, "%v", err)
	}
	return p, nil
}

// decodeEpoch reads the claim of epoch index from the blob under key.
func decodeEpoch(key string, b storage.Blob, index int) (segmenter.Epoch, error) {
	var e segmenter.Epoch
	var said struct{ Index, First *uint64 }
	if err := errors.Join(decodeClaim(key, b, &said), decodeClaim(key, b, &e)); err != nil {
		return segmenter.Epoch{}, err
	}
	switch {
	case said.Index == nil || said.First == nil:
		return segmenter.Epoch{}, malformed(key, "it does not say which epoch it is, or when that begins")
	case e.Index != index:
		return segmenter.Epoch{}, malformed(key, "it says that it is epoch %d", e.Index)
	case e.First >= maxSlot || e.Shift <= -maxSlot || e.Shift >= maxSlot:
		return segmenter.Epoch{}, malformed(key, "first slot %d or shift %d is out of range", e.First, e.Shift)
	}
	return e, nil
}

// decodeChange reads the claim of change index from the blob under key.
func decodeChange(key string, b storage.Blob, index int) (segmenter.Change, error) {
	var c segmenter.Change
	var said struct{ Index, First *uint64 }
	if err := errors.Join(decodeClaim(key, b, &said), decodeClaim(key, b, &c)); err != nil {
		return segmenter.Change{}, err
	}
	switch {
	case said.Index == nil || said.First == nil:
		return segmenter.Change{}, malformed(key, "it does not say which change it is, or with which slot it comes")
	case c.Index != index:
		return segmenter.Change{}, malformed(key, "it says that it is change %d", c.Index)
	case c.First >= maxSlot:
		return segmenter.Change{}, malformed(key, "slot %d is out of range", c.First)
	}
	return c, nil
}

func decodeClaim(key string, b storage.Blob, v any) error {
	if size := b.Size(); size > maxClaim {
		return malformed(key, "it has %d bytes", size)
	}
	if err := json.Unmarshal(bytes.Join(b.Pieces, nil), v); err != nil {
		return malformed(key, "%v", err)
	}
	return nil
}

// soundPlan reports what no plan of ours ever is.
func soundPlan(p *segmenter.Plan) error {
	if err := p.Grid.Valid(); err != nil {
		return err
	}
	const shortest, longest = time.Second / 10, 10 * time.Minute
	d := time.Duration(p.Grid.Start(1, uint32(time.Second)))
	switch {
	case d < shortest || d > longest:
		return fmt.Errorf("slots of %v", d)
	case p.Group != (timeline.Grid{}) && p.Group.Valid() != nil:
		return p.Group.Valid()
	case p.Parts < 0 || p.Parts > 1<<16:
		return fmt.Errorf("%d parts in a slot", p.Parts)
	case p.TargetDuration < 1 || p.TargetDuration > int(2*longest/time.Second):
		return fmt.Errorf("a target duration of %d s", p.TargetDuration)
	case p.PartTarget < 0 || p.PartTarget > longest:
		return fmt.Errorf("a part target of %v", p.PartTarget)
	case p.Window < 1 || p.Window > maxWindow:
		return fmt.Errorf("a window of %d segments", p.Window)
	}
	return nil
}

// maxWindow is the widest window of any plan, in slots.
const maxWindow = 1 << 20

// each calls do for 0, ..., n-1, some of them at a time, and returns the first error.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range n {
		g.Go(func() error { return do(gctx, i) })
	}
	return g.Wait()
}
