package catalog

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// propCompression is the type of the property that says how an object is compressed (draft-ietf-moq-msf, "MSF_COMPRESSION").
const propCompression = 0x78

// input turns the objects of a catalog track into JSON. It is owned by a Decoder.
type input struct {
	variables *strings.Replacer
	stream    *stream // of a track that is compressed group by group; nil otherwise
}

func newInput(c Config) input {
	var pairs []string
	for name, value := range c.Variables {
		pairs = append(pairs, "%"+name+"%", value)
	}
	in := input{variables: strings.NewReplacer(pairs...)}
	if strings.HasSuffix(c.Track, ".z") {
		in.stream = &stream{}
	}
	return in
}

// read returns the object's JSON.
func (in *input) read(o *media.Object) ([]byte, error) {
	if len(o.Payload) > maxObject {
		return nil, &Error{Err: ErrTooLarge, Detail: fmt.Sprintf("%d bytes, %d are allowed", len(o.Payload), maxObject)}
	}
	text, err := in.inflate(o)
	if err != nil || !bytes.Contains(text, []byte("%")) {
		return text, err
	}
	var full bounded
	if _, err := in.variables.WriteString(&full, string(text)); err != nil {
		return nil, &Error{Err: ErrTooLarge, Detail: "with the values of its variables"}
	}
	return full.b, nil
}

// bounded keeps what is written to it, up to the bound of a document.
type bounded struct{ b []byte }

func (w *bounded) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > maxInflated {
		return 0, io.ErrShortWrite
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// inflate undoes the compression. gzip is recognised by its magic number, which costs nothing: the generations signal it
// differently or not at all.
func (in *input) inflate(o *media.Object) ([]byte, error) {
	if in.stream != nil {
		return in.stream.inflate(o)
	}
	compressed := bytes.HasPrefix(o.Payload, []byte{0x1f, 0x8b})
	for _, p := range o.Properties {
		switch {
		case p.Type != propCompression:
		case p.Value > 1:
			return nil, &Error{Err: ErrCompression, Detail: fmt.Sprintf("%d; known are 0 (none) and 1 (gzip)", p.Value)}
		default:
			compressed = compressed || p.Value == 1
		}
	}
	if !compressed {
		return o.Payload, nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(o.Payload))
	if err != nil {
		return nil, &Error{Err: ErrSyntax, Detail: err.Error()}
	}
	return inflated(zr)
}

// inflated reads all of r, within the bound.
func inflated(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	if len(text) > maxInflated {
		return nil, &Error{Err: ErrTooLarge, Detail: fmt.Sprintf("inflates to more than %d bytes", maxInflated)}
	}
	if err != nil {
		return nil, &Error{Err: ErrSyntax, Detail: err.Error()}
	}
	return text, nil
}

// stream undoes the compression of groups that are one raw DEFLATE stream each, flushed behind every object
// (draft-lcurley-moq-hang, "Compression"). A flush ends at a byte, so that all an object needs of those before it is the window.
type stream struct {
	last   media.Location // of the newest object that was inflated
	window []byte         // nil before the first object
}

const (
	maxWindow = 32 << 10 // RFC 1951, 2
	// flushed is how a flush ends: the length of an empty block. Publishers leave it out.
	flushed = "\x00\x00\xff\xff"
	// final is an empty block that ends a stream.
	final = "\x01\x00\x00\xff\xff"
)

func (s *stream) inflate(o *media.Object) ([]byte, error) {
	window := s.window
	switch {
	case o.Object == 0:
		window = nil
	case window == nil || o.Group != s.last.Group || o.Object != s.last.Object+1:
		return nil, &Error{Err: ErrNoBase}
	}
	body := bytes.TrimSuffix(o.Payload, []byte(flushed))
	text, err := inflated(flate.NewReaderDict(io.MultiReader(bytes.NewReader(body), strings.NewReader(flushed+final)), window))
	if err != nil {
		return nil, err
	}
	window = append(window[:len(window):len(window)], text...)
	s.last, s.window = o.Location, bytes.Clone(window[max(0, len(window)-maxWindow):])
	if s.window == nil {
		s.window = []byte{}
	}
	return text, nil
}
