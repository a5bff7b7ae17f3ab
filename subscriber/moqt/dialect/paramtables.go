package dialect

import (
	"cmp"
	"slices"
)

// The parameters of each draft.

// params14 are the parameters of draft 14. What later drafts say by parameters are fields of its messages (layout14.go).
func params14() []param {
	return []param{
		deliveryTimeout(),
		tokens(),
	}
}

// params16 are the parameters of drafts 15 and 16: all are key-value pairs, so that small numbers are varints too. What 15 says
// of a track by more parameters is skipped: nobody here wants to know.
func params16() []param {
	return []param{
		deliveryTimeout(),
		tokens(),
		expires(),
		largest(true),
		forward(asVarint),
		integer(0x20, "SUBSCRIBER_PRIORITY", func(p *Params) **uint8 { return &p.Priority }, asVarint),
		filter(),
		groupOrder(asVarint),
		newGroup(),
	}
}

// params17 are the parameters of draft 17.
func params17() []param {
	return []param{
		deliveryTimeout(),
		tokens(),
		milliseconds(0x04, "RENDEZVOUS_TIMEOUT", func(p *Params) **uint64 { return &p.Rendezvous }),
		expires(),
		largest(false),
		forward(asByte),
		priority(),
		filter(),
		groupOrder(asByte),
		newGroup(),
	}
}

// params18 are the parameters of drafts 18 and 19.
func params18() []param {
	return with(params17(),
		milliseconds(0x06, "SUBGROUP_DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.SubgroupDeliveryTimeout }),
		fillTimeout(),
		namespacePrefix(),
	)
}

// params20 are the parameters of drafts 20 to 22. Their range filters need an option that we do not send.
func params20() []param {
	return with(params18(),
		fillParameters(),
		integer(0x35, "INCLUDE_PROPERTIES", func(p *Params) **uint8 { return &p.Properties }, asByte),
	)
}

// with is the table with more parameters, in ascending order of their types.
func with(table []param, more ...param) []param {
	return slices.SortedFunc(slices.Values(append(table, more...)), func(a, b param) int { return cmp.Compare(a.typ, b.typ) })
}

// fillParams are the parameters within FILL_PARAMETERS.
func fillParams() []param { return []param{fillTimeout(), priority(), filter(), groupOrder(asByte)} }

// deliveryTimeout is OBJECT_DELIVERY_TIMEOUT from 18 on.
func deliveryTimeout() param {
	return milliseconds(0x02, "DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout })
}

func expires() param {
	return milliseconds(0x08, "EXPIRES", func(p *Params) **uint64 { return &p.Expires })
}

func priority() param {
	return integer(0x20, "SUBSCRIBER_PRIORITY", func(p *Params) **uint8 { return &p.Priority }, asByte)
}

func fillTimeout() param {
	return milliseconds(0x0A, "FILL_TIMEOUT", func(p *Params) **uint64 { return &p.FillTimeout })
}

func newGroup() param {
	return integer(0x32, "NEW_GROUP_REQUEST", func(p *Params) **uint64 { return &p.NewGroup }, (*coder).uint)
}

func fillParameters() param {
	const name = "FILL_PARAMETERS"
	return param{0x23, name,
		func(p *Params) int { return present(p.Fill != nil) },
		func(c *coder, p *Params, _ int) {
			if c.reading() {
				p.Fill = new(Params)
			}
			c.prefixed(name, func(c *coder) { c.listed(c.d.fill, p.Fill) })
		}}
}
