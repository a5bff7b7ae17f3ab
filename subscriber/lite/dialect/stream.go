package dialect

import (
	"fmt"

	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// NewReader reads a stream. Up to its end every message has its own way to be read, since most have no type.
func (d *Dialect) NewReader(src interface{ Read([]byte) (int, error) }) *wire.Reader {
	return wire.NewReader(src, wire.QUIC, "stream")
}

// AppendRequest appends the beginning of a bidirectional stream.
func (d *Dialect) AppendRequest(b []byte, m Request) []byte {
	return d.append(wire.QUIC.Append(b, m.stream()), m)
}

// ReadRequest reads the beginning of a bidirectional stream. An error that is wire.ErrUnknown concerns that stream only: the
// drafts find out in this way what a peer can do.
func (d *Dialect) ReadRequest(r *wire.Reader) (Request, error) {
	var m Request
	typ, name := r.Varint("type"), ""
	if r.Err() != nil {
		return nil, r.Err()
	}
	switch typ {
	case announceStream:
		m, name = &AnnounceRequest{}, "ANNOUNCE_REQUEST"
	case subscribeStream:
		m, name = &Subscribe{}, "SUBSCRIBE"
	case fetchStream:
		m, name = &Fetch{}, "FETCH"
	case probeStream:
		m, name = &Probe{}, "PROBE"
	case goawayStream:
		m, name = &Goaway{}, "GOAWAY"
	case trackStream:
		m, name = &TrackRequest{}, "TRACK"
	}
	if m == nil || typ == goawayStream && !d.goaway || typ == trackStream && !d.Timed {
		r.Fail(fmt.Sprintf("type %#x", typ), wire.ErrUnknown)
		return nil, r.Err()
	}
	if err := d.read(r, name, m); err != nil {
		return nil, err
	}
	return m, nil
}

// AppendMessage appends what follows on a stream and has no type: an AnnounceOK, Announce, Delivery (as SUBSCRIBE_UPDATE),
// TrackInfo or Probe.
func (d *Dialect) AppendMessage(b []byte, m Message) []byte { return d.append(b, m) }

// ReadAnnounceOK reads the answer to an AnnounceRequest, where there is one.
func (d *Dialect) ReadAnnounceOK(r *wire.Reader) (m AnnounceOK, err error) {
	err = d.read(r, "ANNOUNCE_OK", &m)
	return m, err
}

// ReadAnnounce reads an announcement; it returns nil, nil at the end of the stream.
func (d *Dialect) ReadAnnounce(r *wire.Reader) (*Announce, error) {
	if !r.More() {
		return nil, r.Err()
	}
	m := &Announce{}
	if err := d.read(r, "ANNOUNCE", m); err != nil {
		return nil, err
	}
	return m, nil
}

// ReadUpdate reads a SUBSCRIBE_UPDATE; it returns nil, nil at the end of the stream.
func (d *Dialect) ReadUpdate(r *wire.Reader) (*Delivery, error) {
	if !r.More() {
		return nil, r.Err()
	}
	m := &Delivery{}
	if err := d.read(r, "SUBSCRIBE_UPDATE", m); err != nil {
		return nil, err
	}
	return m, nil
}

// ReadTrackInfo reads the answer to a TrackRequest.
func (d *Dialect) ReadTrackInfo(r *wire.Reader) (m TrackInfo, err error) {
	err = d.read(r, "TRACK_INFO", &m)
	return m, err
}

// ReadProbe reads an answer to a Probe, or another Probe.
func (d *Dialect) ReadProbe(r *wire.Reader) (m Probe, err error) {
	err = d.read(r, "PROBE", &m)
	return m, err
}

// AppendAnswer appends a SubscribeOK, SubscribeEnd or SubscribeDrop. One that the draft does not have is a programmer's error
// and panics.
func (d *Dialect) AppendAnswer(b []byte, m Message) []byte {
	var typ uint64
	switch m.(type) {
	case *SubscribeOK:
		typ = okAnswer
	case *SubscribeDrop:
		typ = d.dropAnswer
	case *SubscribeEnd:
		typ = d.endAnswer
	}
	if _, isOK := m.(*SubscribeOK); typ == okAnswer && !isOK {
		panic(fmt.Sprintf("dialect: %s has no answer %T", d.ALPN, m))
	}
	return d.append(wire.QUIC.Append(b, typ), m)
}

// ReadAnswer reads an answer to a Subscribe; it returns nil, nil at the end of the stream.
func (d *Dialect) ReadAnswer(r *wire.Reader) (Message, error) {
	r.In("answer to SUBSCRIBE")
	if !r.More() {
		return nil, r.Err()
	}
	var m Message
	var name string
	switch typ := r.Varint("type"); typ {
	case okAnswer:
		m, name = &SubscribeOK{}, "SUBSCRIBE_OK"
	case d.dropAnswer:
		m, name = &SubscribeDrop{}, "SUBSCRIBE_DROP"
	case d.endAnswer:
		m, name = &SubscribeEnd{}, "SUBSCRIBE_END"
	default:
		r.Fail(fmt.Sprintf("type %#x", typ), wire.ErrValue)
		return nil, r.Err()
	}
	if err := d.read(r, name, m); err != nil {
		return nil, err
	}
	return m, nil
}
