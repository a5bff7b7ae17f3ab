package transport

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// Limits bound whom a Listener lets in. They are connections, their handshakes included.
type Limits struct {
	All       int // at a time
	Strangers int // of these, that nobody has called welcome yet
	PerHost   int // of these, from one IP address
}

// crowd counts the connections of a Listener.
type crowd struct {
	limits Limits

	mu        sync.Mutex // guards what follows
	all       int
	strangers int
	hosts     map[string]int // strangers by IP address
}

// ticket is a connection's place in the crowd.
type ticket struct {
	c       *crowd
	host    string
	asked   atomic.Bool // over HTTP/3: a session is being made, or was
	session atomic.Bool // it was
	welcome bool        // guarded by c.mu
	left    bool        // guarded by c.mu
}

var errCrowded = errors.New("too many connections")

func newCrowd(l Limits) *crowd { return &crowd{limits: l, hosts: map[string]int{}} }

// enter lets a connection from addr in, or not.
func (c *crowd) enter(addr net.Addr) (*ticket, error) {
	host := hostOf(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.limits.All || c.strangers >= c.limits.Strangers || c.hosts[host] >= c.limits.PerHost {
		return nil, errCrowded
	}
	c.all++
	c.strangers++
	c.hosts[host]++
	return &ticket{c: c, host: host}, nil
}

// trust counts the connection no longer among the strangers.
func (t *ticket) trust() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.left && !t.welcome {
		t.welcome = true
		t.c.known(t.host)
	}
}

// leave gives the place back.
func (t *ticket) leave() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.left {
		return
	}
	t.left = true
	if t.c.all--; !t.welcome {
		t.c.known(t.host)
	}
}

// known counts a stranger less; mu is held.
func (c *crowd) known(host string) {
	c.strangers--
	if c.hosts[host]--; c.hosts[host] == 0 {
		delete(c.hosts, host)
	}
}

// hostOf is what one host has in common; of IPv6 that is a /64.
func hostOf(addr net.Addr) string {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return addr.String()
	}
	if ip := udp.IP.To4(); ip != nil {
		return ip.String()
	}
	return udp.IP.Mask(net.CIDRMask(64, 128)).String()
}
