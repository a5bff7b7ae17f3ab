// Command conform reads the playlists, manifests and media of a running moqpack as a strict stranger would, and checks
// the rules of rfc8216bis (numbered H), of ISO/IEC 23009-1 and of DASH-IF's low-latency guidelines (numbered D).
//
// It shares no code with the product on purpose: what it knows of a playlist it reads from its text.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"
)

func main() {
	channel := flag.String("channel", "demo", "name of the channel")
	length := flag.Duration("for", 15*time.Second, "how long the playlists are followed")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: conform [flags] ORIGIN")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := newReport()
	checkHLS(ctx, r, flag.Arg(0)+"/"+*channel+"/index.m3u8", *length)
	checkLegacy(ctx, r, flag.Arg(0)+"/"+*channel+"/legacy.m3u8")
	checkDASH(ctx, r, flag.Arg(0)+"/"+*channel+"/index.mpd")
	checkDASH(ctx, r, flag.Arg(0)+"/"+*channel+"/legacy.mpd")
	if !r.print(os.Stdout) {
		os.Exit(1)
	}
}

// checkHLS checks the low-latency view: the multivariant playlist, then all media playlists at the same time.
func checkHLS(ctx context.Context, r *report, url string, length time.Duration) {
	m := checkMultivariant(ctx, r, url)
	if m == nil {
		return
	}
	followers := make([]*follower, len(m.media))
	var wg sync.WaitGroup
	for i, u := range m.media {
		followers[i] = &follower{r: r, url: u, parts: map[string]*partSeen{}, segments: map[uint64]*segment{}}
		wg.Go(func() { followers[i].run(ctx, length) })
	}
	wg.Wait()
	for _, f := range followers {
		f.again(ctx)
		checkDirectives(ctx, r, f.url)
		checkDelta(ctx, r, f.url)
	}
	checkAcross(ctx, r, m.media)
	m.checkBandwidth(r, followers)
}
