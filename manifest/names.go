package manifest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// ErrName is returned for a path that is not the canonical spelling of any name.
var ErrName = errors.New("manifest: not a name")

// Kind says what a name stands for.
type Kind uint8

// The kinds of name. Those up to LegacyMPD belong to a channel, the others to a track of one.
const (
	Multivariant       Kind = iota + 1 // {channel}/index.m3u8
	LegacyMultivariant                 // {channel}/legacy.m3u8
	MPD                                // {channel}/index.mpd
	LegacyMPD                          // {channel}/legacy.mpd
	MediaPlaylist                      // {channel}/{track}/index.m3u8
	LegacyPlaylist                     // {channel}/{track}/legacy.m3u8
	Init                               // {channel}/{track}/init-{digest}.mp4
	Segment                            // {channel}/{track}/{n}.m4s
	Part                               // {channel}/{track}/{n}.{p}.m4s
	WebVTT                             // {channel}/{track}/{n}.vtt : the segment as text, for HLS
)

// Content types (rfc8216bis 4, RFC 4337, ISO/IEC 23009-1 annex C).
const (
	TypeHLS  = "application/vnd.apple.mpegurl"
	TypeDASH = "application/dash+xml"
	TypeVTT  = "text/vtt"
)

// Name is the identity of everything that has a URL. The fields that its Kind does not use are zero.
type Name struct {
	Kind    Kind
	Channel string
	Track   string
	N       uint64 // of a segment or part: its slot
	Part    int    // of a part, from 0
	Digest  string // of an init: 8 lower-case hex digits
}

// Key is the name's storage key, and behind a slash its URL path. No two names share one.
func (n Name) Key() string { return string(n.AppendKey(nil)) }

// AppendKey appends the name's key to b.
func (n Name) AppendKey(b []byte) []byte {
	b = append(appendEscaped(b, n.Channel), '/')
	if n.Kind > LegacyMPD {
		b = append(appendEscaped(b, n.Track), '/')
	}
	return n.appendFile(b)
}

// AppendURI appends the relative reference that leads from the document doc to n. Between documents of one channel and their
// media, both may leave the channel out.
func (n Name) AppendURI(b []byte, doc Name) []byte {
	switch {
	case n.Channel != doc.Channel:
		b = append(b, "../"...)
		if doc.Kind > LegacyMPD {
			b = append(b, "../"...)
		}
		return n.AppendKey(b)
	case n.Kind <= LegacyMPD && doc.Kind > LegacyMPD:
		b = append(b, "../"...)
	case n.Kind <= LegacyMPD:
	case doc.Kind <= LegacyMPD:
		b = append(appendEscaped(b, n.Track), '/')
	case doc.Track != n.Track:
		b = append(b, "../"...)
		b = append(appendEscaped(b, n.Track), '/')
	}
	return n.appendFile(b)
}

// URI is the relative reference that leads from the document doc to n.
func (n Name) URI(doc Name) string { return string(n.AppendURI(nil, doc)) }

// appendFile appends the last element of the key. A file name has a dot, an escaped channel or track has none.
func (n Name) appendFile(b []byte) []byte {
	switch n.Kind {
	case Init:
		b = append(b, "init-"...)
		b = append(b, n.Digest...)
		return append(b, ".mp4"...)
	case Segment:
		b = strconv.AppendUint(b, n.N, 10)
		return append(b, ".m4s"...)
	case WebVTT:
		b = strconv.AppendUint(b, n.N, 10)
		return append(b, ".vtt"...)
	case Part:
		b = strconv.AppendUint(b, n.N, 10)
		b = append(b, '.')
		b = strconv.AppendInt(b, int64(n.Part), 10)
		return append(b, ".m4s"...)
	}
	return append(b, documentFile(n.Kind)...)
}

func documentFile(k Kind) string {
	switch k {
	case Multivariant, MediaPlaylist:
		return "index.m3u8"
	case LegacyMultivariant, LegacyPlaylist:
		return "legacy.m3u8"
	case MPD:
		return "index.mpd"
	case LegacyMPD:
		return "legacy.mpd"
	}
	return ""
}

// Parse is the inverse of Key. It takes a key or the same behind a slash, and only the canonical spelling: what it returns
// renders to exactly what it was given.
func Parse(path string) (Name, error) {
	key := strings.TrimPrefix(path, "/")
	n, ok := parse(key)
	if !ok || n.Key() != key {
		return Name{}, fmt.Errorf("%w: %.200q", ErrName, path)
	}
	return n, nil
}

func parse(key string) (Name, bool) {
	channel, rest, ok := strings.Cut(key, "/")
	if !ok {
		return Name{}, false
	}
	track, file, ofTrack := strings.Cut(rest, "/")
	if !ofTrack {
		file = rest
	}
	n, ok := parseFile(file, ofTrack)
	if !ok {
		return Name{}, false
	}
	if n.Channel, ok = Unescape(channel); !ok {
		return Name{}, false
	}
	if ofTrack {
		n.Track, ok = Unescape(track)
	}
	return n, ok
}

func parseFile(file string, ofTrack bool) (Name, bool) {
	first, last := Multivariant, LegacyMPD
	if ofTrack {
		first, last = MediaPlaylist, LegacyPlaylist
	}
	for k := first; k <= last; k++ {
		if file == documentFile(k) {
			return Name{Kind: k}, true
		}
	}
	if !ofTrack {
		return Name{}, false
	}
	if stem, ok := strings.CutSuffix(file, ".mp4"); ok {
		digest, ok := strings.CutPrefix(stem, "init-")
		return Name{Kind: Init, Digest: digest}, ok && isDigest(digest)
	}
	if stem, ok := strings.CutSuffix(file, ".vtt"); ok {
		n, ok := parseNumbers(stem)
		ok = ok && n.Kind == Segment
		n.Kind = WebVTT
		return n, ok
	}
	stem, ok := strings.CutSuffix(file, ".m4s")
	if !ok {
		return Name{}, false
	}
	return parseNumbers(stem)
}

// parseNumbers reads "{n}" or "{n}.{p}".
func parseNumbers(stem string) (Name, bool) {
	number, part, isPart := strings.Cut(stem, ".")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return Name{}, false
	}
	if !isPart {
		return Name{Kind: Segment, N: n}, true
	}
	p, err := strconv.ParseUint(part, 10, 31)
	return Name{Kind: Part, N: n, Part: int(p)}, err == nil
}

func isDigest(s string) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return len(s) == 8
}

// ContentType is the media type of what the name stands for, a thing of a track of kind k. Documents ignore k.
func (n Name) ContentType(k media.Kind) string {
	switch n.Kind {
	case Multivariant, LegacyMultivariant, MediaPlaylist, LegacyPlaylist:
		return TypeHLS
	case MPD, LegacyMPD:
		return TypeDASH
	case WebVTT:
		return TypeVTT
	}
	return MediaType(k)
}

// MediaType is the MIME type of the segments and the init of a track of kind k.
func MediaType(k media.Kind) string {
	switch k {
	case media.Video:
		return "video/mp4"
	case media.Audio:
		return "audio/mp4"
	}
	return "application/mp4"
}

// PrivateKey is the key of a file of a channel that has no URL: archives keep their books in it. file must have a dot and no
// slash, and must not be that of a document. Parse knows no such name.
func PrivateKey(channel, file string) string { return Escape(channel) + "/" + file }

// SegmentTemplate is the DASH template (ISO/IEC 23009-1 5.3.9.4.4) of the URIs of a track's segments in an MPD, when its
// Representation@id is the escaped track name.
const SegmentTemplate = "$RepresentationID$/$Number$.m4s"
