package sim_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// peer is a subscriber that sees everything on the wire and forgives nothing.
type peer struct {
	t       *testing.T
	conn    *quic.Conn
	d       *dialect.Dialect
	control *quic.Stream // up to 16
	replies *wire.Reader // of control
	id      uint64       // of the next request
}

// dial connects to the publisher at addr.
func dial(t *testing.T, p *sim.Publisher, draft string, from net.PacketConn, addr net.Addr) *peer {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	tr := &quic.Transport{Conn: from}
	conn, err := tr.Dial(t.Context(), addr, &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{draft}},
		&quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, ""); _ = tr.Close() })
	c := &peer{t: t, conn: conn, d: dialect.ByALPN(conn.ConnectionState().TLS.NegotiatedProtocol)}
	if c.d == nil {
		t.Fatalf("negotiated %q", conn.ConnectionState().TLS.NegotiatedProtocol)
	}
	c.setup()
	return c
}

func (c *peer) setup() {
	c.t.Helper()
	if c.d.Control == dialect.PerRequest {
		st, err := c.conn.OpenUniStream()
		c.must(err)
		_, err = st.Write(c.d.Append(nil, &dialect.Setup{Path: "/"}))
		c.must(err)
		in, err := c.conn.AcceptUniStream(c.t.Context())
		c.must(err)
		c.wantSetup(wire.NewReader(in, c.d.Varint, "control"))
		return
	}
	var err error
	c.control, err = c.conn.OpenStream()
	c.must(err)
	_, err = c.control.Write(c.d.Append(nil, &dialect.Setup{Path: "/", MaxRequestID: 100}))
	c.must(err)
	c.replies = wire.NewReader(c.control, c.d.Varint, "control")
	c.wantSetup(c.replies)
}

func (c *peer) wantSetup(r *wire.Reader) {
	c.t.Helper()
	m, err := c.d.Read(r)
	if s, ok := m.(*dialect.Setup); err != nil || !ok || s.Implementation == "" {
		c.t.Fatalf("SETUP is %#v, %v", m, err)
	}
}

func (c *peer) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// exchange is a request that was sent.
type exchange struct {
	id     uint64
	next   func() dialect.Message  // the next message about it
	write  func(m dialect.Message) // writes another; 17 and later
	cancel func()
}

// join asks for the groups that lead up to a subscription, and fails unless that is accepted.
func (c *peer) join(sub exchange, ok *dialect.SubscribeOK, groups uint64) {
	c.t.Helper()
	if c.d.Join == dialect.Fill {
		id, to := c.id, *ok.Params.Largest
		c.id += 2
		fill := &dialect.Filter{Type: dialect.ObjectRange, Start: media.Location{Group: to.Group - groups}, EndGroup: to.Group, EndObject: to.Object}
		sub.write(&dialect.RequestUpdate{RequestID: id, Params: dialect.Params{Fill: &dialect.Params{Filter: fill}}})
		if m, is := sub.next().(*dialect.RequestOK); !is {
			c.t.Fatalf("REQUEST_UPDATE: %#v", m)
		}
		return
	}
	fetch := c.send(func(id uint64) dialect.Message {
		return &dialect.Fetch{RequestID: id, Type: dialect.RelativeJoining, Joining: sub.id, JoiningStart: groups}
	})
	if m, is := fetch.next().(*dialect.FetchOK); !is || m.End.Group != ok.Params.Largest.Group {
		c.t.Fatalf("FETCH: %#v", m)
	}
}

// send sends a request; it makes m for the request's id.
func (c *peer) send(m func(id uint64) dialect.Message) exchange {
	c.t.Helper()
	id := c.id
	c.id += 2
	b := c.d.Append(nil, m(id))
	if c.control != nil {
		_, err := c.control.Write(b)
		c.must(err)
		return exchange{id, func() dialect.Message { return c.read(c.replies) }, nil, func() {
			_, err := c.control.Write(c.d.Append(nil, &dialect.Unsubscribe{ReplyTo: dialect.ReplyTo{RequestID: id}}))
			c.must(err)
		}}
	}
	st, err := c.conn.OpenStream()
	c.must(err)
	_, err = st.Write(b)
	c.must(err)
	r := wire.NewReader(st, c.d.Varint, "request")
	write := func(m dialect.Message) {
		_, err := st.Write(c.d.Append(nil, m))
		c.must(err)
	}
	return exchange{id, func() dialect.Message { return c.read(r) }, write, func() { st.CancelRead(dialect.ResetCancelled) }}
}

func (c *peer) read(r *wire.Reader) dialect.Message {
	c.t.Helper()
	m, err := c.d.Read(r)
	c.must(err)
	return m
}

