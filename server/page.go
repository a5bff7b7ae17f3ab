package server

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

// pageFiles holds the page, and the players that page/vendor.sh fetched, if it was run before the build.
//
//go:embed all:page
var pageFiles embed.FS

// assets are the documents of the page by URL path, digested and compressed when they are first asked for.
func assets(files fs.FS) (map[string]*document, error) {
	found := map[string]*document{}
	err := fs.WalkDir(files, "page", func(name string, d fs.DirEntry, err error) error {
		contentType := fileTypes()[path.Ext(name)]
		if err != nil || d.IsDir() || contentType == "" {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		doc := manifest.Document{Body: body, ContentType: contentType}
		found["/"+name] = newAsset(doc)
		return nil
	})
	found["/"] = found["/page/index.html"]
	return found, err
}

func newAsset(doc manifest.Document) *document {
	d := &document{render: sync.OnceValue(func() rendered { return rendered{doc, storage.Digest([][]byte{doc.Body}), nil} })}
	d.gzip = sync.OnceValue(func() []byte { return new(press).gzip(doc.Body) }) // once in a process
	return d
}

func fileTypes() map[string]string {
	return map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".txt": "text/plain; charset=utf-8",
	}
}

// page answers with a file of the page.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	d := s.assets[r.URL.Path]
	if d == nil {
		return refuse(unknown, "no such file")
	}
	return s.writeDocument(w, r, d, "no-cache")
}

// listPlayers answers with the names of the players that are built in.
func (s *Server) listPlayers(w http.ResponseWriter, r *http.Request) error {
	players := []string{}
	for file := range s.assets {
		switch strings.TrimPrefix(file, "/page/vendor/") {
		case "hls.min.js":
			players = append(players, "hlsjs")
		case "shaka-player.compiled.js":
			players = append(players, "shaka")
		}
	}
	body, err := json.Marshal(players)
	if err != nil {
		return fault(err)
	}
	return s.noStore(w, r, "application/json", body)
}
