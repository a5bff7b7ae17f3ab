package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/manifesttest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// present is a broadcast that has just begun.
func present(tracks ...manifesttest.Track) manifest.Presentation {
	return manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, tracks...).Present()
}

func TestLanguageIsAWellFormedTagOrNothing(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "en", "sv-SE": "sv-SE", "zh-Hant-TW": "zh-Hant-TW", "mul": "mul", "es-419": "es-419",
		"": "", "und": "", "UND": "", "und-Latn": "", "e": "", "english": "", "en_US": "", "en-": "", "-en": "", "x-private": "",
		"en--US": "", "e1": "", "en-toolongsubtag": "", `en"`: "", "en-" + strings.Repeat("abcd-", 8) + "z": "",
	} {
		if got := manifest.Language(tag); got != want {
			t.Errorf("Language(%q) = %q, want %q", tag, got, want)
		}
	}
}

func TestVariantsAreEveryVideoWithEveryAudioGroup(t *testing.T) {
	opus := manifesttest.Audio("opus", "en", 48000)
	opus.Init.Codec = "opus"
	surround := manifesttest.Audio("surround", "en", 48000)
	surround.Init.Codec, surround.Init.Channels = "ec-3", 6
	atmos := surround
	atmos.Name, atmos.Init.JOC = "atmos", 16
	lo := manifesttest.Video("lo", 360, 25, 1, 50)
	lo.Init.Codec = "vp09.00.21.08"
	p := present(manifesttest.Video("hi", 720, 25, 1, 50), lo, manifesttest.Audio("aac", "en", 48000), opus, surround, atmos)
	var got []string
	for _, v := range p.Variants() {
		got = append(got, v.Video.Track.Name+" "+v.Audio.ID+" "+v.Codecs())
	}
	want := "hi aac-2 avc1.64001f,mp4a.40.2; hi opus-2 avc1.64001f,Opus; hi ec3-6 avc1.64001f,ec-3; " +
		"hi ec3-6-joc avc1.64001f,ec-3; lo aac-2 vp09.00.21.08,mp4a.40.2; lo opus-2 vp09.00.21.08,Opus; lo ec3-6 vp09.00.21.08,ec-3; " +
		"lo ec3-6-joc vp09.00.21.08,ec-3"
	if strings.Join(got, "; ") != want {
		t.Errorf("%q", got)
	}
}

func TestVideoAloneAndAudioAloneAreVariants(t *testing.T) {
	video := present(manifesttest.Video("v", 720, 25, 1, 50))
	if vs := video.Variants(); len(vs) != 1 || vs[0].Audio != nil || vs[0].Codecs() != "avc1.64001f" {
		t.Errorf("video alone: %+v", vs)
	}
	audio := present(manifesttest.Audio("a", "en", 48000))
	if vs := audio.Variants(); len(vs) != 1 || vs[0].Video != nil || vs[0].Codecs() != "mp4a.40.2" {
		t.Errorf("audio alone: %+v", vs)
	}
}

func TestAudioMembersAreTold(t *testing.T) {
	described := manifesttest.Audio("described", "en", 48000)
	described.Role = "audiodescription"
	labelled := manifesttest.Audio("labelled", "sv", 48000)
	labelled.Label = "Sv\"en\nska\xff "
	p := present(described, manifesttest.Audio("main", "en", 48000), manifesttest.Audio("more", "en", 48000),
		labelled, manifesttest.Audio("odd.one", "und", 48000))
	var got []string
	for _, m := range p.Variants()[0].Audio.Members {
		got = append(got, fmt.Sprintf("%s/%s default=%v auto=%v describes=%v", m.Name, m.Language, m.Default, m.Autoselect, m.Describes))
	}
	want := []string{
		"en/en default=false auto=true describes=true", "en 2/en default=true auto=true describes=false",
		"en 3/en default=false auto=false describes=false", "Svenska/sv default=false auto=true describes=false",
		"odd~2eone/ default=false auto=true describes=false",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBandwidthIsTheCatalogsWithTheLargestAudio(t *testing.T) {
	video := manifesttest.Video("v", 720, 25, 1, 50)
	video.Bitrate, video.AvgBitrate = 3_000_000, 2_000_000
	low, high := manifesttest.Audio("low", "en", 48000), manifesttest.Audio("high", "sv", 48000)
	low.Bitrate, high.Bitrate = 64_000, 128_000
	p := present(video, low, high)
	if peak, average := p.Variants()[0].Bandwidth(); peak != 3_440_800 || average != 2_340_800 {
		t.Errorf("peak %d, average %d", peak, average)
	}
	video.Bitrate, video.AvgBitrate = 0, 0
	silent := present(video)
	if peak, average := silent.Variants()[0].Bandwidth(); peak < 3_000_000 || peak != average {
		t.Errorf("with a silent catalog: peak %d, average %d", peak, average)
	}
}

func TestInstantsAreRoundedDown(t *testing.T) {
	e := &timeline.Epoch{Init: &media.Init{Timescale: 90_000}}
	for ticks, want := range map[int64]int64{0: 0, 1: 11, 90: 1000, 90_000: 1_000_000, -1: -12, -90: -1000, 1 << 48: 3127499741229511} {
		if got := manifest.UnixMicros(e, ticks); got != want {
			t.Errorf("tick %d is at %d us, want %d", ticks, got, want)
		}
	}
	e.Origin = 90_000 * 1_795_240_800
	if got := manifest.UnixMilli(e, 135_089).Format("2006-01-02T15:04:05.000Z"); got != "2026-11-21T06:00:01.500Z" {
		t.Error(got)
	}
}
