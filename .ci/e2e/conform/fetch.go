package main

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answer is a whole HTTP response.
type answer struct {
	status int
	header http.Header
	length int64 // Content-Length; -1 if chunked
	body   []byte
	asked  time.Time
	first  time.Time // when the header was there
	done   time.Time
	bursts int // arrivals of body bytes that lie more than 50 ms apart
}

// client speaks HTTP/1.1 and asks for no compression unless told.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}

// get fetches the URL. An error has status 0 and its text as the body.
func get(ctx context.Context, url string, headers ...string) answer {
	a := answer{asked: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return a.failed(err)
	}
	req.Header.Set("Origin", "http://player.example")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return a.failed(err)
	}
	defer res.Body.Close()
	a.first = time.Now()
	a.header, a.length = res.Header, res.ContentLength
	var last time.Time
	buf := make([]byte, 64<<10)
	for {
		n, err := res.Body.Read(buf)
		if now := time.Now(); n > 0 {
			if now.Sub(last) > 50*time.Millisecond {
				a.bursts++
			}
			last = now
			a.body = append(a.body, buf[:n]...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return a.failed(err)
		}
	}
	a.status, a.done = res.StatusCode, time.Now()
	return a
}

func (a answer) failed(err error) answer {
	a.status, a.body, a.done = 0, []byte(err.Error()), time.Now()
	return a
}

// took is the time until the header was there.
func (a answer) took() time.Duration { return a.first.Sub(a.asked) }

// maxAge is the max-age of Cache-Control in seconds, or -1.
func (a answer) maxAge() int {
	for d := range strings.SplitSeq(a.header.Get("Cache-Control"), ",") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(d), "max-age="); ok {
			return int(decimal(v) / 1e6)
		}
	}
	return -1
}

// checkHeaders checks what holds for every document and medium.
func (a answer) checkHeaders(r *report, url string, types ...string) {
	ct, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	ok := false
	for _, t := range types {
		ok = ok || ct == t
	}
	r.check("H09 content type", ok, "%s is %q", url, ct)
	r.check("H68 CORS", a.header.Get("Access-Control-Allow-Origin") != "", "%s has no Access-Control-Allow-Origin", url)
	r.check("H66 caching", a.header.Get("Cache-Control") != "", "%s has no Cache-Control", url)
}

// checkGzip wants the document gzipped for those who accept it, and the same inside.
func checkGzip(ctx context.Context, r *report, url string) {
	a := get(ctx, url, "Accept-Encoding", "gzip")
	if !r.check("H10 gzip", a.header.Get("Content-Encoding") == "gzip", "%s is not compressed", url) {
		return
	}
	z, err := gzip.NewReader(strings.NewReader(string(a.body)))
	if err == nil {
		_, err = io.Copy(io.Discard, z)
	}
	r.check("H10 gzip", err == nil, "%s: %v", url, err)
}

// resolve is ref seen from base.
func resolve(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	u, err := b.Parse(ref)
	if err != nil {
		return ref
	}
	return u.String()
}
