package subscriber

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// SplitURL takes the fragment off a URL that names a broadcast and where to find it, as people pass them on:
// moqt://relay.example/live#msf:customer-studio1--catalog (draft-ietf-moq-msf, "MSF URI Definition"). A URL without a fragment is
// that of a relay, and stays as it is. "connection=wt" in the fragment becomes "transport=wt" in the query.
func SplitURL(s string) (relay string, namespace []string, err error) {
	relay, fragment, ok := strings.Cut(s, "#")
	if !ok {
		return s, nil, nil
	}
	named, ok := strings.CutPrefix(fragment, "msf:")
	if !ok {
		return s, nil, errors.New(`a fragment names a broadcast, "#msf:NAMESPACE--catalog": leave it out if it does not`)
	}
	named, rest, _ := strings.Cut(named, "&")
	space, track, ok := strings.Cut(named, "--")
	if !ok {
		return s, nil, fmt.Errorf(`"#msf:%s" is not of the form #msf:NAMESPACE--catalog`, named)
	}
	if name, err := nameOf(track); err != nil || name != "catalog" {
		return s, nil, fmt.Errorf("the fragment names the track %q: say catalog, and moqpack takes all tracks that it lists", track)
	}
	for _, field := range strings.Split(space, "-") {
		if field, err = nameOf(field); err != nil {
			return s, nil, err
		}
		namespace = append(namespace, field)
	}
	transport, err := connection(rest)
	if err == nil {
		err = validNamespace(namespace)
	}
	switch {
	case err != nil:
		return s, nil, fmt.Errorf("fragment: %w", err)
	case transport == "":
		return relay, namespace, nil
	case strings.Contains(relay, "?"):
		return relay + "&transport=" + transport, namespace, nil
	}
	return relay + "?transport=" + transport, namespace, nil
}

// connection reads the parameters of a fragment. Those that would not do what they say are refused.
func connection(parameters string) (transport string, err error) {
	for _, p := range strings.Split(parameters, "&") {
		switch key, value, _ := strings.Cut(p, "="); key {
		case "connection":
			if transport = map[string]string{"q": "quic", "wt": "wt"}[value]; transport == "" {
				return "", fmt.Errorf("connection %q is neither q nor wt", value)
			}
		case "c4m":
			return "", errors.New("c4m: give tokens with --token (token), or as the relay wants them in the query")
		case "wallclock-range", "mediatime-range", "location-range":
			return "", fmt.Errorf("%s asks for a part of a recording: moqpack follows what is live, so leave it out", key)
		}
	}
	return transport, nil
}

// nameOf reads a field of a namespace, or the name of a track, in the encoding of URLs: bytes as .xx (moq-transport, "Representing
// Namespace and Track Names").
func nameOf(s string) (string, error) {
	s, err := url.PathUnescape(s)
	if err != nil {
		return "", err
	}
	return url.PathUnescape(strings.NewReplacer("%", "%25", ".", "%").Replace(s))
}

// disagrees says why a fragment that SplitURL can read is there nevertheless.
func disagrees(s string) error {
	_, namespace, err := SplitURL(s)
	if err == nil {
		err = fmt.Errorf("the fragment names the broadcast %q, and the namespace is another: leave one of them out", FormatNamespace(namespace))
	}
	return err
}