// subscribe subscribes to a track of the demo.
func (c *peer) subscribe(track string, p dialect.Params) (exchange, *dialect.SubscribeOK) {
	c.t.Helper()
	if p.Filter == nil {
		p.Filter = c.d.LiveFilter
	}
	x := c.send(func(id uint64) dialect.Message {
		return &dialect.Subscribe{RequestID: id, Track: demoTrack(track), Params: p}
	})
	m := x.next()
	ok, is := m.(*dialect.SubscribeOK)
	if !is {
		c.t.Fatalf("SUBSCRIBE %s: %#v", track, m)
	}
	return x, ok
}

func demoTrack(name string) dialect.TrackName {
	return dialect.TrackName{Namespace: []string{"demo"}, Name: name}
}

// stream is an incoming data stream, read to its end.
type stream struct {
	kind    dialect.StreamKind
	header  dialect.SubgroupHeader
	request uint64 // of a fetch
	objects []media.Object
	gaps    []dialect.FetchObject
	err     error // nil: FIN
}

// next reads the data stream that must come now, to its end.
func (c *peer) next() stream {
	c.t.Helper()
	st, err := c.conn.AcceptUniStream(c.t.Context())
	c.must(err)
	return c.drain(st)
}

// collect reads all data streams for a while.
func (c *peer) collect(d time.Duration) []stream {
	deadline := time.Now().Add(d)
	ctx, cancel := context.WithDeadline(c.t.Context(), deadline)
	defer cancel()
	var mu sync.Mutex
	var all []stream
	var wg sync.WaitGroup
	for {
		st, err := c.conn.AcceptUniStream(ctx)
		if err != nil {
			break
		}
		_ = st.SetReadDeadline(deadline)
		wg.Go(func() {
			s := c.drain(st)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s)
		})
	}
	wg.Wait()
	return all
}

func (c *peer) drain(st *quic.ReceiveStream) (s stream) {
	r := wire.NewReader(st, c.d.Varint, "data")
	typ := r.Varint("type")
	switch s.kind = c.d.Kind(typ); s.kind {
	case dialect.FetchStream:
		s.request = c.d.ReadFetchHeader(r)
		for f := c.d.Fetched(r, 1<<20); ; {
			o, ok := f.Next()
			if !ok {
				break
			}
			if o.Gap != dialect.NoGap {
				s.gaps = append(s.gaps, o)
			} else {
				s.objects = append(s.objects, o.Object)
			}
		}
	case dialect.SubgroupStream:
		objects := c.d.Objects(r, c.d.ReadSubgroupHeader(r, typ), 1<<20)
		for o, ok := objects.Next(); ok; o, ok = objects.Next() {
			s.objects = append(s.objects, o)
		}
		s.header = objects.Header()
	}
	s.err = r.Err()
	return s
}

// sorted are the objects of all streams in the order of their locations.
func sorted(all []stream) []media.Object {
	var objects []media.Object
	for _, s := range all {
		objects = append(objects, s.objects...)
	}
	slices.SortFunc(objects, func(a, b media.Object) int {
		if a.Before(b.Location) {
			return -1
		}
		return 1
	})
	return objects
}

// seamless checks that no object is missing or repeated, that every payload is what the source makes, and how many there are.
func seamless(t *testing.T, track string, objects []media.Object, atLeast int) {
	t.Helper()
	b, err := live.Open(demo(t, live.Groups))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := b.Source(track)
	if len(objects) < atLeast {
		t.Fatalf("%d objects of %s, want at least %d", len(objects), track, atLeast)
	}
	for i, o := range objects {
		if i > 0 && o.Location != s.Next(objects[i-1].Location) {
			t.Fatalf("%s: %v comes after %v", track, o.Location, objects[i-1].Location)
		}
		if want, err := s.Payload(o.Location); err != nil || !bytes.Equal(want, o.Payload) {
			t.Fatalf("%s %v: the payload has %d bytes and is wrong: %v", track, o.Location, len(o.Payload), err)
		}
	}
}

// demo is the demo's broadcast, with every track delivered in the same way.
func demo(t *testing.T, d live.Delivery) live.Broadcast {
	t.Helper()
	b, err := live.Demo("demo")
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Tracks {
		b.Tracks[i].Delivery = d
	}
	return b
}

// publish serves a publisher on the network until the test ends.
func publish(t *testing.T, n *sim.Network, c sim.Config) (*sim.Publisher, net.Addr) {
	t.Helper()
	p, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	conn := n.Listen()
	t.Cleanup(n.Close)
	serve(t, p, conn)
	return p, conn.LocalAddr()
}

func serve(t *testing.T, p *sim.Publisher, conn net.PacketConn) {
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, conn) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil && !errors.Is(err, sim.ErrKilled) {
			t.Errorf("serve: %v", err)
		}
	})
}
