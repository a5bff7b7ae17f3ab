// Package mux writes canonical CMAF: headers, and one moof and mdat for each part.
//
// Its output is a pure function of the samples and of the publisher's sample entry. How the publisher had wrapped them leaves
// no trace: no creation times, no defaults, no bitrates, no encoder names, and always track 1. So what two instances, or two
// publishers of the same media, make of the same samples is equal to the byte, and is stored and cached once.
//
// WebVTT writes a segment of subtitles once more, as the text that HLS wants: a function of the segment and its header.
//
// Headers go through mp4ff. Fragments are few boxes and written often, so they are written by hand, each with one allocation.
package mux
