package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log"
	"slices"
	"strings"
	"time"

	"github.com/Eyevinn/moqtransport"
)

// broadcast is what every session serves.
type broadcast struct {
	namespace                []string
	tracks                   []*track
	protocol                 string
	fetch, largest, announce bool
}

const (
	catalogTrack  = "catalog"
	catalogPeriod = 2 * time.Second
)

// catalog is the CMSF document, object 0 of each group of the catalog track.
func (b *broadcast) catalog() []byte {
	type entry struct {
		Name             string `json:"name"`
		Packaging        string `json:"packaging"`
		IsLive           bool   `json:"isLive"`
		Role             string `json:"role"`
		RenderGroup      int    `json:"renderGroup"`
		AltGroup         int    `json:"altGroup"`
		Codec            string `json:"codec"`
		Bitrate          int64  `json:"bitrate"`
		Width            int    `json:"width,omitempty"`
		Height           int    `json:"height,omitempty"`
		Framerate        int    `json:"framerate,omitempty"`
		SampleRate       int    `json:"samplerate,omitempty"`
		ChannelConfig    string `json:"channelConfig,omitempty"`
		Lang             string `json:"lang,omitempty"`
		MaxGroupDuration int    `json:"maxGroupDuration"`
		InitData         string `json:"initData"`
	}
	doc := struct {
		Version int     `json:"version"`
		Tracks  []entry `json:"tracks"`
	}{Version: 1}
	for _, t := range b.tracks {
		doc.Tracks = append(doc.Tracks, entry{
			Name: t.name, Packaging: "cmaf", IsLive: true, Role: t.role, RenderGroup: 1, AltGroup: t.altGroup(),
			Codec: t.codec, Bitrate: t.bitrate, Width: t.width, Height: t.height, Framerate: t.framerate,
			SampleRate: t.sampleRate, ChannelConfig: t.channels, Lang: t.language,
			MaxGroupDuration: t.groupSeconds * 1000, InitData: base64.StdEncoding.EncodeToString(t.init),
		})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err) // strings and numbers
	}
	return text
}

func (b *broadcast) track(name string) *track {
	for _, t := range b.tracks {
		if t.name == name {
			return t
		}
	}
	return nil
}

// subscribe answers one SUBSCRIBE and starts to publish. ctx ends with the connection.
func (b *broadcast) subscribe(ctx context.Context, w *moqtransport.SubscribeResponseWriter, m *moqtransport.SubscribeMessage) {
	t := b.track(m.Track)
	log.Printf("SUBSCRIBE %s/%s filter %v forward %d", strings.Join(m.Namespace, "/"), m.Track, m.FilterType, m.Forward)
	if !slices.Equal(m.Namespace, b.namespace) || t == nil && m.Track != catalogTrack {
		_ = w.Reject(moqtransport.ErrorCodeSubscribeTrackDoesNotExist, "no such track")
		return
	}
	now := time.Now()
	if t == nil {
		if err := b.accept(w, moqtransport.Location{Group: catalogGroup(now)}); err != nil {
			log.Printf("SUBSCRIBE_OK %s: %v", m.Track, err)
			return
		}
		go b.publishCatalog(ctx, w)
		return
	}
	next := t.frameAt(now)
	largest := t.location(next - 1)
	if err := b.accept(w, largest); err != nil {
		log.Printf("SUBSCRIBE_OK %s: %v", m.Track, err)
		return
	}
	if m.FilterType != moqtransport.FilterTypeLatestObject {
		next = t.groupStart(largest.Group + 1)
	}
	go t.publish(ctx, w, next)
}

func (b *broadcast) accept(w *moqtransport.SubscribeResponseWriter, largest moqtransport.Location) error {
	if !b.largest {
		return w.Accept()
	}
	return w.Accept(moqtransport.WithLargestLocation(&largest))
}

func catalogGroup(now time.Time) uint64 {
	return uint64(now.Unix()) / uint64(catalogPeriod/time.Second)
}

// publishCatalog sends the catalog anew every period, for subscribers whose FETCH this library spoils.
func (b *broadcast) publishCatalog(ctx context.Context, w moqtransport.Publisher) {
	for group := catalogGroup(time.Now()) + 1; ; group++ {
		if !sleepUntil(ctx, time.Unix(int64(group)*int64(catalogPeriod/time.Second), 0)) {
			return
		}
		sg, err := w.OpenSubgroup(group, 0, 0, moqtransport.WithEndOfGroup())
		if err == nil {
			_, err = sg.WriteObject(0, b.catalog())
		}
		if err != nil {
			log.Printf("catalog: %v", err)
			return
		}
		_ = sg.Close()
	}
}

// serveFetch answers a FETCH of the catalog. The library writes objects in draft 14's layout although the session speaks
// draft 16: the subscriber must see through that or do without.
func (b *broadcast) serveFetch(w *moqtransport.FetchResponseWriter, m *moqtransport.FetchMessage) {
	log.Printf("FETCH type %d %s/%s", m.FetchType, strings.Join(m.Namespace, "/"), m.Track)
	if !b.fetch || m.Track != catalogTrack {
		_ = w.Reject(uint64(moqtransport.ErrorCodeFetchTrackDoesNotExist), "not kept")
		return
	}
	if err := w.Accept(); err != nil {
		log.Printf("FETCH_OK: %v", err)
		return
	}
	s, err := w.FetchStream()
	if err != nil {
		log.Printf("fetch stream: %v", err)
		return
	}
	if _, err := s.WriteObject(catalogGroup(time.Now()), 0, 0, 0, b.catalog()); err != nil {
		log.Printf("fetch stream: %v", err)
	}
	_ = s.Close()
}

func sleepUntil(ctx context.Context, t time.Time) bool {
	select {
	case <-time.After(time.Until(t)):
		return true
	case <-ctx.Done():
		return false
	}
}
