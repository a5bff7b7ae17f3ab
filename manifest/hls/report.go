package hls

import (
	"strconv"

	"github.com/moqpack/moqpack/internal/media"
)

// reports tells where every other rendition is, so that a player that switches to it can ask for the right part at once
// (rfc8216bis 4.4.5.4). What it says follows from the position of this playlist alone, so that every instance says the same of
// it, however much it has heard of the other renditions.
func (w *writer) reports() {
	n, part := w.elsewhere()
	for i := range w.p.Renditions {
		o := &w.p.Renditions[i]
		if o.Track == w.r.Track || o.Empty() || o.Ended {
			continue
		}
		w.b = append(w.b, `#EXT-X-RENDITION-REPORT:URI="`...)
		w.b = playlist(o).AppendURI(w.b, w.doc)
		w.b = append(w.b, `",LAST-MSN=`...)
		if o.Track.Kind == media.Text {
			// It has no parts, and a silent slot is published half a slot after its end.
			w.b = strconv.AppendUint(w.b, max(w.r.Position().N, 2)-2, 10)
			w.b = append(w.b, '\n')
			continue
		}
		w.b = strconv.AppendUint(w.b, n, 10)
		w.b = append(w.b, ",LAST-PART="...)
		w.b = strconv.AppendInt(w.b, part, 10)
		w.b = append(w.b, '\n')
	}
}

// elsewhere is a part that every rendition has: all share the grid and, if the plan has even parts, those. It is the part before
// the last one here, because others may be a moment behind; a player that asks for what follows is answered at once. Where
// renditions cut their slots differently, only the first parts of slots are known to be everywhere.
func (w *writer) elsewhere() (n uint64, part int64) {
	at, each := w.r.Position(), w.p.Plan.Parts
	if each == 0 {
		if at.Parts < 2 {
			return max(at.N, 1) - 1, 0
		}
		return at.N, int64(max(at.Parts-3, 0))
	}
	behind := int64(at.Parts) - 2
	for n = at.N; behind < 0 && n > 0; n-- {
		behind += each
	}
	return n, min(max(behind, 0), each-1)
}
