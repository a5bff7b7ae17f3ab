package catalog

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"
)

// isHang reports whether the document of the track is a hang catalog, or a change to one.
func isHang(track string, doc fields) bool {
	return !isMSF(doc) && (strings.HasPrefix(track, "catalog.json") || doc.has("video") || doc.has("audio"))
}

// hangState reads a hang catalog (draft-lcurley-moq-hang, "Catalog"). Its renditions become tracks in the words of MSF.
func hangState(text json.RawMessage) (*state, error) {
	if len(text) > maxObject { // it was compressed, or a change has made it grow
		return nil, &Error{Err: ErrTooLarge, Detail: fmt.Sprintf("more than %d bytes with its changes", maxObject)}
	}
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	s := &state{format: Hang, text: text}
	for i, role := range []string{"video", "audio"} {
		list, err := renditions(doc, role)
		if err != nil {
			return nil, err
		}
		if len(s.tracks)+len(list) > maxTracks {
			return nil, &Error{Path: role, Err: ErrTooLarge, Detail: fmt.Sprintf("more than %d renditions", maxTracks)}
		}
		for _, r := range list {
			s.tracks = append(s.tracks, translate(r, role, i+1))
		}
	}
	return s, nil
}

// rendition is an entry of hang's maps.
type rendition struct {
	name   string
	config fields
}

// renditions lists them in the publisher's order. Early catalogs have an array of them.
func renditions(doc fields, section string) ([]rendition, error) {
	if !doc.has(section) {
		return nil, nil
	}
	if strings.HasPrefix(string(doc[section]), "[") {
		return listed(doc, section)
	}
	var list []rendition
	for _, m := range members(doc.object(section)["renditions"]) {
		var config fields
		if json.Unmarshal(m.value, &config) != nil || config == nil {
			return nil, &Error{Path: fmt.Sprintf("%s.renditions[%.64q]", section, m.name), Err: ErrSyntax, Detail: "not an object"}
		}
		list = append(list, rendition{m.name, config})
	}
	return list, nil
}

func listed(doc fields, section string) ([]rendition, error) {
	entries, err := doc.objects("", section, maxTracks)
	if err != nil {
		return nil, err
	}
	var list []rendition
	for _, e := range entries {
		name, _ := e.object("track").text("name")
		list = append(list, rendition{name, e.object("config")})
	}
	return list, nil
}

// translate says a rendition in the words of MSF. What has no word there keeps its own.
func translate(r rendition, role string, altGroup int) fields {
	f := fields{}
	for name, value := range r.config {
		switch name {
		case "codedWidth":
			f["width"] = value
		case "codedHeight":
			f["height"] = value
		case "sampleRate":
			f["samplerate"] = value
		case "numberOfChannels":
			f["channelConfig"] = value
		case "codec", "framerate", "bitrate", "description", "broadcast", "timeline", "displayAspectWidth", "displayAspectHeight":
			f[name] = value
		}
	}
	f["packaging"] = []byte(`"legacy"`)
	if kind, ok := r.config.object("container").text("kind"); ok {
		f["packaging"] = quote(kind)
	} else if kind, ok := r.config.text("container"); ok {
		f["packaging"] = quote(kind)
	}
	if init := r.config.object("container"); init.has("init") {
		f["initData"] = init["init"]
	}
	f["name"], f["role"], f["altGroup"] = quote(r.name), quote(role), fmt.Append(nil, altGroup)
	return f
}

func quote(s string) json.RawMessage {
	b, _ := json.Marshal(s) // never fails for a string
	return b
}

// relative resolves a rendition's path to another broadcast against that of its catalog (draft-lcurley-moq-hang, "broadcast"; RFC
// 3986, 5.2). ok is false for one that leads above the root.
func relative(own []string, ref string) (namespace []string, ok bool) {
	if ref == "" {
		return own, true
	}
	base := strings.Split(strings.Join(own, "/"), "/")
	steps := append(base[:len(base)-1], strings.Split(ref, "/")...)
	depth := 0
	for _, s := range steps {
		switch s {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return nil, false
		}
	}
	clean := strings.TrimPrefix(path.Clean(strings.Join(steps, "/")), "/")
	switch {
	case strings.HasPrefix(ref, "/"), clean == ".":
		return nil, false
	case len(own) == 1 && strings.Contains(own[0], "/"):
		return []string{clean}, true
	}
	return strings.Split(clean, "/"), true
}

// moqEpoch is what hang counts wall clock from.
const moqEpoch = 1577836800 // Unix time of 2020-01-01

// anchor is the wall clock at media time 0 that a rendition's timeline tells (draft-lcurley-moq-hang, "timeline"); zero if none.
func anchor(timeline fields) time.Time {
	scale := int64(1000)
	if timeline.has("timescale") {
		scale = timeline.number("timescale")
	}
	if !timeline.has("wall") || scale <= 0 || scale > int64(time.Second) {
		return time.Time{}
	}
	wall := timeline.number("wall")
	return time.Unix(moqEpoch+wall/scale, wall%scale*int64(time.Second)/scale).UTC()
}
