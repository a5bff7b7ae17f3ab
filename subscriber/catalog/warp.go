package catalog

import "maps"

// flat is the track with what the common catalog format keeps elsewhere: fields that all tracks share, and selectionParams
// (draft-ietf-moq-catalogformat, "Common track fields"). What is said of the track itself wins.
func (s *state) flat(f fields) fields {
	if s.common == nil && !f.has("selectionParams") {
		return f
	}
	all := fields{}
	for _, layer := range []fields{s.common.object("selectionParams"), s.common, f.object("selectionParams"), f} {
		maps.Copy(all, layer)
	}
	if all.has("initTrack") && !all.has("packaging") {
		all["packaging"] = []byte(`"cmaf"`)
	}
	return all
}
