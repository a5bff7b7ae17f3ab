// Package clips holds the demo's media: 32 s that loop without a seam, as fragmented MP4, one file a track. make.sh made
// them and says what is in the picture.
package clips
