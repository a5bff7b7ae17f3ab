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
	Host      int // of these, from one IP address
	Strangers int // of all, that nobody has called welcome yet
	PerHost   int // of these, from one IP address

	// Refused, if not nil, is told of a connection that is not let in, and why. It must not wait.
	Refused func(addr net.Addr, err error)
}

// crowd counts the connections of a Listener.
type crowd struct {
	limits Limits

	mu        sync.Mutex // guards what follows
	all       int
	strangers int
	hosts     map[string]*guests // by IP address
}

// guests are the connections of one host.
type guests struct{ all, strangers int }

// ticket is a connection's place in the crowd.
type ticket struct {
	c       *crowd
	host    string
	asked   atomic.Bool // over HTTP/3: a session is being made, or was
	session atomic.Bool // it was
	welcome bool        // guarded by c.mu
	left    bool        // guarded by c.mu
}

// Why a connection is not let in.
var (
	ErrCrowded = errors.New("too many connections")
	ErrHost    = errors.New("too many connections from one address")
)

func newCrowd(l Limits) *crowd { return &crowd{limits: l, hosts: map[string]*guests{}} }

// enter lets a connection from addr in, or not.
func (c *crowd) enter(addr net.Addr) (*ticket, error) {
	host := hostOf(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[host]
	if h == nil {
		h = &guests{}
	}
	switch {
	case h.all >= c.limits.Host, h.strangers >= c.limits.PerHost:
		return nil, ErrHost
	case c.all >= c.limits.All, c.strangers >= c.limits.Strangers:
		return nil, ErrCrowded
	}
	c.all++
	c.strangers++
	h.all++
	h.strangers++
	c.hosts[host] = h
	return &ticket{c: c, host: host}, nil
}

// trust counts the connection no longer among the strangers.
func (t *ticket) trust() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.left && !t.welcome {
		t.welcome = true
		t.c.strangers--
		t.c.hosts[t.host].strangers--
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
	h := t.c.hosts[t.host]
	t.c.all--
	h.all--
	if !t.welcome {
		t.c.strangers--
		h.strangers--
	}
	if h.all == 0 {
		delete(t.c.hosts, t.host)
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
