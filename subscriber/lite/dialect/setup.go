package dialect

import "github.com/moqpack/moqpack/subscriber/moqt/wire"

// Setup is what a side can and wants. It is alone on its unidirectional stream.
type Setup struct {
	Probe uint64  // how well it can measure: 0 not at all
	Path  *string // where a client wants to go, with query; nil where that was said already
	Role  Role
}

// Role is what a client is there for.
type Role uint64

// The roles. Unknown ones are BothRoles.
const (
	BothRoles      Role = 0
	PublisherRole  Role = 1
	SubscriberRole Role = 2
)

const (
	setupProbe = 0x1
	setupPath  = 0x2
	setupRole  = 0x3

	maxSetup = 64 // parameters
)

func (m *Setup) code(c *coder) {
	if c.reading() {
		m.read(c)
		return
	}
	n, params := uint64(0), coder{d: c.d}
	if m.Probe != 0 {
		n++
		params.parameter(setupProbe, wire.QUIC.Append(nil, m.Probe))
	}
	if m.Path != nil {
		n++
		params.parameter(setupPath, []byte(*m.Path))
	}
	if m.Role != BothRoles {
		n++
		params.parameter(setupRole, wire.QUIC.Append(nil, uint64(m.Role)))
	}
	c.uint("parameter count", &n)
	c.out = append(c.out, params.out...)
}

func (c *coder) parameter(id uint64, value []byte) {
	c.out = wire.QUIC.AppendBytes(wire.QUIC.Append(c.out, id), value)
}

func (m *Setup) read(c *coder) {
	n := c.in.Varint("parameter count")
	if n > maxSetup {
		c.in.Fail("parameter count", wire.ErrTooLong)
	}
	for seen := map[uint64]bool{}; n > 0 && c.in.Err() == nil; n-- {
		id := c.in.Varint("parameter id")
		if seen[id] {
			c.in.Fail("parameter id", wire.ErrDuplicate)
		}
		seen[id] = true
		value := c.in.Sub("parameter value")
		switch id {
		case setupProbe:
			m.Probe = value.Varint("probe")
		case setupPath:
			m.Path = new(string(value.Rest()))
		case setupRole:
			if m.Role = Role(value.Varint("role")); m.Role > SubscriberRole {
				m.Role = BothRoles
			}
		default:
			value.Rest() // for others
		}
		c.in.Adopt(value)
	}
}
