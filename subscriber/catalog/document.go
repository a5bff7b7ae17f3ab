package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// parse reads the root of a document.
func parse(text []byte) (fields, error) {
	var doc fields
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, syntax("", err)
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

// isMSF reports whether the document has what every MSF catalog or delta has, and no other does.
func isMSF(doc fields) bool { return doc.has("tracks") || doc.flag("isComplete") || isDelta(doc) }

// newState reads an independent catalog of MSF or WARP.
func newState(doc fields) (*state, error) {
	s := &state{format: MSF, complete: doc.flag("isComplete"), common: doc.object("commonTrackFields")}
	if s.common != nil || doc.has("streamingFormat") {
		s.format = WARP
	}
	var err error
	if s.version, err = version(doc); err != nil {
		return nil, err
	}
	if !isMSF(doc) {
		return nil, &Error{Path: "tracks", Err: ErrSyntax, Detail: "missing: this is neither an MSF nor a hang catalog"}
	}
	if s.tracks, err = doc.objects("", "tracks", maxTracks); err != nil {
		return nil, err
	}
	return s, s.declare(doc)
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

// declare lays what tracks may refer to over what was declared before. The specification allows neither in a delta, but then an
// added track could never bring its own, so publishers may.
func (s *state) declare(doc fields) error {
	list, err := doc.objects("", "initDataList", maxInits)
	if err != nil {
		return err
	}
	inits := make(map[string]fields, len(s.inits)+len(list))
	maps.Copy(inits, s.inits)
	for i, f := range list {
		id, ok := f.text("id")
		if !ok {
			return &Error{Path: fmt.Sprintf("initDataList[%d].id", i), Err: ErrSyntax, Detail: "missing"}
		}
		inits[id] = f
	}
	if len(inits) > maxInits {
		return &Error{Path: "initDataList", Err: ErrTooLarge, Detail: fmt.Sprintf("more than %d entries", maxInits)}
	}
	protections, err := doc.objects("", "contentProtections", maxInits)
	if err != nil {
		return err
	}
	if len(protections)+len(s.protections) > maxInits {
		return &Error{Path: "contentProtections", Err: ErrTooLarge, Detail: fmt.Sprintf("more than %d entries", maxInits)}
	}
	s.inits, s.protections = inits, append(protections, s.protections...) // the newest first
	return nil
}
