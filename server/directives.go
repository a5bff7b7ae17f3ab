package server

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// directives are the delivery directives of a playlist request (rfc8216bis 6.2.5).
type directives struct {
	blocking bool // _HLS_msn is present
	msn      uint64
	ofPart   bool // _HLS_part is present too
	part     int
	skip     bool // _HLS_skip=YES
}

var errDirective = errors.New("delivery directive")

// maxPart bounds _HLS_part: no segment has as many parts.
const maxPart = 1 << 20

// parseDirectives reads the directives of a raw query. Other parameters, and directives that are not known, are ignored.
func parseDirectives(query string) (directives, error) {
	var d directives
	if query == "" {
		return d, nil
	}
	values, err := ownParameters(query)
	if err != nil {
		return d, err
	}
	for _, key := range []string{"_HLS_msn", "_HLS_part", "_HLS_skip"} {
		if len(values[key]) > 1 {
			return d, fmt.Errorf("%w: %s twice", errDirective, key)
		}
	}
	if values.Has("_HLS_msn") {
		d.blocking = true
		if d.msn, err = strconv.ParseUint(values.Get("_HLS_msn"), 10, 62); err != nil {
			return d, fmt.Errorf("%w: _HLS_msn is not a decimal number", errDirective)
		}
	}
	if values.Has("_HLS_part") {
		if !d.blocking {
			return d, fmt.Errorf("%w: _HLS_part without _HLS_msn", errDirective)
		}
		n, err := strconv.ParseUint(values.Get("_HLS_part"), 10, 31)
		if err != nil || n > maxPart {
			return d, fmt.Errorf("%w: _HLS_part is not a decimal number in range", errDirective)
		}
		d.ofPart, d.part = true, int(n)
	}
	switch skip := values.Get("_HLS_skip"); {
	case skip == "YES":
		d.skip = true
	case skip == "v2": // asks to skip date ranges too, which is not offered: the full playlist is always right
	case values.Has("_HLS_skip"):
		return d, fmt.Errorf("%w: _HLS_skip is neither YES nor v2", errDirective)
	}
	return d, nil
}

// ownParameters are those whose name begins with _HLS_. What others, such as a CDN's token, look like is no concern of ours.
func ownParameters(query string) (url.Values, error) {
	own := url.Values{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "_HLS_") {
			continue
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return nil, fmt.Errorf("%w: %s does not parse", errDirective, name)
		}
		own.Add(name, text)
	}
	return own, nil
}

// target is the position that a snapshot must have reached to answer d. A part beyond the last one of a complete segment
// is part 0 of the next (rfc8216bis 6.2.5.2), and so on through gaps without parts.
func (d directives) target(s *timeline.Snapshot) timeline.Position {
	if !d.ofPart {
		return timeline.Position{N: d.msn + 1}
	}
	n, part := d.msn, d.part
	for edge := s.Position().N; n < edge; n++ {
		seg := s.Segment(n)
		if seg == nil || part < len(seg.Parts) {
			break
		}
		part = 0
	}
	return timeline.Position{N: n, Parts: part + 1}
}

// answerable reports whether the playlist of s answers d. After the end every directive is ignored.
func (d directives) answerable(s *timeline.Snapshot) bool {
	return !d.blocking || s.Ended || !s.Position().Before(d.target(s))
}

// tooFar reports whether d asks for more than two segments ahead of the last complete one, or for a part beyond the
// advance part limit (rfc8216bis 6.2.5.2).
func (d directives) tooFar(s *timeline.Snapshot, plan segmenter.Plan) bool {
	edge := s.Position()
	if !d.blocking || s.Ended || d.msn < edge.N {
		return false
	}
	if d.msn > edge.N+1 {
		return true
	}
	listed := 0
	if d.msn == edge.N {
		listed = edge.Parts
	}
	return d.ofPart && d.part >= listed+advancePartLimit(plan)
}

// advancePartLimit is how many parts ahead of the last one a request may be.
func advancePartLimit(plan segmenter.Plan) int {
	if plan.PartTarget <= 0 || plan.PartTarget >= time.Second {
		return 3
	}
	return int((3*time.Second + plan.PartTarget - 1) / plan.PartTarget)
}

// recent reports whether d asks for the live edge of s or just behind it, so that the URL all but fixes the answer.
func (d directives) recent(s *timeline.Snapshot) bool { return d.blocking && d.msn+2 >= s.Position().N }
