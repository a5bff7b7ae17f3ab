package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// position is a place in the file, both from 1.
type position struct{ line, column int }

func positionOf(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}

// decoder fills a Config from a file and notes all faults.
type decoder struct {
	env     func(string) (string, bool)
	faults  faults
	wrote   map[string]position // of each key that has a value, by path
	secrets []secret
	grown   int // bytes of all texts after expansion
}

// maxGrown bounds them: the environment may hold much, and a file may name it often.
const maxGrown = 1 << 20

func (d *decoder) fault(n ast.Node, path, format string, args ...any) {
	at := positionOf(n)
	d.faults = append(d.faults, &Fault{path, at.line, at.column, fmt.Sprintf(format, args...)})
}

// at is where the file speaks of the path, or of what contains it.
func (d *decoder) at(path string) position {
	for path != "" {
		if p, ok := d.wrote[path]; ok {
			return p
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return position{}
}

// value fills into, a pointer, from a node. A key without a value is as good as no key.
func (d *decoder) value(n ast.Node, path string, into any) {
	if _, null := n.(*ast.NullNode); null {
		return
	}
	switch into := into.(type) {
	case *string:
		d.text(n, path, func(s string) error { *into = s; return nil })
	case *Duration:
		d.text(n, path, into.Set)
	case *Size:
		d.text(n, path, into.Set)
	case *bool:
		if b, ok := n.(*ast.BoolNode); ok {
			*into = b.Value
		} else {
			d.fault(n, path, "this must be true or false")
		}
	case *int:
		if i, err := strconv.Atoi(n.GetToken().Value); err == nil && n.Type() == ast.IntegerType {
			*into = i
		} else {
			d.fault(n, path, "this must be a whole number")
		}
	case *Variables:
		d.variables(n, path, into)
	case *[]Channel:
		d.channels(n, path, into)
	case *[]string:
		d.texts(n, path, into)
	default:
		d.object(n, path, reflect.ValueOf(into).Elem())
	}
}

// text hands the scalar's text to set, with the environment in it.
func (d *decoder) text(n ast.Node, path string, set func(string) error) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		s = n.GetToken().Value // as it is written: a channel may be called 5, or no
	default:
		d.fault(n, path, "this must be text")
		return
	}
	written := s
	s, secrets, err := expand(s, d.env)
	for _, x := range secrets {
		takes := func(part string) bool { return strings.Contains(path, part) }
		x.plain = !takes(".relay") && !takes(".token") && !takes(".variables.") // which take tokens
		if !slices.Contains(d.secrets, x) {
			d.secrets = append(d.secrets, x)
		}
	}
	if d.grown += len(s); d.grown > maxGrown {
		d.fault(n, path, "with the environment's values the file is too long")
		return
	}
	if err == nil {
		if err = set(s); err != nil && len(secrets) > 0 {
			err = set(written) // which is as wrong, and shows no secret
		}
	}
	if err != nil {
		d.fault(n, path, "%s", err)
	}
}

// variables fills a map whose keys are anybody's.
func (d *decoder) variables(n ast.Node, path string, into *Variables) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.fault(n, path, "this must be a map of names and values")
		return
	}
	*into = Variables{}
	for _, pair := range m.Values {
		key := pair.Key.GetToken().Value
		at := path + "." + shown(key)
		if _, twice := (*into)[key]; twice {
			d.fault(pair.Key, at, "this key is here twice")
			continue
		}
		d.text(pair.Value, at, func(s string) error { (*into)[key] = s; return nil })
	}
}

// texts takes a list, or a text that is the only one.
func (d *decoder) texts(n ast.Node, path string, into *[]string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.text(n, path, func(s string) error { *into = append(*into, s); return nil })
		return
	}
	for i, item := range list.Values {
		d.text(item, fmt.Sprintf("%s[%d]", path, i), func(s string) error { *into = append(*into, s); return nil })
	}
}

func (d *decoder) channels(n ast.Node, path string, into *[]Channel) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fault(n, path, "this must be a list: begin every channel with a dash")
		return
	}
	for i, item := range list.Values {
		c, at := DefaultChannel(), fmt.Sprintf("%s[%d]", path, i)
		d.wrote[at] = positionOf(item)
		d.value(item, at, &c)
		*into = append(*into, c)
	}
}

// object fills a struct from a map.
func (d *decoder) object(n ast.Node, path string, into reflect.Value) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.fault(n, path, "this must be a map with the keys %s", strings.Join(keys(into.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for _, pair := range m.Values {
		key := pair.Key.GetToken().Value
		at := strings.TrimPrefix(path+"."+key, ".")
		field := fieldOf(into, key)
		switch {
		case !field.IsValid():
			d.unknown(pair.Key, strings.TrimPrefix(path+"."+shown(key), "."), key, keys(into.Type()))
		case seen[key]:
			d.fault(pair.Key, at, "this key is here twice")
		default:
			seen[key] = true
			if _, null := pair.Value.(*ast.NullNode); !null {
				d.wrote[at] = positionOf(pair.Key)
			}
			d.value(pair.Value, at, field.Addr().Interface())
		}
	}
}

func (d *decoder) unknown(n ast.Node, path, key string, known []string) {
	if near := nearest(key, known); near != "" {
		d.fault(n, path, "unknown key: did you mean %s?", near)
		return
	}
	d.fault(n, path, "unknown key: the keys here are %s", strings.Join(known, ", "))
}

// keys are those of a struct of ours, in the order of its fields.
func keys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			out = append(out, key)
		}
	}
	return out
}

// fieldOf is the field that has the key; invalid if there is none.
func fieldOf(v reflect.Value, key string) reflect.Value {
	for i := range v.NumField() {
		if key != "" && v.Type().Field(i).Tag.Get("yaml") == key {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// shown is a key that may be anything, fit for a message.
func shown(key string) string {
	for _, c := range []byte(key) {
		if c != '_' && c != '-' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return strconv.Quote(cut(key))
		}
	}
	return cut(key)
}
