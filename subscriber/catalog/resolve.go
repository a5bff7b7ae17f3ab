package catalog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// resolve turns the publisher's fields into what moqpack can package, and says why not for the rest.
func (s *state) resolve(namespace []string) *Catalog {
	c := &Catalog{Version: s.version, Complete: s.complete}
	r := resolver{namespace: namespace, inits: s.inits, names: map[string]bool{}, decoded: map[string][]byte{}}
	for i, f := range s.tracks {
		t, err := r.track(f)
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
	return c
}

type resolver struct {
	namespace []string
	inits     map[string]fields
	names     map[string]bool   // of the tracks so far
	decoded   map[string][]byte // init segments by their base64, so that clones share one
}

// track reads one track; the error is the reason to skip it.
func (r *resolver) track(f fields) (media.Track, error) {
	t := media.Track{Namespace: namespaceOf(f, "namespace", r.namespace)}
	t.Name, _ = f.text("name")
	if err := r.refuse(t.Name, f); err != nil {
		return t, err
	}
	t.Packaging = media.CMAF
	t.Role, _ = f.text("role")
	t.Codec, _ = f.text("codec")
	if t.Kind = kindOf(f, t.Role, t.Codec); t.Role == "" {
		t.Role = t.Kind.String()
	}
	switch t.Kind {
	case media.Video, media.Audio:
	case media.Text:
		return t, errors.New("subtitles and captions are not supported yet")
	default:
		return t, errors.New("neither role, codec nor mimeType says whether it is video or audio")
	}
	var err error
	if t.Init, err = r.init(f); err != nil {
		return t, err
	}
	describe(&t, f)
	return t, nil
}

// refuse gives the reason, if any, why a track of this description cannot be packaged.
func (r *resolver) refuse(name string, f fields) error {
	packaging, _ := f.text("packaging")
	role, _ := f.text("role")
	switch v := variable(f); {
	case name == "":
		return errors.New("it has no name")
	case v != "":
		return fmt.Errorf("its field %s holds a variable that nobody has resolved", v)
	case r.names[name]:
		return errors.New("another track has the same name")
	case packaging == "":
		return errors.New("it has no packaging")
	case packaging == "mediatimeline", packaging == "eventtimeline", role == "mediatimeline", role == "eventtimeline":
		return errors.New("timelines are not supported yet")
	case packaging != "cmaf" && packaging != "chunk-per-object": // the older name of the same thing
		return fmt.Errorf("packaging %.32q is not supported yet", packaging)
	case f.filled("contentProtectionRefIDs"):
		return errors.New("it is encrypted (contentProtectionRefIDs), which is not supported yet")
	case f.filled("encryptionScheme"):
		return errors.New("it is encrypted (encryptionScheme), which is not supported yet")
	case f.has("isLive") && !f.flag("isLive"):
		return errors.New("it is not live: it has ended, or is on demand")
	case f.number("temporalId") > 0, f.number("spatialId") > 0, f.filled("depends"):
		return errors.New("it is a layer of another track (depends), which is not supported yet")
	}
	return nil
}

// variable names the first field we read whose value holds a %variable% (draft-ietf-moq-msf, "Variable Substitution").
func variable(f fields) string {
	for _, name := range []string{"name", "namespace", "packaging", "role", "codec", "initRef", "lang", "label"} {
		s, _ := f.text(name)
		_, after, _ := strings.Cut(s, "%")
		if v, _, closed := strings.Cut(after, "%"); closed && v != "" && strings.Trim(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz0123456789-_") == "" {
			return name
		}
	}
	return ""
}

// kindOf trusts the role, then the codec, then the MIME type.
func kindOf(f fields, role, codec string) media.Kind {
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

// init finds the track's init segment: initData of the 00 generation, initRef into initDataList of the 01s. A track without
// either brings it at the head of its objects.
func (r *resolver) init(f fields) ([]byte, error) {
	if data, ok := f.text("initData"); ok && data != "" {
		return r.decode("initData", data)
	}
	ref, ok := f.text("initRef")
	if !ok || ref == "" {
		return nil, nil
	}
	entry, ok := r.inits[ref]
	if !ok {
		return nil, fmt.Errorf("its initRef %.64q is not in initDataList", ref)
	}
	if kind, _ := entry.text("type"); kind != "inline" && kind != "" {
		return nil, fmt.Errorf("its init data is a %.32q, which is not supported yet", kind)
	}
	data, _ := entry.text("data")
	return r.decode(fmt.Sprintf("initDataList entry %.64q", ref), data)
}

// decode reads base64 of either alphabet, padded or not.
func (r *resolver) decode(where, text string) ([]byte, error) {
	if b, ok := r.decoded[text]; ok {
		return b, nil
	}
	if len(text) > base64.StdEncoding.EncodedLen(maxInit) {
		return nil, fmt.Errorf("its %s is longer than %d bytes", where, maxInit)
	}
	plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "").Replace(text), "=")
	b, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return nil, fmt.Errorf("its %s is not base64: %w", where, err)
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("its %s is empty", where)
	}
	r.decoded[text] = b
	return b, nil
}

// describe fills in what helps to choose and present a track. Whatever is missing or odd stays unknown.
func describe(t *media.Track, f fields) {
	t.Width, t.Height = int(f.number("displayWidth")), int(f.number("displayHeight"))
	if t.Width == 0 || t.Height == 0 {
		t.Width, t.Height = int(f.number("width")), int(f.number("height"))
	}
	t.FrameRate = f.decimal("framerate")
	t.SampleRate = int(f.number("samplerate"))
	t.Channels, _ = f.text("channelConfig")
	t.Language, _ = f.text("lang")
	t.Label, _ = f.text("label")
	t.Bitrate, t.AvgBitrate = f.number("bitrate"), f.number("avgBitrate")
	t.AltGroup, t.RenderGroup = int(f.number("altGroup")), int(f.number("renderGroup"))
	t.MaxGroupDuration = f.millis("maxGroupDuration")
	if t.TargetLatency = f.millis("targetLatency"); t.TargetLatency == 0 {
		t.TargetLatency = f.object("buffers").millis("target")
	}
}
