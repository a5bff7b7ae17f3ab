package server

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/moqpack/moqpack/storage"
)

// pageFiles holds the page, and the players that page/vendor.sh fetched, if it was run before the build.
//
//go:embed all:page
var pageFiles embed.FS

// page answers with a file of the page.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "page/index.html"
	}
	if !fs.ValidPath(name) {
		return refuse(unknown, "no such file")
	}
	body, err := pageFiles.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || path.Ext(name) == ".sh" {
		return refuse(unknown, "no such file: %s", name)
	}
	if err != nil {
		return refuse(unknown, "no such file") // a directory
	}
	b := storage.Blob{Pieces: [][]byte{body}, ContentType: fileType(name)}
	return s.write(w, r, answer{Blob: b, etag: storage.Digest(b.Pieces), cacheControl: "no-cache"})
}

func fileType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "text/plain; charset=utf-8"
}
