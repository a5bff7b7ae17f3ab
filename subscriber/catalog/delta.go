package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// isDelta reports whether the document changes a catalog instead of being one. MSF-00 says so with "deltaUpdate": true and
// top-level lists, MSF-01 with an array of operations.
func isDelta(doc fields) bool {
	if doc.has("tracks") {
		return doc.flag("deltaUpdate")
	}
	for _, name := range []string{"addTracks", "removeTracks", "cloneTracks"} {
		if doc.has(name) {
			return true
		}
	}
	return doc.has("deltaUpdate") && string(doc["deltaUpdate"]) != "false"
}

// update returns the state after a delta; s stays as it is.
func (s *state) update(doc fields, namespace []string) (*state, error) {
	next := *s
	if err := next.declare(doc); err != nil {
		return nil, err
	}
	u := updater{namespace: namespace, tracks: slices.Clone(s.tracks)}
	var err error
	if doc.flag("deltaUpdate") || !doc.has("deltaUpdate") {
		err = u.sets(doc)
	} else {
		err = u.operations(doc)
	}
	if err != nil {
		return nil, err
	}
	next.complete, next.tracks = s.complete || doc.flag("isComplete"), u.tracks
	return &next, nil
}

// updater applies the changes of one delta.
type updater struct {
	namespace []string
	tracks    []fields
	changes   int // tracks that were looked up or added
}

// sets applies MSF-00's three lists. They have no order of their own: clones see the tracks before and those that are added,
// and a removed name may be added again.
func (u *updater) sets(doc fields) error {
	var lists [3][]fields
	for i, name := range []string{"addTracks", "removeTracks", "cloneTracks"} {
		var err error
		if lists[i], err = doc.objects("", name, maxTracks); err != nil {
			return err
		}
	}
	parents := updater{namespace: u.namespace, tracks: slices.Concat(u.tracks, lists[0])}
	clones := make([]fields, len(lists[2]))
	for i, f := range lists[2] {
		parent, err := parents.parent(fmt.Sprintf("cloneTracks[%d]", i), f)
		if err != nil {
			return err
		}
		clones[i] = merge(parents.tracks[parent], f)
	}
	if err := u.each("removeTracks", lists[1], u.remove); err != nil {
		return err
	}
	if err := u.each("addTracks", lists[0], u.add); err != nil {
		return err
	}
	return u.each("cloneTracks", clones, u.add)
}

// operations applies MSF-01's ordered list.
func (u *updater) operations(doc fields) error {
	ops, err := doc.objects("", "deltaUpdate", maxTracks)
	if err != nil {
		return err
	}
	for i, op := range ops {
		path := fmt.Sprintf("deltaUpdate[%d]", i)
		tracks, err := op.objects(path+".", "tracks", maxTracks)
		if err != nil {
			return err
		}
		var apply func(string, fields) error
		switch name, _ := op.text("op"); name {
		case "add":
			apply = u.add
		case "remove":
			apply = u.remove
		case "clone":
			apply = u.clone
		case "update":
			apply = u.change
		default:
			return &Error{Path: path + ".op", Err: ErrSyntax, Detail: fmt.Sprintf("unknown operation %.32q", name)}
		}
		if err := u.each(path+".tracks", tracks, apply); err != nil {
			return err
		}
	}
	return nil
}

// each applies one kind of change to the tracks of a list. A delta's changes are bounded: each may search all tracks.
func (u *updater) each(path string, tracks []fields, apply func(path string, f fields) error) error {
	if u.changes += len(tracks); u.changes > maxTracks {
		return &Error{Path: path, Err: ErrTooLarge, Detail: fmt.Sprintf("more than %d changes in one delta", maxTracks)}
	}
	for i, f := range tracks {
		if err := apply(fmt.Sprintf("%s[%d]", path, i), f); err != nil {
			return err
		}
	}
	return nil
}

func (u *updater) add(path string, f fields) error {
	name, _ := f.text("name")
	if u.find(name, f, "namespace") >= 0 {
		return &Error{Path: path + ".name", Err: ErrConflict, Detail: fmt.Sprintf("track %q is there already", name)}
	}
	if len(u.tracks) >= maxTracks {
		return &Error{Path: path, Err: ErrTooLarge, Detail: fmt.Sprintf("more than %d tracks", maxTracks)}
	}
	u.tracks = append(u.tracks, f)
	return nil
}

func (u *updater) remove(path string, f fields) error {
	name, _ := f.text("name")
	i := u.find(name, f, "namespace")
	if i < 0 {
		return &Error{Path: path + ".name", Err: ErrConflict, Detail: fmt.Sprintf("there is no track %q", name)}
	}
	u.tracks = slices.Delete(u.tracks, i, i+1)
	return nil
}

func (u *updater) clone(path string, f fields) error {
	i, err := u.parent(path, f)
	if err != nil {
		return err
	}
	return u.add(path, merge(u.tracks[i], f))
}

// change overrides fields of a track. The text of the specification names the track by parentName, its example by name.
func (u *updater) change(path string, f fields) error {
	if f.has("parentName") {
		i, err := u.parent(path, f)
		if err == nil {
			u.tracks[i] = merge(u.tracks[i], f)
		}
		return err
	}
	name, _ := f.text("name")
	i := u.find(name, f, "namespace")
	if i < 0 {
		return &Error{Path: path + ".name", Err: ErrConflict, Detail: fmt.Sprintf("there is no track %q", name)}
	}
	u.tracks[i] = merge(u.tracks[i], f)
	return nil
}

// parent is the index of the track that f's parentName means.
func (u *updater) parent(path string, f fields) (int, error) {
	name, ok := f.text("parentName")
	if !ok {
		return 0, &Error{Path: path + ".parentName", Err: ErrSyntax, Detail: "missing"}
	}
	i := u.find(name, f, "parentNamespace")
	if i < 0 {
		return 0, &Error{Path: path + ".parentName", Err: ErrConflict, Detail: fmt.Sprintf("there is no track %q", name)}
	}
	return i, nil
}

// find is the index of the track with the name and with the namespace in f's field, or -1.
func (u *updater) find(name string, f fields, field string) int {
	ns := namespaceOf(f, field, u.namespace)
	return slices.IndexFunc(u.tracks, func(t fields) bool {
		n, _ := t.text("name")
		return n == name && slices.Equal(namespaceOf(t, "namespace", u.namespace), ns)
	})
}

// merge is the parent with f's fields laid over it.
func merge(parent, f fields) fields {
	m := maps.Clone(parent)
	maps.Copy(m, f)
	delete(m, "parentName")
	delete(m, "parentNamespace")
	return m
}
