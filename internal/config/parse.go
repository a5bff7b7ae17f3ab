package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. The YAML parser's time grows with the square of depth and length.
const (
	maxFile  = 128 << 10
	maxDepth = 16
)

// Load reads the file. What it says is valid.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(body, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("config: %s:\n%w", path, err)
	}
	return c, nil
}

// Parse reads the text of a file. env looks up environment variables. No error shows what came from there.
func Parse(body []byte, env func(string) (string, bool)) (*Config, error) {
	root, err := document(body)
	if err != nil {
		return nil, err
	}
	c := Default()
	d := decoder{env: env, wrote: map[string]position{}}
	d.value(root, "", &c)
	c.wrote, c.secrets = d.wrote, d.secrets
	if len(d.faults) == 0 {
		c.Complete()
		for _, f := range Faults(c.Validate()) {
			at := d.at(f.Path)
			f.Line, f.Column = at.line, at.column
			d.faults = append(d.faults, f)
		}
	}
	redact := c.redactor(true)
	for _, f := range d.faults {
		f.Text = redact(f.Text)
	}
	if err := d.faults.join(); err != nil {
		return nil, err
	}
	return &c, nil
}

// document is the root of the one document in the text.
func document(body []byte) (root ast.Node, err error) {
	if len(body) > maxFile {
		return nil, &Fault{Text: fmt.Sprintf("the file is longer than %d bytes", maxFile)}
	}
	defer func() {
		if p := recover(); p != nil { // the parser's, for text that is not YAML at all
			root, err = nil, &Fault{Text: "this is not YAML"}
		}
	}()
	tokens := lexer.Tokenize(string(body))
	if err := plain(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntax(err, body)
	}
	var docs []*ast.DocumentNode
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			docs = append(docs, doc)
		}
	}
	switch len(docs) {
	case 0:
		return nil, &Fault{Text: "the file is empty: it needs channels at least"}
	case 1:
		return docs[0].Body, nil
	default:
		return nil, &Fault{Text: "the file has more than one document: remove the line ---"}
	}
}

// plain refuses what makes a file more than it looks like, and nesting that the parser should not see.
func plain(tokens token.Tokens) error {
	brackets, dashes := 0, 0 // open; in a row
	for _, t := range tokens {
		fault := &Fault{Line: t.Position.Line, Column: t.Position.Column}
		if t.Type != token.SequenceEntryType {
			dashes = 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			fault.Text = "anchors and aliases are not read here: write the value out, or put the text in quotes"
			return fault
		case token.TagType, token.DirectiveType:
			fault.Text = "tags and directives are not read here: put the text in quotes if it is one"
			return fault
		case token.InvalidType:
			fault.Text = "syntax: " + cut(t.Error)
			return fault
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets--
		case token.SequenceEntryType:
			dashes++
		}
		if max(brackets, dashes) > maxDepth {
			fault.Text = "lists and maps are nested too deep"
			return fault
		}
	}
	return nil
}

// syntax makes an error of the parser one of ours. The parser's own shows lines of the file.
func syntax(err error, body []byte) error {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil {
		return &Fault{Text: "this is not YAML"}
	}
	at := e.GetToken().Position
	f := &Fault{Line: at.Line, Column: at.Column, Text: "syntax: " + cut(e.GetMessage())}
	if strings.Contains(string(body), "${") {
		f.Text += ` (within { } and [ ], "${NAME}" needs quotes)`
	}
	return f
}
