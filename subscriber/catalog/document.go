package catalog

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
)

// state is a catalog in the publisher's words, so that clones and updates inherit also what we do not read.
type state struct {
	version  string
	complete bool
	tracks   []fields
	inits    map[string]fields // initDataList by id
}

// parse turns an object's payload into the fields of its root. gzip is recognised by its magic number, which costs nothing:
// the generations signal it differently or not at all (draft-ietf-moq-msf, "Compression Signaling").
func parse(payload []byte) (fields, error) {
	if len(payload) > maxObject {
		return nil, &Error{Err: ErrTooLarge, Detail: fmt.Sprintf("%d bytes, %d are allowed", len(payload), maxObject)}
	}
	if bytes.HasPrefix(payload, []byte{0x1f, 0x8b}) {
		var err error
		if payload, err = inflate(payload); err != nil {
			return nil, err
		}
	}
	var doc fields
	if err := json.Unmarshal(payload, &doc); err != nil {
		return nil, syntax("", err)
	}
	return doc, nil
}

func inflate(payload []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(payload))
	if err != nil {
		return nil, &Error{Err: ErrSyntax, Detail: err.Error()}
	}
	doc, err := io.ReadAll(io.LimitReader(zr, maxInflated+1))
	if err != nil {
		return nil, &Error{Err: ErrSyntax, Detail: err.Error()}
	}
	if len(doc) > maxInflated {
		return nil, &Error{Err: ErrTooLarge, Detail: fmt.Sprintf("inflates to more than %d bytes", maxInflated)}
	}
	return doc, nil
}

// syntax places an error of encoding/json.
func syntax(path string, err error) *Error {
	e := &Error{Path: path, Err: ErrSyntax, Detail: err.Error()}
	var se *json.SyntaxError
	var te *json.UnmarshalTypeError
	switch {
	case errors.As(err, &se):
		e.Offset = se.Offset
	case errors.As(err, &te):
		e.Offset, e.Detail = te.Offset, "unexpected JSON "+te.Value
	}
	return e
}

// newState reads an independent catalog.
func newState(doc fields) (*state, error) {
	s := &state{complete: doc.flag("isComplete")}
	var err error
	if s.version, err = version(doc); err != nil {
		return nil, err
	}
	if !doc.has("tracks") && !s.complete {
		return nil, &Error{Path: "tracks", Err: ErrSyntax, Detail: "missing: this is no MSF catalog"}
	}
	if s.tracks, err = doc.objects("", "tracks", maxTracks); err != nil {
		return nil, err
	}
	if s.inits, err = initList(nil, doc); err != nil {
		return nil, err
	}
	return s, nil
}

// version accepts "draft-XX" and every spelling of 1; a catalog without one is read as if it had one.
func version(doc fields) (string, error) {
	v, _ := doc.text("version")
	if v == "" || strings.HasPrefix(v, "draft-") {
		return v, nil
	}
	if n, err := strconv.ParseFloat(v, 64); err == nil && n == 1 {
		return v, nil
	}
	return "", &Error{Path: "version", Err: ErrVersion, Detail: fmt.Sprintf("%.32q; known are 1 and draft-XX", v)}
}

// initList returns old with the document's initDataList laid over it. The specification allows none in a delta, but then an
// added track could never bring its init, so publishers may.
func initList(old map[string]fields, doc fields) (map[string]fields, error) {
	list, err := doc.objects("", "initDataList", maxInits)
	if err != nil || len(list) == 0 {
		return old, err
	}
	inits := make(map[string]fields, len(old)+len(list))
	maps.Copy(inits, old)
	for i, f := range list {
		id, ok := f.text("id")
		if !ok {
			return nil, &Error{Path: fmt.Sprintf("initDataList[%d].id", i), Err: ErrSyntax, Detail: "missing"}
		}
		inits[id] = f
	}
	if len(inits) > maxInits {
		return nil, &Error{Path: "initDataList", Err: ErrTooLarge, Detail: fmt.Sprintf("more than %d entries", maxInits)}
	}
	return inits, nil
}
