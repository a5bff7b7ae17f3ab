package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/server"
)

// announce prints what to open, and where to publish.
func (o *origin) announce(w io.Writer, http net.Addr, udp net.PacketConn) {
	base, names := o.base(http), slices.Clone(o.names)
	fmt.Fprintf(w, "\nmoqpack serves %s/   <- open this: every channel, with a player\n", base)
	if udp != nil {
		fmt.Fprintf(w, "publish to     %s\n", o.door.url(udp.LocalAddr()))
		if o.door.own != nil {
			fmt.Fprintf(w, "               whose certificate signs itself, SHA-256 %s\n", o.door.own.fingerprint())
		}
	}
	for _, p := range o.patterns {
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	for _, n := range names {
		c := base + "/" + manifest.Escape(n)
		fmt.Fprintf(w, "\n  %s\n", n)
		fmt.Fprintf(w, "    LL-HLS   %s/index.m3u8\n    LL-DASH  %s/index.mpd\n", c, c)
		fmt.Fprintf(w, "    HLS      %s/legacy.m3u8\n    DASH     %s/legacy.mpd\n", c, c)
	}
	for _, p := range o.patterns {
		switch {
		case p.Name != "":
		case p.Published():
			fmt.Fprintf(w, "\n  every broadcast under %s that is published to us, as it appears\n", p.Namespace)
		default:
			fmt.Fprintf(w, "\n  every broadcast under %s of %s, as it appears\n", p.Namespace, withoutQuery(p.Relays[0]))
		}
	}
	fmt.Fprintln(w)
}

// withoutQuery is a relay's URL without what only the relay should know.
func withoutQuery(url string) string {
	relay, _, _ := strings.Cut(url, "?")
	return relay
}

// watch shows how the channels are doing: a line that moves on a terminal, a line every ten seconds elsewhere.
func watch(ctx context.Context, w io.Writer, channels func() []server.Channel, b bill) error {
	f, isFile := w.(*os.File)
	terminal := isFile && isatty.IsTerminal(f.Fd())
	every, lines := time.Second, 10 // a line for every ten ticks
	if terminal {
		every, lines = time.Second/4, 1
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			if terminal {
				fmt.Fprintln(w)
			}
			return nil
		case <-t.C:
			for _, l := range b.due(channels()) {
				if terminal {
					l = "\r\x1b[K" + l
				}
				fmt.Fprintln(w, l)
			}
			if (n+1)%lines != 0 {
				continue
			}
			line := statusLine(channels())
			if terminal {
				fmt.Fprintf(w, "\r\x1b[K%c %s", `|/-\`[n%4], line)
			} else {
				fmt.Fprintln(w, line)
			}
		}
	}
}

// statusLine says in one line where each channel's live edge is.
func statusLine(channels []server.Channel) string {
	var b strings.Builder
	for i, c := range channels {
		if i > 0 {
			b.WriteString(" | ")
		}
		s := c.Status()
		fmt.Fprintf(&b, "%s: %s", s.Name, s.State)
		if s.Draft != "" {
			fmt.Fprintf(&b, " (%s from %s)", s.Draft, s.Relay)
		}
		if out := c.Output(); out != nil && len(out.Renditions) > 0 {
			edge := out.Renditions[0].Timeline.Load().Position()
			fmt.Fprintf(&b, ", %d renditions, at segment %d part %d", len(out.Renditions), edge.N, edge.Parts)
		} else if s.Error != "" {
			fmt.Fprintf(&b, ": %s", s.Error)
		}
	}
	return b.String()
}
