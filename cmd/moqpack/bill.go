package main

import (
	"fmt"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage/archive"
)

// bill says once for each channel what its archive in a bucket costs in requests, as soon as its renditions are known.
type bill struct {
	onS3 map[string]bool // channels that have not been billed yet
}

// due are the lines to print now.
func (b *bill) due(channels []server.Channel) (lines []string) {
	for _, c := range channels {
		name, out := c.Status().Name, c.Output()
		if !b.onS3[name] || out == nil || len(out.Renditions) == 0 {
			continue
		}
		delete(b.onS3, name)
		lines = append(lines, fmt.Sprintf("%s in the bucket: %s", name, costLine(layoutOf(out))))
	}
	return lines
}

func layoutOf(out *segmenter.Output) archive.Layout {
	return archive.Layout{Renditions: len(out.Renditions), Segment: slotOf(out.Plan.Grid), Instances: 1}
}

// slotOf is how long a slot lasts, to the millisecond.
func slotOf(g timeline.Grid) time.Duration {
	return time.Duration(float64(g.Num) / float64(g.Den) * float64(time.Second)).Round(time.Millisecond)
}
