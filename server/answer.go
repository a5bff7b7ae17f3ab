package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moqpack/moqpack/storage"
)

// writeTimeout is how long a client may take for a body or a chunk of one. Until then it costs a connection and no
// memory: bodies are shared.
const writeTimeout = 60 * time.Second

// answer is a complete representation and what to say about it.
type answer struct {
	storage.Blob
	etag         string // without quotes; empty for none
	cacheControl string
	encoding     string // Content-Encoding; empty for none
	negotiated   bool   // depends on Accept-Encoding
	ranges       bool   // may be asked for in parts
}

// maxAge is the cache header of what will change.
func maxAge(d time.Duration) string {
	return "public, max-age=" + strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// write answers a GET or HEAD with a, a range of it, or 304.
func (s *Server) write(w http.ResponseWriter, r *http.Request, a answer) error {
	h := w.Header()
	h.Set("Cache-Control", a.cacheControl)
	etag := `"` + a.etag + `"`
	if a.etag != "" {
		h.Set("ETag", etag)
	}
	if a.negotiated {
		h.Set("Vary", "Accept-Encoding")
	}
	if a.etag != "" && matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", a.ContentType)
	if a.encoding != "" {
		h.Set("Content-Encoding", a.encoding)
	}
	size := a.Size()
	status, part := http.StatusOK, byteRange{0, size}
	if a.ranges {
		h.Set("Accept-Ranges", "bytes")
		if want := r.Header.Get("Range"); want != "" && (r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == etag) {
			switch wanted, ok := parseRange(want, size); {
			case !ok: // not a single range of bytes: the whole is always right (RFC 9110 14.2)
			case wanted.length == 0:
				h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
				return refuse(badRange, "the content has %d bytes", size)
			default:
				status, part = http.StatusPartialContent, wanted
				h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.offset, part.offset+part.length-1, size))
			}
		}
	}
	h.Set("Content-Length", strconv.FormatInt(part.length, 10))
	extend(w)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = a.WriteRange(w, part.offset, part.length) // a client that hung up is no concern of ours
	}
	return nil
}

// noStore answers with what is true only now.
func (s *Server) noStore(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	return s.write(w, r, answer{Blob: storage.Blob{Pieces: [][]byte{body}, ContentType: contentType}, cacheControl: "no-store"})
}

// extend gives the client writeTimeout from now. Writers without deadlines, as in tests, have none to extend.
func extend(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
}

// byteRange is a stretch of a body. A length of 0 stands for a range outside of it.
type byteRange struct{ offset, length int64 }

// parseRange reads a Range header of a body of size bytes. ok is false for what may be ignored: several ranges, other
// units, and whatever does not parse.
func parseRange(header string, size int64) (byteRange, bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return byteRange{}, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || first == "" && last == "" {
		return byteRange{}, false
	}
	if first == "" { // the last n bytes
		n, err := strconv.ParseUint(last, 10, 62)
		if err != nil {
			return byteRange{}, false
		}
		length := min(int64(n), size)
		return byteRange{size - length, length}, true
	}
	from, err := strconv.ParseUint(first, 10, 62)
	if err != nil {
		return byteRange{}, false
	}
	to := uint64(1<<62 - 1)
	if last != "" {
		if to, err = strconv.ParseUint(last, 10, 62); err != nil || to < from {
			return byteRange{}, false
		}
	}
	if int64(from) >= size {
		return byteRange{}, true
	}
	return byteRange{int64(from), min(int64(to), size-1) - int64(from) + 1}, true
}

// matches reports whether an If-None-Match header lists the entity tag; weak comparison (RFC 9110 13.1.2).
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// acceptsGzip reports whether an Accept-Encoding header allows gzip (RFC 9110 12.5.3).
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, isQ := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
		return !isQ || strings.Trim(q, "0.") != ""
	}
	return false
}
