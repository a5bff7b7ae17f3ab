package server

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// channelInfo is a channel in the answer of /api/channels.
type channelInfo struct {
	Status
	URLs   urls        `json:"urls"`
	Rewind int64       `json:"rewind,omitempty"` // ms that documents go back from the live edge
	Tracks []trackInfo `json:"tracks"`
}

type urls struct {
	HLS        string `json:"hls"`
	DASH       string `json:"dash"`
	LegacyHLS  string `json:"legacyHLS"`
	LegacyDASH string `json:"legacyDASH"`
}

type trackInfo struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Codec      string `json:"codec,omitempty"`
	Width      int    `json:"width,omitempty"`
	Height     int    `json:"height,omitempty"`
	FrameRate  string `json:"frameRate,omitempty"`
	SampleRate int    `json:"sampleRate,omitempty"`
	Channels   int    `json:"channels,omitempty"`
	Language   string `json:"language,omitempty"`
	Label      string `json:"label,omitempty"`
	Bitrate    int64  `json:"bitrate,omitempty"`
	Segment    uint64 `json:"segment"`       // at the live edge
	Age        *int64 `json:"age,omitempty"` // ms from the newest media to now; absent while there is none
	Ended      bool   `json:"ended,omitempty"`
}

// listChannels answers with what the page shows.
func (s *Server) listChannels(w http.ResponseWriter, r *http.Request) error {
	list := []channelInfo{}
	for _, c := range *s.lineup.Load() {
		list = append(list, c.info(time.Now()))
	}
	body, err := json.Marshal(list)
	if err != nil {
		return fault(err)
	}
	return s.noStore(w, r, "application/json", body)
}

func (c *channel) info(now time.Time) channelInfo {
	url := func(k manifest.Kind) string { return "/" + manifest.Name{Kind: k, Channel: c.name}.Key() }
	info := channelInfo{
		Status: c.Status(),
		URLs: urls{
			HLS: url(manifest.Multivariant), DASH: url(manifest.MPD),
			LegacyHLS: url(manifest.LegacyMultivariant), LegacyDASH: url(manifest.LegacyMPD),
		},
		Tracks: []trackInfo{},
	}
	if out := c.Output(); out != nil {
		p := manifest.Present(c.name, out, c.From())
		for i := range p.Renditions {
			info.Rewind = max(info.Rewind, rewind(&p, &p.Renditions[i]))
		}
		for _, r := range out.Renditions {
			info.Tracks = append(info.Tracks, describe(r, now))
		}
	}
	return info
}

// rewind is how much the documents list of r, in ms.
func rewind(p *manifest.Presentation, r *manifest.Rendition) int64 {
	listed := p.Listed(r)
	if len(listed) == 0 {
		return 0
	}
	first, last := &listed[0], &listed[len(listed)-1]
	from, to := r.Epoch(first.Epoch), r.Epoch(last.Epoch)
	return manifest.UnixMilli(to, p.End(to, last)).UnixMilli() - manifest.UnixMilli(from, first.Start).UnixMilli()
}

// describe says what a track is: as its init has it, or its catalog as long as there is no init.
func describe(r segmenter.Rendition, now time.Time) trackInfo {
	t, s := r.Track, r.Timeline.Load()
	info := trackInfo{
		Name: t.Name, Kind: t.Kind.String(), Codec: t.Codec, Width: t.Width, Height: t.Height, FrameRate: t.FrameRate,
		SampleRate: t.SampleRate, Language: t.Language, Label: t.Label, Bitrate: t.Bitrate,
		Segment: s.Position().N, Ended: s.Ended,
	}
	e := s.Current()
	if e == nil || e.Init == nil {
		return info
	}
	i := e.Init
	info.Codec, info.Width, info.Height = i.Codec, i.Width, i.Height
	info.SampleRate, info.Channels = i.SampleRate, i.Channels
	if end, ok := edge(s); ok {
		age := now.UnixMilli() - unixMilli(end+e.Origin, i)
		info.Age = &age
	}
	return info
}

// edge is the end of the newest media in ticks.
func edge(s *timeline.Snapshot) (int64, bool) {
	if s.Open != nil {
		return s.Open.End(), true
	}
	if n := len(s.Segments); n > 0 {
		return s.Segments[n-1].End(), true
	}
	return 0, false
}

// unixMilli converts ticks of Unix time to milliseconds.
func unixMilli(ticks int64, i *media.Init) int64 {
	ts := int64(max(i.Timescale, 1))
	return ticks/ts*1000 + ticks%ts*1000/ts
}
