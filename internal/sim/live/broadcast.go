package live

import (
	"fmt"
	"time"

	"github.com/moqpack/moqpack/internal/sim/clips"
)

// Broadcast is a set of tracks that are played together, and how their catalog is written.
type Broadcast struct {
	Namespace  []string
	Tracks     []Track
	Epoch      time.Time // when media time and group ids are 0; zero: the Unix epoch
	Generation Generation
	// MaxGroupDuration says that the catalog names it for every track.
	MaxGroupDuration bool

	sources []*Source
}

// Open makes a broadcast ready for use.
func Open(b Broadcast) (*Broadcast, error) {
	b.sources = nil
	for _, t := range b.Tracks {
		if _, ok := b.Source(t.Name); ok || t.Name == CatalogTrack {
			return nil, fmt.Errorf("broadcast %q: the name %q is taken", b.Namespace, t.Name)
		}
		s, err := NewSource(t, b.Epoch)
		if err != nil {
			return nil, fmt.Errorf("broadcast %q: %w", b.Namespace, err)
		}
		b.sources = append(b.sources, s)
	}
	return &b, nil
}

// Source is the track of that name.
func (b *Broadcast) Source(name string) (*Source, bool) {
	for _, s := range b.sources {
		if s.Name == name {
			return s, true
		}
	}
	return nil, false
}

// Sources are all tracks in the order of the catalog.
func (b *Broadcast) Sources() []*Source { return b.sources }

// Demo is the demo's broadcast: three renditions of a picture with a clock, and sound in two languages.
func Demo(namespace ...string) (Broadcast, error) {
	b := Broadcast{Namespace: namespace, MaxGroupDuration: true}
	for _, t := range []struct {
		file string
		Track
	}{
		{"video-360.mp4", Track{Name: "video-360", Label: "360p", AltGroup: 1}},
		{"video-270.mp4", Track{Name: "video-270", Label: "270p", AltGroup: 1}},
		{"video-180.mp4", Track{Name: "video-180", Label: "180p", AltGroup: 1}},
		{"audio-eng.mp4", Track{Name: "audio-en", Label: "English", Language: "en", AltGroup: 2}},
		{"audio-swe.mp4", Track{Name: "audio-sv", Label: "Svenska", Language: "sv", AltGroup: 2}},
	} {
		file, err := clips.Files.ReadFile(t.file)
		if err != nil {
			return b, fmt.Errorf("demo: %w", err)
		}
		if t.Clip, err = Load(file); err != nil {
			return b, fmt.Errorf("demo: %s: %w", t.file, err)
		}
		b.Tracks = append(b.Tracks, t.Track)
	}
	return b, nil
}
