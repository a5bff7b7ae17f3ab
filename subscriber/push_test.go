package subscriber

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// ear is a sink whose callers wait until somebody listens, as those of a feed do.
type ear chan string

func (e ear) Object(_ context.Context, o media.Object) error {
	e <- fmt.Sprint(o.Group, ".", o.Object)
	return nil
}

func (e ear) Stream(context.Context, moqt.StreamEvent) { e <- "end" }

func TestAStreamDoesNotEndBeforeWhatWasKeptOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &push{g: &guest{}, sub: &moqt.Subscription{}}
		for id := range uint64(3) {
			if err := p.Object(t.Context(), media.Object{Location: media.Location{Group: 1, Object: id}}); err != nil {
				t.Fatal(err)
			}
		}
		heard := make(ear)
		pull := p.pull(t.Context(), heard)
		synctest.Wait()
		go p.Stream(t.Context(), moqt.StreamEvent{Group: 1, Objects: 3, Last: 2})
		synctest.Wait()
		var got []string
		for range 4 {
			got = append(got, <-heard)
		}
		if want := []string{"1.0", "1.1", "1.2", "end"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		pull.Close()
	})
}

func TestAPullEndsWhileNobodyTakesWhatWasKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &push{g: &guest{}, sub: &moqt.Subscription{}}
		object := func(id uint64) { _ = p.Object(t.Context(), media.Object{Location: media.Location{Object: id}}) }
		object(0)
		pull := p.pull(t.Context(), deaf{})
		go object(1)
		synctest.Wait()
		pull.Close()
	})
}

// deaf is a sink that takes nothing.
type deaf struct{}

func (deaf) Object(ctx context.Context, _ media.Object) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (deaf) Stream(ctx context.Context, _ moqt.StreamEvent) { <-ctx.Done() }
