package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say what this binary is: version, commit, Go, and the MoQT drafts it speaks",
		Args:  cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			info, _ := debug.ReadBuildInfo()
			printVersion(c.OutOrStdout(), info)
		},
	}
}

// printVersion tells what the linker recorded and nothing else: a build without version control says so.
func printVersion(w io.Writer, info *debug.BuildInfo) {
	version, commit, when, dirty := "unknown", "unknown", "", ""
	if info != nil {
		if v := info.Main.Version; v != "" {
			version = v
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = s.Value
			case "vcs.time":
				when = " of " + s.Value
			case "vcs.modified":
				if s.Value == "true" {
					dirty = ", modified"
				}
			}
		}
	}
	var drafts []string
	for _, d := range dialect.All() {
		name := d.ALPN
		if d.Experimental {
			name += " (experimental)"
		}
		drafts = append(drafts, name)
	}
	fmt.Fprintf(w, "moqpack %s\ncommit  %s%s%s\ngo      %s %s/%s\ndrafts  %s\n",
		version, commit, when, dirty, runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(drafts, " "))
}
