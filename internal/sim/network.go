package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"
)

// Network joins packet connections in memory, with latency and with loss that follows from a seed. Its time is that of
// the bubble it is used in:
//
//	synctest.Test(t, func(t *testing.T) {
//		n := sim.NewNetwork(sim.Path{Latency: 20 * time.Millisecond, Loss: 10, Seed: 1})
//		defer n.Close()
//		server, client := n.Listen(), n.Listen()
//		g, ctx := errgroup.WithContext(t.Context())
//		g.Go(func() error { return publisher.Serve(ctx, server) })
//		g.Go(func() error { return subscribe(ctx, client, server.LocalAddr()) })
//		...
//	})
type Network struct {
	router simnet.PerfectRouter
	path   Path

	mu    sync.Mutex // guards what follows
	nodes []*node
	rands map[[2]string]*rand.Rand // by direction, so that one connection's traffic does not change another's losses
	cut   map[string]bool
}

// Path is what all packets of a network go through.
type Path struct {
	Latency time.Duration // one way
	Loss    int           // packets in a thousand
	Seed    uint64        // of the losses
}

// NewNetwork makes a network without nodes.
func NewNetwork(p Path) *Network {
	return &Network{path: p, rands: map[[2]string]*rand.Rand{}, cut: map[string]bool{}}
}

// node is a connection and the link that it is at the end of.
type node struct {
	*simnet.SimConn
	link *simnet.SimulatedLink
	net  *Network
	once sync.Once
}

// Listen adds a node with an address of its own.
func (n *Network) Listen() net.PacketConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listen(&net.UDPAddr{IP: net.IPv4(10, 0, byte(len(n.nodes)>>8), byte(len(n.nodes)+1)), Port: 4443})
}

// Beside makes another node of the same host as one that Listen made.
func (n *Network) Beside(c net.PacketConn) net.PacketConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listen(&net.UDPAddr{IP: c.LocalAddr().(*net.UDPAddr).IP, Port: 4443 + len(n.nodes)})
}

// listen makes a node; mu is held.
func (n *Network) listen(addr *net.UDPAddr) net.PacketConn {
	c := &node{link: &simnet.SimulatedLink{Latency: n.path.Latency, UploadPacket: n}, net: n}
	c.SimConn = simnet.NewBlockingSimConn(addr, c.link)
	n.router.AddNode(addr, c.link)
	c.link.Start()
	n.nodes = append(n.nodes, c)
	return c
}

// Cut stops all packets from and to the node, without a word to anyone, or lets them through again.
func (n *Network) Cut(addr net.Addr, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[addr.String()] = cut
}

// Close closes all nodes.
func (n *Network) Close() {
	n.mu.Lock()
	nodes := n.nodes
	n.mu.Unlock()
	for _, c := range nodes {
		_ = c.Close() // never fails
	}
}

// Close takes the node off the network.
func (c *node) Close() error {
	c.once.Do(func() {
		c.net.router.RemoveNode(c.LocalAddr())
		_ = c.SimConn.Close() // first, so that the link is not left waiting for a reader
		_ = c.link.Close()
	})
	return nil
}

// SendPacket implements simnet.Router.
func (n *Network) SendPacket(p simnet.Packet) error {
	if n.lost(p.From.String(), p.To.String()) {
		return nil
	}
	_ = n.router.SendPacket(p) // to a node that is gone: lost like any other
	return nil
}

// AddNode implements simnet.Router.
func (n *Network) AddNode(addr net.Addr, r simnet.PacketReceiver) { n.router.AddNode(addr, r) }

func (n *Network) lost(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.rands[[2]string{from, to}]
	if r == nil {
		h := fnv.New64a()
		_, _ = h.Write([]byte(from + ">" + to)) // a hash cannot fail
		r = rand.New(rand.NewPCG(n.path.Seed, h.Sum64()))
		n.rands[[2]string{from, to}] = r
	}
	return r.IntN(1000) < n.path.Loss || n.cut[from] || n.cut[to]
}
