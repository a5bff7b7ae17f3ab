package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// resolve turns the publisher's fields into what moqpack can package, and says why not for the rest. headers are those of init
// tracks.
func (s *state) resolve(namespace []string, headers map[string][]byte) *Catalog {
	c := &Catalog{Format: s.format, Version: s.version, Complete: s.complete}
	r := resolver{state: s, namespace: namespace, headers: headers, names: map[string]bool{}, decoded: map[string][]byte{}}
	for i, f := range s.tracks {
		t, err := r.track(s.flat(f))
		if err != nil {
			if t.Name == "" {
				t.Name = fmt.Sprintf("tracks[%d]", i)
			}
			c.Skipped = append(c.Skipped, Skipped{Name: t.Name, Reason: err.Error()})
			continue
		}
		r.names[t.Name] = true
		c.Tracks = append(c.Tracks, t)
	}
	c.clock()
	c.single()
	return c
}

type resolver struct {
	*state
	namespace []string
	headers   map[string][]byte // of init tracks
	names     map[string]bool   // of the tracks so far
	decoded   map[string][]byte // init segments by their base64, so that clones share one
	given     int               // bytes of init tracks' headers that tracks were given
}

// track reads one track; the error is the reason to skip it.
func (r *resolver) track(f fields) (media.Track, error) {
	var t media.Track
	t.Name, _ = f.text("name")
	if err := r.refuse(t.Name, f); err != nil {
		return t, err
	}
	var err error
	if t.Namespace, err = r.home(t.Name, f); err != nil {
		return t, err
	}
	packaging, _ := f.text("packaging")
	if t.Packaging = packagings()[strings.ToLower(packaging)]; t.Packaging == "" {
		return t, fmt.Errorf("nobody here knows its packaging %.32q", packaging)
	}
	t.Role, _ = f.text("role")
	t.Codec, _ = f.text("codec")
	if t.Kind = kindOf(t.Packaging, f, t.Role, t.Codec); t.Role == "" {
		t.Role = t.Kind.String()
	}
	eventType, _ := f.text("eventType")
	if t.Kind == media.Events && isWebVTT(eventType) {
		t.Kind, t.Codec = media.Text, "wvtt"
	}
	switch t.Kind {
	case media.Video, media.Audio:
	case media.Text:
		if t.Role != "caption" && t.Role != "forced_subtitle" {
			t.Role = "subtitle"
		}
		if t.Packaging != media.EventTimeline && t.Packaging != media.CMAF && t.Packaging != media.LOCMAF {
			return t, fmt.Errorf("subtitles in packaging %q are not supported", packaging)
		}
	case media.Events:
		return t, happenings(&t, eventType, f)
	case media.Timeline:
		return t, history(&t, strings.ToLower(packaging), f)
	default:
		return t, errors.New("neither role, codec nor mimeType says whether it is video or audio")
	}
	if err := r.initialise(&t, f); err != nil {
		return t, err
	}
	if t.Protections, err = r.protect(f); err != nil {
		return t, err
	}
	describe(&t, f)
	return t, nil
}

// happenings describes an event timeline that is not text; the error is the reason to skip it.
func happenings(t *media.Track, eventType string, f fields) error {
	switch {
	case t.Packaging != media.EventTimeline:
		return fmt.Errorf("events in packaging %q are not supported", t.Packaging)
	case eventType == "":
		return errors.New("it has no eventType, which says what its events are")
	case eventType == "urn:msf:timedtext:imsc1":
		return errors.New("IMSC1 in event timelines (draft-law-moq-imsc1-msf) is not supported: send it as CMAF (stpp), or WebVTT")
	case eventType == "org.ietf.moq.cmsf.sap":
		return errors.New("it tells where access points are, which the media says itself")
	}
	t.EventType, t.Depends = eventType, f.texts("depends")
	return nil
}

// isWebVTT reports whether the events are cues of WebVTT. The second spelling is the older one (draft-wilaw-moq-webvtt-msf).
func isWebVTT(eventType string) bool {
	return eventType == "urn:msf:timedtext:webvtt" || eventType == "urn:msf:captions:webvtt"
}

// packagings are the names of what a Track can have, as catalogs write them in lower case.
func packagings() map[string]media.Packaging {
	return map[string]media.Packaging{
		"cmaf": media.CMAF, "chunk-per-object": media.CMAF, "frag-per-group": media.CMAF, // WARP's names of the same thing
		"loc": media.LOC, "locmaf": media.LOCMAF, "legacy": media.Legacy,
		"moq-mi": media.MoqMI, "moqmi": media.MoqMI,
		"eventtimeline": media.EventTimeline,
		"mediatimeline": media.MediaTimeline, "timeline": media.MediaTimeline, // WARP's
	}
}

// kindOf trusts the packaging, then the role, then the codec, then the MIME type.
func kindOf(p media.Packaging, f fields, role, codec string) media.Kind {
	switch {
	case p == media.EventTimeline || role == "eventtimeline":
		return media.Events
	case p == media.MediaTimeline || role == "mediatimeline":
		return media.Timeline
	}
	switch role {
	case "video", "signlanguage":
		return media.Video
	case "audio", "audiodescription":
		return media.Audio
	case "caption", "subtitle":
		return media.Text
	}
	fourcc, _, _ := strings.Cut(strings.ToLower(codec), ".")
	switch fourcc {
	case "avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "dvav", "dva1", "av01", "dav1", "vp8", "vp08", "vp09", "vvc1", "vvi1":
		return media.Video
	case "mp4a", "opus", "ac-3", "ec-3", "ac-4", "flac", "mp3", "alac", "mhm1", "mha1":
		return media.Audio
	case "wvtt", "stpp":
		return media.Text
	}
	mime, _ := f.text("mimeType")
	switch kind, _, _ := strings.Cut(strings.ToLower(mime), "/"); kind {
	case "video":
		return media.Video
	case "audio":
		return media.Audio
	case "text":
		return media.Text
	}
	return 0
}
