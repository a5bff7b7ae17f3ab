package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
)

// progress shows how far something is: a line that moves on a terminal, a line every ten seconds elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	total    int64 // bytes
	begun    time.Time
	shown    time.Time
}

func newProgress(w io.Writer, total int64) *progress {
	f, isFile := w.(*os.File)
	now := time.Now()
	return &progress{w: w, terminal: isFile && isatty.IsTerminal(f.Fd()), total: total, begun: now, shown: now}
}

// show says that so many bytes are done.
func (p *progress) show(done int64) {
	every := 10 * time.Second
	if p.terminal {
		every = time.Second / 10
	}
	now := time.Now()
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	line := progressLine(done, p.total, now.Sub(p.begun))
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(p.w, line)
	}
}

// end clears the line that moves.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// progressLine says how much is done, and how long the rest takes if it goes on as it did.
func progressLine(done, total int64, spent time.Duration) string {
	if total <= 0 || done <= 0 {
		return bytesOf(done)
	}
	left := time.Duration(float64(spent) * float64(max(total-done, 0)) / float64(done)).Round(time.Second)
	const width = 30
	bar := make([]byte, width)
	for i := range bar {
		bar[i] = '-'
		if int64(i)*total < done*width {
			bar[i] = '='
		}
	}
	return fmt.Sprintf("[%s] %3d %%  %s of %s  %v left", bar, min(100*done/total, 100), bytesOf(done), bytesOf(total), left)
}

// bytesOf writes a number of bytes for people.
func bytesOf(n int64) string {
	units := [...]string{"kB", "MB", "GB", "TB"}
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1000, units[0]
	for _, u := range units[1:] {
		if v < 999.95 {
			break
		}
		v, unit = v/1000, u
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}
