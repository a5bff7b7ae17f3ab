package dialect

import "strings"

// quirk is what only peers of one kind do, and would be misread if others did. The rest of what peers do against their drafts, or
// other peers do not expect, is tolerated always, since it costs a conforming peer nothing:
//
//	tolerance                                             reason                                              peer
//
//	a SUBSCRIBE has no parameters unless asked for        any parameter closes the session (from 17 on)       MediaMTX
//	SETUP is sent before the peer's has come              each would wait for the other                       MediaMTX
//	a FIN of the control stream behind SETUP              nothing is lost with it (from 17 on)                MediaMTX
//	MOQT_IMPLEMENTATION is not said in 14                 it has the number of AUTHORITY, for which a server      aiomoqt 0.13.3
//	                                                      is left with INVALID_AUTHORITY
//	error codes 401, 403, 404                             meant as in HTTP; 404 before a broadcast begins     moq-dev
//	PUBLISH_DONE with 200, 404, 500                       unknown codes: subscribe again                      moq-dev
//	PUBLISH_DONE counts 0 or too few streams              the count is a hint, a timer decides                moq-dev
//	LARGEST_OBJECT absent although there are objects      the subscription begins with a group's head         moq-dev
//	FETCH refused, or FETCH_OK with an empty stream       not everybody keeps the past                        moq-dev
//	PUBLISH_NAMESPACE that nobody asked for               is answered, and told to who wants to know          moq-dev, mlmpub
//	error 4 for a track that does not exist               its number up to 14; no token was sent              relays ported from 14
//	request ids that leave some out                       nothing hangs on them (up to 16)                    whoever gives up what it began
//	messages of unknown types                             skipped by their length                             whoever runs ahead of its draft
//	0x1E in answer to a PUBLISH in 18 and later           still in the table of 18                            literal readers
//	status 1 from 16 on                                   left out, as what does not exist is                 moq-rs
//	ends of ranges in fetch streams without deltas        the text leaves it open (18 and later)              moxygen, Shaka
//	REGISTER of a token without a cache                   taken for USE_VALUE, as the drafts ask              moxygen
//	requests are ended by FIN and STOP_SENDING            a reset ends the session over QUIC (17 and later)   moq-rs
//	streams and datagrams of unknown aliases              parked, in bounds: they overtake SUBSCRIBE_OK       everybody
//	a FIN within an object                                only the rest of that stream is lost                everybody
//	a FETCH without an answer, in 16                      it reads that of 14, and does not say who it is:    Eyevinn/moqtransport v0.9.0
//	                                                      package subscriber goes on without one
//
// In the table of quirks:
//
//	a status behind an empty payload in fetch streams     a habit from 15                                     moxygen
//
// The tests are in this package, and in quirks_test.go and its neighbours in package moqt.
type quirk struct {
	peer  string // that calls itself so, in lower case, somewhere in MOQT_IMPLEMENTATION
	adapt func(d *Dialect)
}

func quirks() []quirk {
	return []quirk{
		{"moxygen", func(d *Dialect) { d.fetchStatus = true }},
	}
}

// For is the dialect as a peer speaks it that calls itself so. It differs in what comes from the peer.
func (d *Dialect) For(implementation string) *Dialect {
	for _, q := range quirks() {
		if strings.Contains(strings.ToLower(implementation), q.peer) {
			adapted := *d
			q.adapt(&adapted)
			d = &adapted
		}
	}
	return d
}
