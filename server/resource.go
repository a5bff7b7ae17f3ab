package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/moqpack/moqpack/manifest"
)

// resource answers for everything that belongs to a channel. What is not the canonical name of something does not exist.
func (s *Server) resource(w http.ResponseWriter, r *http.Request) error {
	name, err := manifest.Parse(r.URL.Path)
	if err != nil || strings.Contains(strings.ToLower(r.URL.RawPath), "%2f") { // an encoded slash is not one (RFC 3986 2.2)
		return refuse(unknown, "no such name")
	}
	c := s.lineup.Load().find(name.Channel)
	if c == nil {
		return refuse(unknown, "no such channel")
	}
	out := c.Output()
	if out == nil {
		return refuse(waiting, "channel %s is waiting for its broadcast: the page at / says why", c.name)
	}
	if d, ok := c.Channel.(Doubter); ok && name.Kind <= manifest.LegacyPlaylist {
		if reason := d.Doubt(); reason != "" {
			w.Header().Set(reasonHeader, reason)
			return refuse(doubtful, "another instance of channel %s has more than this one", c.name)
		}
	}
	switch name.Kind {
	case manifest.MediaPlaylist, manifest.LegacyPlaylist:
		return s.playlist(w, r, c, out, name)
	case manifest.Segment, manifest.Part, manifest.WebVTT:
		return s.media(w, r, c, out, name)
	case manifest.Init:
		return s.initSegment(w, r, c, out, name)
	}
	return s.overview(w, r, c, out, name)
}

// share lets pages of every origin read every answer, errors included.
func share(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Age, Content-Length, Content-Range, Date, ETag, Retry-After")
	h.Set("Timing-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
}

// preflight answers a browser that asks before it sends a header of its own.
func preflight(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "*, Authorization, Range, If-None-Match")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Cache-Control", "public, max-age=86400")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// time is the UTCTiming of our MPDs: urn:mpeg:dash:utc:http-xsdate:2014.
func (s *Server) time(w http.ResponseWriter, r *http.Request) error {
	return s.noStore(w, r, "text/plain; charset=utf-8", time.Now().UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"))
}

// health says that the process answers.
func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	return s.noStore(w, r, "text/plain; charset=utf-8", []byte("ok\n"))
}

// ready says whether viewers may be sent here: a load balancer's probe. It is a no when there is something against every
// channel; a channel that waits for its broadcast is not against it, for that is so everywhere.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	var no error
	for _, c := range *s.lineup.Load() {
		err := ready(c)
		if err == nil {
			return s.health(w, r)
		}
		no = err
	}
	if no != nil {
		return no
	}
	return s.health(w, r)
}

// channelHealth is the probe of one channel, for a CDN's origin group.
func (s *Server) channelHealth(w http.ResponseWriter, r *http.Request) error {
	name, ok := manifest.Unescape(strings.TrimPrefix(r.URL.Path, "/healthz/"))
	c := s.lineup.Load().find(name)
	if !ok || c == nil {
		return refuse(unknown, "no such channel")
	}
	if c.Output() == nil {
		return refuse(unready, "channel %s has no media yet", c.name)
	}
	if err := ready(c); err != nil {
		return err
	}
	return s.health(w, r)
}

// ready is why viewers had better not be sent to the channel, or nil.
func ready(c *channel) *Error {
	if d, ok := c.Channel.(Doubter); ok && d.Doubt() != "" {
		return refuse(unready, "channel %s is %s", c.name, d.Doubt())
	}
	if c.Status().State == Failed {
		return refuse(unready, "channel %s has failed: the page at / says why", c.name)
	}
	return nil
}

// kindOf is the label under which a request for path is counted. There are few, whatever is asked for.
func kindOf(path string) string {
	file := path[strings.LastIndexByte(path, '/')+1:]
	stem, ext, _ := strings.Cut(file, ".")
	switch {
	case ext == "m3u8" && stem == "legacy":
		return "legacy_hls"
	case ext == "m3u8":
		return "hls"
	case ext == "mpd" && stem == "legacy":
		return "legacy_dash"
	case ext == "mpd":
		return "dash"
	case ext == "m4s", ext == "vtt":
		return "segment"
	case strings.HasSuffix(ext, ".m4s"):
		return "part"
	case ext == "mp4":
		return "init"
	}
	return "other"
}
