package demux

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// Schemes of SCTE 35. The first is the only one that a Message has, whatever its publisher called it; what is XML stays what it is.
const (
	SchemeSplice    = "urn:scte:scte35:2013:bin"
	schemeSpliceXML = "urn:scte:scte35:2013:xml"
	schemeSignal    = "urn:scte:scte35:2014:xml+bin"
)

// IsSplice reports whether events of a scheme, or of an event type of MSF, are sections of SCTE 35.
func IsSplice(scheme string) bool {
	return scheme == SchemeSplice || scheme == "urn:scte:scte35:2022:bin"
}

// Records reads an event timeline (draft-ietf-moq-msf, "Event Timeline track") that is not text. The first object of a group says all
// again, so that each record is given once.
type Records struct {
	scheme string
	known  map[[8]byte]struct{}
}

// NewRecords returns the reader for a track as the catalog describes it.
func NewRecords(t *media.Track) *Records {
	r := &Records{scheme: t.EventType, known: map[[8]byte]struct{}{}}
	switch {
	case IsSplice(t.EventType):
		r.scheme = SchemeSplice
	case t.EventType == "urn:scte:scte35:2022:xml":
		r.scheme = schemeSpliceXML
	}
	return r
}

// eventRecord is one entry of an event timeline. Names of indexes are in upper case since draft-ietf-moq-msf-02.
type eventRecord struct {
	T    json.Number
	L    []json.Number
	M    json.Number
	Data json.RawMessage
}

// spliceData is the data of an entry that is about SCTE 35 (draft-wilaw-moq-scte35-event-timeline).
type spliceData struct {
	Payload string `json:"scte35_payload"`
}

// Read returns what is new in the object. An odd record costs no more than itself.
func (r *Records) Read(o *media.Object) ([]Message, error) {
	if o.Status != media.Normal || len(o.Payload) == 0 {
		return nil, nil
	}
	payload, err := inflate(o.Payload, maxDocument)
	if err != nil {
		return nil, err
	}
	var all []json.RawMessage
	if err := json.Unmarshal(payload, &all); err != nil {
		return nil, fmt.Errorf("demux: event timeline: %w", err)
	}
	if len(all) > maxRecords {
		return nil, fmt.Errorf("demux: event timeline: %d records are more than %d", len(all), maxRecords)
	}
	if len(r.known)+len(all) > 2*maxRecords { // all that still counts comes again
		clear(r.known)
	}
	var list []Message
	for i, raw := range all {
		sum := sha256.Sum256(raw)
		key := [8]byte(sum[:8])
		if _, known := r.known[key]; known {
			continue
		}
		r.known[key] = struct{}{}
		m, err := r.message(raw)
		if err != nil {
			m = Message{Err: fmt.Errorf("demux: event timeline: record %d: %w", i, err)}
		}
		list = append(list, m)
	}
	return list, nil
}

func (r *Records) message(raw json.RawMessage) (m Message, err error) {
	var e eventRecord
	if err := json.Unmarshal(raw, &e); err != nil {
		return m, err
	}
	m.Scheme, m.Timescale = r.scheme, 1000
	if err := m.index(&e); err != nil {
		return m, err
	}
	switch r.scheme {
	case SchemeSplice, schemeSpliceXML, schemeSignal:
		var d spliceData
		if err := json.Unmarshal(e.Data, &d); err != nil || d.Payload == "" {
			return m, fmt.Errorf("it has no scte35_payload")
		}
		if m.Data = []byte(d.Payload); r.scheme == SchemeSplice {
			m.Data, err = section(d.Payload)
		}
	default:
		var b bytes.Buffer
		if err := json.Compact(&b, e.Data); err != nil {
			return m, fmt.Errorf("it has no data")
		}
		m.Data = b.Bytes()
	}
	if err != nil {
		return m, err
	}
	if fault := m.check(); fault != "" {
		return m, fmt.Errorf("%s", fault)
	}
	return m, nil
}

// index takes the one index that a record has.
func (m *Message) index(e *eventRecord) error {
	var ok bool
	switch {
	case e.M != "":
		m.At, ok = millis(e.M)
	case e.T != "":
		m.Index = ByWall
		m.At, ok = millis(e.T)
	case len(e.L) == 2:
		m.Index = ByPlace
		group, err1 := strconv.ParseUint(string(e.L[0]), 10, 62)
		object, err2 := strconv.ParseUint(string(e.L[1]), 10, 62)
		m.Place, ok = media.Location{Group: group, Object: object}, err1 == nil && err2 == nil
	default:
		return fmt.Errorf("it has no index: neither M, nor T, nor L")
	}
	if !ok {
		return fmt.Errorf("its index is no number that a time or a place can have")
	}
	return nil
}

// section decodes a splice_info_section that is written in base64, with or without padding, or in hex.
func section(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if digits, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		return hex.DecodeString(digits)
	}
	if strings.HasPrefix(strings.ToLower(text), "fc") { // in base64 the table would be "/"
		return hex.DecodeString(text)
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("its scte35_payload is neither base64 nor hex: %w", err)
	}
	return b, nil
}

// SpliceOf is the section in a message, wherever it stands: as it is, or in XML, where it is base64 (ANSI/SCTE 214-1, 6.7). ok is false
// for a message that is about something else, or says in XML alone what it is about.
func SpliceOf(m *Message) (data []byte, ok bool, err error) {
	if IsSplice(m.Scheme) {
		return m.Data, true, nil
	}
	if m.Scheme != schemeSignal && m.Scheme != schemeSpliceXML {
		return nil, false, nil
	}
	text, err := binaryOf(m.Data)
	if err != nil {
		if m.Scheme == schemeSpliceXML {
			return nil, false, nil
		}
		return nil, true, err
	}
	data, err = section(text)
	return data, true, err
}
