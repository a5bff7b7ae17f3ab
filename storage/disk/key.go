package disk

import (
	"fmt"
	"path"
	"strings"

	"github.com/moqpack/moqpack/manifest"
)

const (
	maxElement = 240  // bytes: file systems take 255, and ours are longer by ".", ".type"
	maxKey     = 1024 // bytes, as many as S3 takes
)

// place is where a key's content lies.
type place struct {
	dir  string // relative to the root, "." for the root itself
	file string
}

func (p place) path() string { return path.Join(p.dir, p.file) }

// locate returns the place of a key, whose path is the key itself. The keys of package manifest all have one, unless a name is
// too long.
func locate(key string) (place, error) {
	if len(key) > maxKey {
		return place{}, fmt.Errorf("disk: key %.60q...: longer than %d bytes", key, maxKey)
	}
	elements := strings.Split(key, "/")
	for i, e := range elements {
		switch last := i == len(elements)-1; {
		case len(e) > maxElement:
			return place{}, fmt.Errorf("disk: key %q: element %d is longer than %d bytes: shorten the name of the channel or track", key, i, maxElement)
		case last && !isFile(e):
			return place{}, fmt.Errorf("disk: key %q: the last element is no file name: letters, digits, '-', '_', '~' with a dot among them", key)
		case !last && !isDir(e):
			return place{}, fmt.Errorf("disk: key %q: element %d is no directory name: letters, digits, '-', '_', '~'", key, i)
		}
	}
	return place{path.Dir(key), elements[len(elements)-1]}, nil
}

// isDir reports whether the element can be a key's, but not the last one.
func isDir(e string) bool {
	for _, c := range []byte(e) {
		if !isPlain(c) {
			return false
		}
	}
	return e != "" && len(e) <= maxElement
}

// isFile reports whether the element can be a key's last one.
func isFile(e string) bool {
	stem, extension, ok := strings.Cut(e, ".")
	return ok && isDir(stem) && isDir(strings.ReplaceAll(extension, ".", "_")) && len(e) <= maxElement
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '~'
}

// fixedType is the content type that the extension alone decides, or empty.
func fixedType(file string) string {
	switch path.Ext(file) {
	case ".m3u8":
		return manifest.TypeHLS
	case ".mpd":
		return manifest.TypeDASH
	case ".json":
		return "application/json"
	}
	return ""
}
