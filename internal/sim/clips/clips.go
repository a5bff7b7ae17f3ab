package clips

import "embed"

// Files are video-360.mp4, video-270.mp4 and video-180.mp4 (H.264, 25 fps, closed groups of 1 s), and audio-eng.mp4 and
// audio-swe.mp4 (AAC-LC, 48 kHz, stereo).
//
//go:embed *.mp4
var Files embed.FS

// Frames is the number of video frames in the loop: the barcode along the top edge counts them.
const Frames = 800
