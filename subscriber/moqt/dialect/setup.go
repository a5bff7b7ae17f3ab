package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Set-up options. Their numbers are the same in all versions, but for MOQT_IMPLEMENTATION's; unknown ones are ignored.
const (
	optionPath         = 0x01
	optionMaxRequestID = 0x02 // up to 16
	optionToken        = authorizationToken
	optionAuthority    = 0x05
)

// setup walks over the options of a Setup, which are counted up to 16 and fill the message later.
func (c *coder) setup(s *Setup) {
	c.versions(s)
	if c.reading() {
		c.readSetup(s)
		return
	}
	options := c.setupOptions(s)
	if c.d.countedSetup {
		c.out = c.d.Varint.Append(c.out, uint64(len(options)))
	}
	c.out = c.d.pairs().Append(c.out, options)
}

// versions walks over the versions that a client offers, or over the one that the server chose (14). There is none but the
// dialect's.
func (c *coder) versions(s *Setup) {
	if c.d.version == 0 {
		return
	}
	count, known := uint64(1), false
	if !s.Server {
		c.uint("number of versions", &count)
	}
	for ; count > 0 && (!c.reading() || c.in.Err() == nil); count-- {
		v := c.d.version
		c.uint("version", &v)
		known = known || v == c.d.version
	}
	if c.reading() && !known {
		c.in.Fail("version", wire.ErrUnknown)
	}
}

func (c *coder) setupOptions(s *Setup) []media.Property {
	var all []media.Property
	text := func(typ uint64, v string, always bool) {
		if v != "" || always {
			all = append(all, media.Property{Type: typ, Bytes: []byte(v)})
		}
	}
	text(optionPath, s.Path, !s.Server && !s.WebTransport)
	if c.d.countedSetup && s.MaxRequestID > 0 {
		all = append(all, media.Property{Type: optionMaxRequestID, Value: s.MaxRequestID})
	}
	for _, t := range s.Tokens {
		body := coder{d: c.d}
		body.token(&t)
		all = append(all, media.Property{Type: optionToken, Bytes: body.out})
	}
	text(optionAuthority, s.Authority, false)
	if c.d.implementation != optionAuthority || s.Server {
		text(c.d.implementation, s.Implementation, false)
	}
	return all
}

func (c *coder) readSetup(s *Setup) {
	left := uint64(wire.MaxValue) // each option takes two bytes at least: more cannot be in a message
	if c.d.countedSetup {
		left = c.in.Varint("number of parameters")
	}
	pairs, prev := c.d.pairs(), uint64(0)
	for ; left > 0 && c.in.Err() == nil && (c.d.countedSetup || c.in.Len() > 0); left-- {
		c.readOption(s, pairs.Next(c.in, "setup option", &prev))
	}
}

func (c *coder) readOption(s *Setup, o media.Property) {
	if o.Type == c.d.implementation && (o.Type != optionAuthority || s.Server) {
		s.Implementation = string(o.Bytes)
		return
	}
	switch o.Type {
	case optionPath:
		s.Path = string(o.Bytes)
	case optionMaxRequestID:
		if c.d.countedSetup {
			s.MaxRequestID = o.Value
		}
	case optionToken:
		t := coder{d: c.d, in: wire.NewCursor("AUTHORIZATION_TOKEN", c.d.Varint, o.Bytes)}
		s.Tokens = append(s.Tokens, Token{})
		t.token(&s.Tokens[len(s.Tokens)-1])
		if e, ok := t.in.Close().(*wire.Error); ok {
			e.Pair = true
		}
		c.in.Adopt(t.in)
	case optionAuthority:
		s.Authority = string(o.Bytes)
	}
}
