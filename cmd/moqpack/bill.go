package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage/archive"
)

// bill says once for each channel what its archive in a bucket costs in requests, as soon as its renditions are known.
type bill struct {
	said map[string]bool // channels that have been billed
}

// due are the lines to print now.
func (b *bill) due(channels []server.Channel) (lines []string) {
	for _, c := range channels {
		s, out := c.Status(), c.Output()
		if b.said[s.Name] || out == nil || len(out.Renditions) == 0 || !slices.ContainsFunc(s.Archives, inBucket) {
			continue
		}
		b.said[s.Name] = true
		lines = append(lines, fmt.Sprintf("%s in the bucket: %s", s.Name, costLine(layoutOf(out))))
	}
	return lines
}

func inBucket(a server.Archive) bool { return a.Name == "s3" }

func layoutOf(out *segmenter.Output) archive.Layout {
	return archive.Layout{Renditions: len(out.Renditions), Segment: slotOf(out.Plan.Grid), Instances: 1}
}

// slotOf is how long a slot lasts, to the millisecond.
func slotOf(g timeline.Grid) time.Duration {
	return time.Duration(float64(g.Num) / float64(g.Den) * float64(time.Second)).Round(time.Millisecond)
}
