package subscriber

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// peer is a session with one who has the tracks of a map, and sends each object of a track at once.
type peer struct {
	tracks  map[string][]media.Object
	fetched map[string][]media.Object // what a FETCH brings
	track   []media.Property          // properties of every track
	log     io.Writer                 // of who follows it; nil: none
	refuse  error                     // what the receiver says of its catalogs

	mu      sync.Mutex // guards what follows
	asked   []string
	fetches int
}

type accepted struct {
	properties []media.Property
	cancel     context.CancelFunc
	done       chan struct{}
}

func (p *peer) Subscribe(_ context.Context, name moqt.TrackName, _ moqt.SubscribeOptions, sink moqt.Sink) (subscription, error) {
	p.mu.Lock()
	p.asked = append(p.asked, name.Name)
	objects, ok := p.tracks[name.Name]
	p.mu.Unlock()
	if !ok {
		return nil, &moqt.RequestError{Op: "subscribe", Kind: moqt.ErrNotFound}
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &accepted{properties: p.track, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		for _, o := range objects {
			if sink.Object(ctx, o) != nil {
				return
			}
		}
		<-ctx.Done()
	}()
	return a, nil
}

func (p *peer) Fetch(ctx context.Context, r moqt.FetchRequest, _ subscription, sink moqt.Sink) error {
	p.mu.Lock()
	p.fetches++
	p.mu.Unlock()
	for _, o := range p.fetched[r.Track.Name] {
		if err := sink.Object(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (p *peer) Draft() string                 { return "moqt-18" }

func (a *accepted) Largest() (media.Location, bool) { return media.Location{}, false }
func (a *accepted) Properties() []media.Property    { return a.properties }
func (a *accepted) Done() <-chan struct{}           { return a.done }
func (a *accepted) Err() error                      { return moqt.ErrClosed }
func (a *accepted) Close()                          { a.cancel(); <-a.done }

// keeper is a Receiver that keeps what it gets.
type keeper struct {
	mu       sync.Mutex
	catalogs []string
	objects  map[string][]media.Object
	refuse   error
}

func (k *keeper) Catalog(_ context.Context, c *catalog.Catalog) (want []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := string(c.Format)
	for _, t := range c.Tracks {
		s += fmt.Sprintf(" %s:%s", t.Name, t.Packaging)
		want = append(want, t.Name)
	}
	k.catalogs = append(k.catalogs, s)
	return want, k.refuse
}

func (k *keeper) Object(_ context.Context, track string, o media.Object) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.objects[track] = append(k.objects[track], o)
	return nil
}

func (k *keeper) State(context.Context, State) {}

// followed has a broadcast followed for d, while f runs.
func followed(t *testing.T, p *peer, format catalog.Format, d time.Duration, f func()) *keeper {
	t.Helper()
	c := DefaultConfig()
	c.Relays, c.Namespace, c.Catalog = []string{"moqt://relay"}, []string{"ns"}, format
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{objects: map[string][]media.Object{}, refuse: p.refuse}
	fl := &follower{Source: s, recv: k, tracks: map[string]*track{}, log: s.cfg.Logger}
	if p.log != nil {
		fl.log = slog.New(slog.NewTextHandler(p.log, nil))
	}
	fl.report = &reporter{recv: k, log: fl.log}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	go f()
	if err := fl.follow(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
	return k
}

func mi(group uint64) media.Object {
	return media.Object{Location: media.Location{Group: group}, Payload: []byte{1}, Properties: []media.Property{{Type: 0x0A}}}
}

func TestABroadcastWithoutACatalogIsFoundByItsTracks(t *testing.T) {
	for _, format := range []catalog.Format{"", catalog.MoqMI} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{tracks: map[string][]media.Object{"video0": {mi(5), mi(6)}}}
			k := followed(t, p, format, time.Minute, func() {
				time.Sleep(20 * time.Second)
				p.mu.Lock()
				defer p.mu.Unlock()
				p.tracks["audio0"] = []media.Object{mi(100), mi(101)}
			})
			if diff := cmp.Diff([]string{"moq-mi video0:moq-mi", "moq-mi video0:moq-mi audio0:moq-mi"}, k.catalogs); diff != "" {
				t.Errorf("format %q: %s", format, diff)
			}
			if len(k.objects["video0"]) == 0 || len(k.objects["audio0"]) == 0 {
				t.Errorf("%d and %d objects", len(k.objects["video0"]), len(k.objects["audio0"]))
			}
			if slices.Contains(p.asked, "catalog") != (format == "") {
				t.Errorf("format %q: asked for %v", format, p.asked)
			}
		})
	}
}

func TestTracksThatAreNotOfMoqMIAreNotTakenForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bare := media.Object{Payload: []byte{1}}
		k := followed(t, &peer{tracks: map[string][]media.Object{"video0": {bare}, "audio0": nil}}, "", time.Minute, func() {})
		if len(k.catalogs) > 0 {
			t.Errorf("catalogs %v", k.catalogs)
		}
	})
}

func TestACatalogWhoseChangeDoesNotFitIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		object := func(id uint64, text string) media.Object {
			return media.Object{Location: media.Location{Group: 7, Object: id}, Payload: []byte(text)}
		}
		const entry = `{"name":"%s","packaging":"cmaf","role":"video"}`
		whole := object(0, `{"version":1,"tracks":[`+fmt.Sprintf(entry, "a")+`]}`)
		add := object(1, `{"deltaUpdate":[{"op":"add","tracks":[`+fmt.Sprintf(entry, "b")+`]}]}`)
		misread := object(1, `{"deltaUpdate":[{"op":"add","tracks":[`)
		wrong := object(2, `{"deltaUpdate":[{"op":"remove","tracks":[{"name":"nobody"}]}]}`)
		last := object(3, `{"deltaUpdate":[{"op":"add","tracks":[`+fmt.Sprintf(entry, "c")+`]}]}`)
		p := &peer{
			tracks:  map[string][]media.Object{"catalog": {whole, misread, wrong, last}},
			fetched: map[string][]media.Object{"catalog": {add, whole}},
		}
		k := followed(t, p, "", 30*time.Second, func() {})
		if diff := cmp.Diff([]string{"msf a:cmaf", "msf a:cmaf b:cmaf", "msf a:cmaf b:cmaf c:cmaf"}, k.catalogs); diff != "" {
			t.Error(diff)
		}
		if p.fetches != 1 {
			t.Errorf("%d fetches for one group", p.fetches)
		}
	})
}

func TestObjectsHaveWhatTheTrackSaysOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := media.Property{Type: 0x79, Bytes: []byte("own")}
		second := mi(6)
		second.Properties = append(second.Properties, own)
		track := []media.Property{{Type: 0x79, Bytes: []byte("track")}, {Type: 0x08, Value: 48000}, {Type: 0x02, Value: 5}}
		k := followed(t, &peer{tracks: map[string][]media.Object{"video0": {mi(5), second}}, track: track}, "", 20*time.Second, func() {})
		var got [][]media.Property
		for _, o := range k.objects["video0"] {
			got = append(got, o.Properties)
		}
		want := [][]media.Property{{{Type: 0x0A}, track[0], track[1]}, {{Type: 0x0A}, own, track[1]}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestACatalogWhoseHeaderIsMissingIsAskedForWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = `{"version":1,"streamingFormat":1,"tracks":[{"name":"v","packaging":"cmaf","role":"video","initTrack":"v.mp4"}]}`
		p := &peer{tracks: map[string][]media.Object{".catalog": {{Payload: []byte(text)}}}}
		var log bytes.Buffer
		p.log = &log
		followed(t, p, catalog.WARP, 2*time.Minute, func() {})
		if n := len(p.asked); n > 200 { // four at a time: .catalog, v.mp4, and catalog beside it
			t.Errorf("%d subscriptions in two minutes", n)
		}
		if n := strings.Count(log.String(), "no header"); n != 1 {
			t.Errorf("it was said %d times:\n%.1000s", n, log.String())
		}
	})
}

func TestACatalogThatIsRefusedIsSaidToBeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []media.Object
		for g := range uint64(5) {
			all = append(all, media.Object{Location: media.Location{Group: g}, Payload: []byte(`{"version":1,"tracks":[]}`)})
		}
		var log bytes.Buffer
		followed(t, &peer{tracks: map[string][]media.Object{"catalog": all}, log: &log, refuse: errors.New("too many")}, catalog.MSF, time.Minute, func() {})
		if n := strings.Count(log.String(), "catalog refused"); n != 1 {
			t.Errorf("it was said %d times:\n%.1000s", n, log.String())
		}
	})
}
