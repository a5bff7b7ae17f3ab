package manifesttest

import (
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
)

// Scenario is a presentation worth a golden.
type Scenario struct {
	Name string
	manifest.Presentation
}

// Scenarios are the presentations that the goldens show.
func Scenarios() []Scenario {
	var all []Scenario
	add := func(name string, c *Channel) { all = append(all, Scenario{name, c.Present()}) }

	languages := New(Plan(2, 1, 6), 6, Start, Video("v720", 720, 25, 1, 25), Video("v360", 360, 25, 1, 25),
		Audio("a.en", "en", 48000), Audio("a.sv", "sv", 48000))
	languages.lines[2].Label = `English "main"`
	languages.lines[3].Track.AvgBitrate = 96_000
	languages.Play(Start + 17_500)
	add("languages", languages)

	ntsc := New(Plan(2002, 1000, 6), 6, Start, Video("v", 1080, 30000, 1001, 60), Audio("a", "und", 44100))
	ntsc.lines[0].TargetLatency = 3 * time.Second
	ntsc.Play(Start + 21_000)
	add("ntsc", ntsc)

	gap := New(Plan(2, 1, 6), 6, Start, Video("v", 360, 25, 1, 50), Audio("a", "en", 48000))
	gap.Lose(slotAt(gap, 6), "")
	gap.Lose(slotAt(gap, 10), "v")
	gap.Play(Start + 14_700)
	add("gap", gap)

	again := New(Plan(2, 1, 8), 8, Start, Video("v", 360, 90000, 3600, 50), Audio("a", "en", 48000))
	again.Play(Start + 9_300)
	again.Restart(slotAt(again, 14))
	again.Play(Start + 19_100)
	add("discontinuity", again)

	ended := New(Plan(2, 1, 6), 6, Start, Video("v", 360, 25, 1, 50), Audio("a", "en", 48000))
	ended.Play(Start + 15_400)
	ended.End()
	add("ended", ended)

	clip := New(Plan(2, 1, 8), 8, Start+700, Video("v/1", 360, 25, 1, 50), Audio("a", "en", 48000))
	clip.Name = "a/clip"
	clip.Lose(slotAt(clip, 6), "")
	clip.Play(Start + 9_300)
	clip.Restart(slotAt(clip, 12))
	clip.Play(Start + 15_100)
	clip.End()
	add("clip", clip)
	cut := &all[len(all)-1]
	cut.Media, cut.From, cut.Start, cut.Events = "demo", slotAt(clip, 2), Start+4_140, Happenings()

	radio := New(Plan(2, 1, 6), 6, Start, Audio("en", "en", 48000), Audio("de", "de", 48000))
	radio.lines[1].Init.Codec, radio.lines[1].Frame = "opus", 960
	radio = New(radio.Plan, 6, Start, *radio.lines[0].Track, *radio.lines[1].Track)
	radio.Play(Start + 15_000)
	add("radio", radio)

	drm := New(Plan(2, 1, 6), 6, Start, sealed(Video("v", 360, 25, 1, 50)), sealed(Audio("a", "en", 48000)), Audio("clear", "de", 48000))
	drm.Play(Start + 15_400)
	add("encrypted", drm)

	news := New(Plan(2, 1, 6), 6, Start, captioned(Video("v720", 720, 25, 1, 25)), Video("v360", 360, 25, 1, 25), Audio("a", "en", 48000))
	news.Play(Start + 15_400)
	add("captions", news)

	caption, forced := Text("cc", "en", "wvtt"), Text("forced", "de", "stpp.ttml.im1t")
	caption.Role, forced.Role = "caption", "forced_subtitle"
	text := New(Plan(2, 1, 6), 6, Start, Video("v", 360, 25, 1, 50), Audio("a", "en", 48000), Text("sv", "sv", "wvtt"), caption, forced)
	text.Lose(slotAt(text, 6), "sv")
	text.Play(Start + 9_300)
	text.Restart(slotAt(text, 12))
	text.Play(Start + 17_400)
	add("subtitles", text)

	events := New(Plan(2, 1, 6), 6, Start, Video("v", 360, 25, 1, 50), Audio("a", "en", 48000))
	events.Events = Happenings()
	events.Play(Start + 9_300)
	events.Restart(slotAt(events, 12))
	events.Play(Start + 17_400)
	add("events", events)

	soon := New(Plan(2, 1, 6), 6, Start, Video("v", 360, 25, 1, 50), Audio("a", "en", 48000))
	add("nothing-yet", soon)
	return all
}

// captioned is the track with captions of all kinds in it.
func captioned(t Track) Track {
	t.Captions = []media.Caption{{Channel: "CC1", Language: "eng"}, {Channel: "CC3"}, {Channel: "SERVICE1", Language: "eng"}, {Channel: "SERVICE2", Language: "spa"}}
	return t
}

// sealed is the track encrypted, for everybody who has a system that HLS or DASH can name.
func sealed(t Track) Track {
	t.Init.Encryption = &media.Encryption{Scheme: "cbcs", KID: "39112233-4455-6677-8899-aabbccddeeff"}
	t.Protections = []media.Protection{
		{System: media.Widevine, PSSH: pssh(0xed), License: media.Endpoint{URL: "https://drm.example/wv?a=1&b=2", Type: "EME-1.0"}, Robustness: "SW_SECURE_CRYPTO"},
		{System: media.PlayReady, PSSH: pssh(0x9a), License: media.Endpoint{URL: "https://drm.example/pr"}},
		{System: media.FairPlay, KeyURI: "skd://key/{uuid}", Certificate: media.Endpoint{URL: "https://drm.example/fp.cer", Type: "primary"}},
		{System: media.CommonKey, License: media.Endpoint{URL: "https://drm.example/ck", Type: "EME-1.0"}},
	}
	return t
}

// pssh is a box of version 0 whose system has one byte.
func pssh(system byte) []byte {
	b := append(make([]byte, 0, 35), 0, 0, 0, 35, 'p', 's', 's', 'h', 0, 0, 0, 0, system)
	return append(b[:28], 0, 0, 0, 3, 'o', 'b', 'j')
}

// slotAt is the slot so many seconds after the start.
func slotAt(c *Channel, seconds int64) uint64 { return c.Plan.Grid.Slot(Start+seconds*1000, 1000) }
