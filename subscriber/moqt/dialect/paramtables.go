package dialect

// The parameters of each draft.

// params14 are the parameters of draft 14. What later drafts say by parameters are fields of its messages (layout14.go).
func params14() []param {
	return []param{
		milliseconds(0x02, "DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout }),
		tokens(),
	}
}

// params16 are the parameters of drafts 15 and 16: all are key-value pairs, so that small numbers are varints too. What 15 says
// of a track by more parameters is skipped: nobody here wants to know.
func params16() []param {
	return []param{
		milliseconds(0x02, "DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout }),
		tokens(),
		milliseconds(0x08, "EXPIRES", func(p *Params) **uint64 { return &p.Expires }),
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
		milliseconds(0x02, "DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout }),
		tokens(),
		milliseconds(0x04, "RENDEZVOUS_TIMEOUT", func(p *Params) **uint64 { return &p.Rendezvous }),
		milliseconds(0x08, "EXPIRES", func(p *Params) **uint64 { return &p.Expires }),
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
	return []param{
		milliseconds(0x02, "OBJECT_DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout }),
		tokens(),
		milliseconds(0x04, "RENDEZVOUS_TIMEOUT", func(p *Params) **uint64 { return &p.Rendezvous }),
		milliseconds(0x06, "SUBGROUP_DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.SubgroupDeliveryTimeout }),
		milliseconds(0x08, "EXPIRES", func(p *Params) **uint64 { return &p.Expires }),
		largest(false),
		fillTimeout(),
		forward(asByte),
		priority(),
		filter(),
		groupOrder(asByte),
		newGroup(),
		namespacePrefix(),
	}
}

// params20 are the parameters of drafts 20 to 22. Their range filters need an option that we do not send.
func params20() []param {
	return []param{
		milliseconds(0x02, "OBJECT_DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout }),
		tokens(),
		milliseconds(0x04, "RENDEZVOUS_TIMEOUT", func(p *Params) **uint64 { return &p.Rendezvous }),
		milliseconds(0x06, "SUBGROUP_DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.SubgroupDeliveryTimeout }),
		milliseconds(0x08, "EXPIRES", func(p *Params) **uint64 { return &p.Expires }),
		largest(false),
		fillTimeout(),
		forward(asByte),
		priority(),
		filter(),
		groupOrder(asByte),
		fillParameters(),
		newGroup(),
		namespacePrefix(),
		integer(0x35, "INCLUDE_PROPERTIES", func(p *Params) **uint8 { return &p.Properties }, asByte),
	}
}

// fillParams are the parameters within FILL_PARAMETERS.
func fillParams() []param { return []param{fillTimeout(), priority(), filter(), groupOrder(asByte)} }

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
