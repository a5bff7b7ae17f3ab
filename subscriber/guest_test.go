package subscriber

import (
	"context"
	"testing"

	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// wire is a connection that nobody uses.
type wire struct{ transport.Conn }

func (wire) WebTransport() bool { return false }

func TestTheEndOfAnAnnouncementMayBeToldAfterTheNext(t *testing.T) {
	r := NewReception(ReceptionConfig{Permits: []Permit{{Below: true}}})
	g := &guest{
		r: r, conn: wire{}, session: &peer{}, stays: map[string]*stay{}, accepted: func() {},
		peer: func(context.Context) (string, []moqt.Token, error) { return "", nil, nil },
	}
	namespace := []string{"live"}
	there := func() bool { s, _ := r.first(namespace); return s != nil }
	for range 2 { // two streams, each with its own goroutine
		if err := g.announced(namespace, nil); err != nil {
			t.Fatal(err)
		}
	}
	if g.withdrawn(namespace); !there() {
		t.Error("it is announced, and gone")
	}
	if g.withdrawn(namespace); there() {
		t.Error("it is there without an announcement")
	}
	g.withdrawn(namespace)
}
