package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
)

// member is one name of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members lists an object's members in their order, each name once, with its last value; none if it is no object. That a value
// is JSON has been checked with the document.
func members(object json.RawMessage) (list []member) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	at := map[string]int{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return list
		}
		if i, twice := at[name]; twice {
			list[i].value = value
			continue
		}
		at[name] = len(list)
		list = append(list, member{name, value})
	}
	return list
}

// maxDepth is how deep a change reaches: catalogs are no deeper, and what is cannot make us walk it again and again.
const maxDepth = 16

// mergePatch is the target after a JSON merge patch (RFC 7396). Members keep their order.
func mergePatch(target, patch json.RawMessage, depth int) json.RawMessage {
	if depth >= maxDepth || !bytes.HasPrefix(bytes.TrimLeft(patch, " \t\r\n"), []byte("{")) {
		return patch
	}
	list := members(target)
	at := map[string]int{}
	for i, m := range list {
		at[m.name] = i
	}
	for _, p := range members(patch) {
		if _, ok := at[p.name]; !ok {
			at[p.name] = len(list)
			list = append(list, member{name: p.name})
		}
		m := &list[at[p.name]]
		m.value = mergePatch(m.value, p.value, depth+1)
	}
	list = slices.DeleteFunc(list, func(m member) bool { return bytes.Equal(m.value, []byte("null")) })
	return object(list)
}

func object(list []member) json.RawMessage {
	b := []byte{'{'}
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(m.name)...)
		b = append(append(b, ':'), m.value...)
	}
	return append(b, '}')
}
