package server

import (
	"bytes"
	"compress/gzip"
	"sync"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// view is a document of a channel.
type view struct {
	kind  manifest.Kind
	track string // of a media playlist
	skip  bool   // a delta update
	over  bool   // a recording that nobody watches live any more
}

// stamp is the version of one rendition as a view sees it: low-latency playlists change with every part, the other
// documents with segments.
type stamp struct {
	snapshot    *timeline.Snapshot // of a low-latency playlist; nil otherwise
	from        uint64             // Presentation.From
	first, edge uint64
	open, ended bool
	epoch, lost int
}

func (v view) stamp(s *timeline.Snapshot, from uint64) stamp {
	if v.kind == manifest.MediaPlaylist {
		return stamp{snapshot: s, from: from}
	}
	first, _ := s.First()
	return stamp{from: from, first: first, edge: s.Position().N, open: s.Open != nil, ended: s.Ended, epoch: s.Current().Index, lost: s.Lost}
}

// depends reports whether a new version of the track makes a new version of the view. A media playlist's reports on other
// renditions follow from its own position.
func (v view) depends(track string) bool { return v.track == "" || v.track == track }

// document is one version of a view.
type document struct {
	stamps []stamp
	render func() rendered // the first call renders; all return the same
	gzip   func() []byte   // the same for the compressed body
}

type rendered struct {
	manifest.Document
	etag string // digest of the body
	err  error
}

// current reports whether the document is the newest version of v.
func (d *document) current(v view, out *segmenter.Output, from uint64) bool {
	i := 0
	for _, r := range out.Renditions {
		s := r.Timeline.Load()
		if !v.depends(r.Track.Name) || s.Current() == nil {
			continue
		}
		if i == len(d.stamps) || d.stamps[i] != v.stamp(s, from) {
			return false
		}
		i++
	}
	return i == len(d.stamps)
}

// documents holds the newest version of every view of a channel that somebody asked for.
type documents struct {
	mu    sync.Mutex
	out   *segmenter.Output // that views are of
	views map[view]*document
}

// document returns the newest version of the view. A thousand callers cost one rendering: the lock is held only to agree
// on the version.
func (s *Server) document(c *channel, out *segmenter.Output, v view) *document {
	m := &c.documents
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.out != out {
		m.out, m.views = out, map[view]*document{}
	}
	from := c.From()
	if d := m.views[v]; d != nil && d.current(v, out, from) {
		return d
	}
	d := s.newDocument(manifest.Present(c.name, out, from), v)
	m.views[v] = d
	return d
}

func (s *Server) newDocument(p manifest.Presentation, v view) *document {
	d := &document{}
	for _, r := range p.Renditions {
		if v.depends(r.Track.Name) {
			d.stamps = append(d.stamps, v.stamp(r.Snapshot, p.From))
		}
	}
	d.render = sync.OnceValue(func() rendered {
		began := time.Now()
		doc, err := render(p, v)
		s.metrics.rendered(v.kind, time.Since(began))
		return rendered{doc, storage.Digest([][]byte{doc.Body}), err}
	})
	d.gzip = sync.OnceValue(func() []byte { return s.press.gzip(d.render().Body) })
	return d
}

// press compresses documents. Small ones are made several times a second for each rendition, and a gzip.Writer is 800 kB: writers are
// used again.
type press struct{ idle sync.Pool }

func (p *press) gzip(body []byte) []byte {
	var b bytes.Buffer
	z, ok := p.idle.Get().(*gzip.Writer)
	if ok {
		z.Reset(&b)
	} else {
		z = gzip.NewWriter(&b)
	}
	_, _ = z.Write(body) // a Buffer does not fail
	_ = z.Close()
	p.idle.Put(z)
	return b.Bytes()
}
