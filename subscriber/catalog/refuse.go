package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// refuse gives the reason, if any, why a track of this description cannot be packaged.
func (r *resolver) refuse(name string, f fields) error {
	packaging, _ := f.text("packaging")
	scheme, _ := f.text("encryptionScheme")
	codec, _ := f.text("codec")
	switch v := variable(f); {
	case name == "":
		return errors.New("it has no name")
	case v != "":
		return fmt.Errorf("its field %s holds a variable that nobody has resolved: the relay's URL must give it a value", v)
	case r.names[name]:
		return errors.New("another track has the same name")
	case packaging == "":
		return errors.New("it has no packaging")
	case packaging == "catalog":
		return errors.New("it is another catalog: package its broadcast as a channel of its own")
	case f.filled("encryptionScheme"):
		return fmt.Errorf("it is encrypted end to end (%.32q): only those who have its keys can read it, and relays and packagers are not meant to", scheme)
	case strings.EqualFold(codec, "pcm"):
		return errors.New("its codec \"pcm\" is sound without compression, which no player of HLS or DASH reads")
	case !isLive(f):
		return errors.New("it is not live: it has ended, or is on demand")
	case f.number("temporalId") > 0, f.number("spatialId") > 0, f.filled("depends") && !isTimeline(f):
		return errors.New("it is a layer of another track (depends), which is not supported yet")
	}
	return nil
}

// isLive trusts isLive; a track that says nothing is live.
func isLive(f fields) bool { return !f.has("isLive") || f.flag("isLive") || isTimeline(f) }

// isTimeline reports whether the track is about others, which live or do not.
func isTimeline(f fields) bool {
	packaging, _ := f.text("packaging")
	role, _ := f.text("role")
	return strings.HasSuffix(packaging, "timeline") || strings.HasSuffix(role, "timeline")
}

// variable names the first field we read whose value holds a %variable% (draft-ietf-moq-msf, "Variable Substitution").
func variable(f fields) string {
	for _, name := range []string{"name", "namespace", "packaging", "role", "codec", "initRef", "lang", "label"} {
		s, _ := f.text(name)
		for _, after, more := strings.Cut(s, "%"); more; _, after, more = strings.Cut(after, "%") {
			v, _, closed := strings.Cut(after, "%")
			if closed && v != "" && strings.Trim(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz0123456789-_") == "" {
				return name
			}
		}
	}
	return ""
}

// home is the namespace of a track, within the bounds of draft-ietf-moq-transport, "Track Naming".
func (r *resolver) home(name string, f fields) ([]string, error) {
	namespace := namespaceOf(f, "namespace", r.namespace)
	if path, _ := f.text("broadcast"); r.format == Hang && path != "" {
		var ok bool
		if namespace, ok = relative(r.namespace, path); !ok {
			return nil, fmt.Errorf("its broadcast %.64q leads above the root, or does not start here", path)
		}
	}
	size := len(name)
	for _, field := range namespace {
		size += len(field)
	}
	if len(namespace) > 32 || size > 4096 || slices.Contains(namespace, "") {
		return nil, errors.New("its namespace has an empty field, or is longer than MoQ allows")
	}
	return namespace, nil
}
