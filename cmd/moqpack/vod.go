package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/vod"
)

// vodFlags are what moqpack vod is asked for.
type vodFlags struct {
	from, channel string
	s3            config.S3 // all but the URL, where from is a bucket
	start, end    string
	name, out     string
	tracks        []string
	fragmented    bool
	force, list   bool
}

func vodCommand() *cobra.Command {
	var f vodFlags
	c := &cobra.Command{
		Use:   "vod --from (DIR | s3://BUCKET/PREFIX) (--list | --channel NAME [--start T] [--end T] (--name CLIP | --out FILE))",
		Short: "Make a clip or a file of what was recorded",
		Long: `Make something to keep of a recording: of all of it, or of what lies between two times. The recording may
go on meanwhile.

--name makes a clip by reference, in a moment: HLS and DASH documents under a name of their own, beside the
recording, that list its media. It begins and ends with whole segments, and asks players to begin at the frame.
What it lists is kept from retention.

--out makes an MP4 file, cut at the frame: of the best video and the first audio, or of each --track.

Times are 2006-01-02T15:04:05Z, 15:04:05 (UTC, on the day of the recording), +90s (from the start of the
recording, --end, too) or media:12.5 (seconds of the publisher's media time). Where the result differs from what was
asked for, that is printed.`,
		Example: `  moqpack vod --from /var/lib/moqpack --list
  moqpack vod --from /var/lib/moqpack --channel news --start 10:00:00 --end 10:30:00 --name morning
  moqpack vod --from /var/lib/moqpack --channel news --start 10:00:01.2 --end 10:00:45 --out clip.mp4
  moqpack vod --from s3://bucket/live --channel news --out sound.mp4 --track audio-en --fragmented`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.valid(); err != nil {
				return err
			}
			return f.run(c.Context(), c.OutOrStdout())
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.from, "from", "", "what was recorded in: the directory of --data, or the s3://BUCKET/PREFIX of --s3")
	reach(fs, &f.s3)
	fs.BoolVar(&f.list, "list", false, "print what is recorded")
	fs.StringVar(&f.channel, "channel", "", "channel to take from")
	fs.StringVar(&f.start, "start", "", "`time` to begin at (default: the first that is kept)")
	fs.StringVar(&f.end, "end", "", "`time` to end at (default: the last that is kept)")
	fs.StringVar(&f.name, "name", "", "make a clip by reference under this name")
	fs.StringVar(&f.out, "out", "", "make an MP4 `file`")
	fs.StringArrayVar(&f.tracks, "track", nil, "`name` of a track of the file; may be repeated")
	fs.BoolVar(&f.fragmented, "fragmented", false, "make a fragmented file instead of a progressive one")
	fs.BoolVar(&f.force, "force", false, "replace a clip or a file that exists")
	return c
}

// valid is nil, or what does not go together.
func (f *vodFlags) valid() error {
	check := func(ok bool, text string) error {
		if ok {
			return nil
		}
		return errors.New(text)
	}
	one := (f.name != "") != (f.out != "")
	return errors.Join(
		check(f.from != "", "--from: name the directory or the bucket that was recorded in"),
		check(f.list || f.channel != "", "--channel: name the channel to take from, --list prints them"),
		check(f.list || one, "one of --name, for a clip by reference, and --out, for an MP4 file, is needed"),
		check(!f.list || f.name+f.out == "", "--list makes nothing: leave out --name and --out"),
		check(f.out != "" || len(f.tracks) == 0 && !f.fragmented, "--track and --fragmented are for --out: a clip has all tracks"),
	)
}

func (f *vodFlags) run(ctx context.Context, w io.Writer) error {
	if f.name != "" {
		store, closeStore, err := openArchive(ctx, f.from, f.s3)
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		return errors.Join(f.clip(ctx, w, store), closeStore())
	}
	store, closeStore, err := openRecorded(ctx, f.from, f.s3)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	return errors.Join(f.take(ctx, w, store), closeStore())
}

// take lists, or writes a file.
func (f *vodFlags) take(ctx context.Context, w io.Writer, store vod.Source) error {
	if f.list {
		return listRecorded(ctx, w, store, f.channel)
	}
	rec, g, err := f.choose(ctx, store)
	if err != nil {
		return err
	}
	m, err := rec.Movie(ctx, g, f.tracks)
	if err != nil {
		return err
	}
	if _, err := m.WriteTo(w); err != nil {
		return err
	}
	p := newProgress(w, m.Bytes)
	err = m.File(ctx, f.out, f.fragmented, f.force, p.show)
	p.end()
	if err == nil {
		fmt.Fprintf(w, "wrote %s\n", f.out)
	}
	return err
}

// choose opens the recording and finds what is asked for in it.
func (f *vodFlags) choose(ctx context.Context, store vod.Source) (*vod.Recording, vod.Range, error) {
	start, err := vod.ParseWhen(f.start)
	if err != nil {
		return nil, vod.Range{}, fmt.Errorf("--start: %w", err)
	}
	end, err := vod.ParseWhen(f.end)
	if err != nil {
		return nil, vod.Range{}, fmt.Errorf("--end: %w", err)
	}
	rec, err := vod.Open(ctx, store, f.channel)
	if err != nil {
		return nil, vod.Range{}, fmt.Errorf("--from %s: %w: --list prints what is recorded", f.from, err)
	}
	g, err := rec.Range(start, end)
	return rec, g, err
}

func (f *vodFlags) clip(ctx context.Context, w io.Writer, store storage.Durable) error {
	rec, g, err := f.choose(ctx, store)
	if err != nil {
		return err
	}
	rep, err := rec.Clip(ctx, store, f.name, g, f.force)
	if err != nil {
		return err
	}
	if _, err := rep.WriteTo(w); err != nil {
		return err
	}
	base := strings.TrimSuffix(f.from, "/") + "/" + rep.Directory
	fmt.Fprintf(w, "HLS   %s/legacy.m3u8\nDASH  %s/legacy.mpd\n", base, base)
	return nil
}

// listRecorded prints what is kept of the channel, or of all.
func listRecorded(ctx context.Context, w io.Writer, store vod.Source, channel string) error {
	if channel != "" {
		return printSummary(w, vod.Summarize(ctx, store, channel))
	}
	var errs []error
	n := 0
	for c, err := range vod.Channels(ctx, store) {
		if err != nil {
			return err
		}
		n++
		errs = append(errs, printSummary(w, vod.Summarize(ctx, store, c)))
	}
	if n == 0 {
		fmt.Fprintln(w, "nothing is recorded here")
	}
	return errors.Join(errs...)
}

func printSummary(w io.Writer, s vod.Summary) error {
	if s.Err != nil {
		return s.Err
	}
	state := "live"
	if s.Ended {
		state = "ended"
	}
	fmt.Fprintf(w, "%s  %s to %s, %s, %s\n", s.Channel, vod.Stamp(s.First), vod.Stamp(s.Last), vod.Span(s.Last-s.First), state)
	for _, r := range s.Renditions {
		fmt.Fprintf(w, "  %-20s %-16s %6d segments %10s", r.Track, r.Codec, r.Segments, bytesOf(r.Bytes))
		if r.Missing > 0 {
			fmt.Fprintf(w, "  %d missing", r.Missing)
		}
		fmt.Fprintln(w)
	}
	return nil
}
