package catalog

import (
	"strconv"
	"strings"
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// describe fills in what helps to choose and present a track. Whatever is missing or odd stays unknown.
func describe(t *media.Track, f fields) {
	picture(t, f)
	t.FrameRate = f.decimal("framerate")
	t.SampleRate = int(f.number("samplerate"))
	t.Channels, _ = f.text("channelConfig")
	t.Language, _ = f.text("lang")
	t.Label, _ = f.text("label")
	t.Bitrate, t.AvgBitrate = f.number("bitrate"), f.number("avgBitrate")
	t.AltGroup, t.RenderGroup = int(f.number("altGroup")), int(f.number("renderGroup"))
	if t.Packaging == media.LOC {
		t.Timescale = uint32(min(f.number("timescale"), 1<<32-1))
	}
	t.Captions = captions(f)
	t.EventType, _ = f.text("eventType")
	t.Depends = f.texts("depends")
	t.Template = template(f)
	if t.Anchor = anchor(f.object("timeline")); t.Anchor.IsZero() {
		t.Anchor = began(t.Template)
	}
	t.MaxGroupDuration = f.millis("maxGroupDuration")
	if t.TargetLatency = f.millis("targetLatency"); t.TargetLatency == 0 {
		t.TargetLatency = f.object("buffers").millis("target")
	}
}

// picture is the display size: as MSF says it, or as the ratio that hang stretches the coded pixels to.
func picture(t *media.Track, f fields) {
	t.Width, t.Height = int(f.number("displayWidth")), int(f.number("displayHeight"))
	if t.Width != 0 && t.Height != 0 {
		return
	}
	t.Width, t.Height = int(f.number("width")), int(f.number("height"))
	w, h := f.number("displayAspectWidth"), f.number("displayAspectHeight")
	if w > 0 && h > 0 && w < 1<<20 && h < 1<<20 && t.Height < 1<<20 {
		t.Width = int((int64(t.Height)*w + h/2) / h)
	}
}

// captions reads the services that a video carries (draft-ietf-moq-msf, "Accessibility"; ANSI/SCTE 214-1).
func captions(f fields) (list []media.Caption) {
	descriptors, _ := f.objects("", "accessibility", maxRefs)
	for _, d := range descriptors {
		scheme, ok := d.text("scheme")
		if !ok {
			scheme, _ = d.text("schemeId") // as one player reads it
		}
		value, _ := d.text("value")
		for i, service := range strings.SplitN(value, ";", maxRefs+1) {
			if c, ok := caption(scheme, strings.TrimSpace(service), i); ok && len(list) < maxRefs {
				list = append(list, c)
			}
		}
	}
	return list
}

// caption reads one service: "CC1=eng" or, for the first two fields, just "eng" (608); "1=lang:eng,er:1" or "1=eng" (708).
func caption(scheme, service string, i int) (c media.Caption, ok bool) {
	channel, language, named := strings.Cut(service, "=")
	switch {
	case strings.HasPrefix(scheme, "urn:scte:dash:cc:cea-608"):
		if !named && !strings.HasPrefix(channel, "CC") {
			channel, language = "CC"+strconv.Itoa(1+2*i), service
		}
		n, err := strconv.Atoi(strings.TrimPrefix(channel, "CC"))
		return media.Caption{Channel: "CC" + strconv.Itoa(n), Language: language}, err == nil && n >= 1 && n <= 4
	case strings.HasPrefix(scheme, "urn:scte:dash:cc:cea-708"):
		n, err := strconv.Atoi(channel)
		for _, property := range strings.Split(language, ",") {
			if value, ok := strings.CutPrefix(property, "lang:"); ok {
				language = value
			}
		}
		return media.Caption{Channel: "SERVICE" + strconv.Itoa(n), Language: language}, err == nil && n >= 1 && n <= 63
	}
	return c, false
}

// template reads six values in a fixed order (draft-ietf-moq-msf, "Template Format"); nil if any is odd.
func template(f fields) *media.Template {
	v := f.list("template")
	if len(v) != 6 {
		return nil
	}
	t := &media.Template{}
	wall, ok := time.Duration(0), true
	for _, d := range []struct {
		at int
		to *time.Duration
	}{{0, &t.Media}, {1, &t.MediaStep}, {4, &wall}, {5, &t.WallStep}} {
		ms, err := strconv.ParseFloat(string(v[d.at]), 64)
		ok = ok && err == nil && ms >= 0 && ms < 1<<43 // 278 years
		*d.to = time.Duration(ms)*time.Millisecond + time.Duration((ms-float64(int64(ms)))*1e6)
	}
	for _, d := range []struct {
		at int
		to *media.Location
	}{{2, &t.Start}, {3, &t.Step}} {
		pair := fields{"": v[d.at]}.list("")
		if len(pair) != 2 {
			return nil
		}
		group, e1 := strconv.ParseUint(string(pair[0]), 10, 62)
		object, e2 := strconv.ParseUint(string(pair[1]), 10, 62)
		ok, *d.to = ok && e1 == nil && e2 == nil, media.Location{Group: group, Object: object}
	}
	if !ok || t.MediaStep == 0 {
		return nil
	}
	if wall > 0 {
		t.Wall = time.Unix(0, int64(wall)).UTC()
	}
	return t
}

// began is the wall clock at media time 0 that a template tells; zero if none.
func began(t *media.Template) time.Time {
	if t == nil || t.Wall.IsZero() || t.WallStep != t.MediaStep {
		return time.Time{}
	}
	return t.Wall.Add(-t.Media)
}
