package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/moqpack/moqpack/subscriber"
)

// report is what a probe found out.
type report struct {
	Relay     string   `json:"relay"`
	Draft     string   `json:"draft,omitempty"`     // what was negotiated
	Transport string   `json:"transport,omitempty"` // quic or webtransport
	Namespace string   `json:"namespace"`           // empty: none was named, and there is not one alone
	Phase     string   `json:"phase"`               // how far it came: connecting, waiting, live, ended
	Seconds   float64  `json:"seconds"`             // listened
	Catalog   string   `json:"catalog,omitempty"`   // its version
	Errors    []string `json:"errors,omitempty"`
	Hints     []string `json:"hints,omitempty"`

	Under      string   `json:"under,omitempty"`      // the prefix of Namespaces
	Namespaces []string `json:"namespaces,omitempty"` // of the broadcasts that the relay tells of
	Unlisted   string   `json:"unlisted,omitempty"`   // why it does not

	Segment    float64    `json:"segment,omitempty"`    // seconds of a segment that moqpack would make
	PartTarget float64    `json:"partTarget,omitempty"` // seconds
	Tracks     []trackRow `json:"tracks,omitempty"`
	Skipped    []ignored  `json:"skipped,omitempty"`
}

// ignored is what of a catalog cannot be packaged.
type ignored struct {
	Track  string `json:"track"`
	Reason string `json:"reason"`
}

// trackRow is a track of the report.
type trackRow struct {
	Name           string `json:"name"`
	Kind           string `json:"kind"`
	Packaging      string `json:"packaging"`
	Codec          string `json:"codec,omitempty"`
	Language       string `json:"language,omitempty"`
	CatalogBitrate int64  `json:"catalogBitrate,omitempty"`

	Groups       int      `json:"groups"`
	Objects      int64    `json:"objects"`
	Bytes        int64    `json:"bytes"`
	From         uint64   `json:"fromGroup,omitempty"`
	To           uint64   `json:"toGroup,omitempty"`
	GroupSeconds float64  `json:"groupSeconds,omitempty"` // between the arrivals of groups
	PerGroup     float64  `json:"objectsPerGroup,omitempty"`
	Lost         int      `json:"lost,omitempty"`    // times that objects were missing
	Refused      int      `json:"refused,omitempty"` // objects that cannot be packaged
	Properties   []uint64 `json:"properties,omitempty"`

	Segments         int      `json:"segments"`
	Behind           *float64 `json:"behind,omitempty"`           // seconds of the live edge behind our clock
	ClockFromArrival bool     `json:"clockFromArrival,omitempty"` // the stream says nothing of wall clock
}

// fit reports whether there is anything to package.
func (r *report) fit() bool {
	for i := range r.Tracks {
		if r.Tracks[i].Objects > int64(r.Tracks[i].Refused) {
			return true
		}
	}
	return false
}

// hint says what to try.
func (r *report) hint(s subscriber.State) {
	add := func(format string, args ...any) { r.Hints = append(r.Hints, fmt.Sprintf(format, args...)) }
	all := strings.Join(r.Errors, " ")
	switch {
	case r.Draft == "":
		add("there is no session: are host and port right, does UDP get through, is the certificate to be believed (--tls-fingerprint, --insecure)?")
		add("try another draft: ?draft=16, ?draft=18, ?draft=lite-05")
	case strings.Contains(all, "ended by the peer") && blamed(all) != "":
		add("this relay closed the session on parameter %s: try ?draft=%s, and leave out --token", blamed(all), other(r.Draft))
	case strings.Contains(all, "ended by the peer"):
		add("the relay closed the session: it may not speak all of %s; try another one, such as ?draft=%s", r.Draft, other(r.Draft))
	case r.Catalog == "" && len(r.Tracks) == 0 && s.Phase <= subscriber.Waiting:
		add("there is no catalog in %q: is the namespace right, does the publisher run? A / within a field is written %%2F", r.Namespace)
	}
	for i := range r.Tracks {
		switch t := &r.Tracks[i]; {
		case t.Objects == 0 && r.Phase == "live":
			add("%s: nothing came", t.Name)
		case t.ClockFromArrival:
			add("%s: the stream says nothing of wall clock: time is taken from arrival, and instances need a shared bucket to agree", t.Name)
		case t.Behind != nil && (*t.Behind > 10 || *t.Behind < -1):
			add("%s: its live edge is %.1f s behind this machine's clock: is one of the clocks wrong, or does the relay hold back?", t.Name, *t.Behind)
		}
	}
}

// blamed is the parameter that the peer's words say it has closed a session for; empty: they do not.
func blamed(words string) string {
	m := regexp.MustCompile(`(?i)\bparam(?:eter)?s?\b[^0-9"]{0,16}\b(0x[0-9a-f]+|[0-9]+)\b`).FindStringSubmatch(words)
	if m == nil {
		return ""
	}
	n, err := strconv.ParseUint(m[1], 0, 62)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%#x", n)
}

// other is a draft of the other family.
func other(draft string) string {
	if draft == "moqt-16" {
		return "18"
	}
	return "16"
}

// print writes the report for people.
func (r *report) print(w io.Writer) {
	if r.Namespace == "" {
		fmt.Fprintf(w, "%s: no broadcast is named\n", orNone(r.Relay, "nowhere"))
		r.sections(w)
		return
	}
	fmt.Fprintf(w, "%s from %s, namespace %s: %s after %.0f s", orNone(strings.TrimSpace(r.Draft+" "+r.Transport), "no session"), orNone(r.Relay, "nowhere"),
		r.Namespace, r.Phase, r.Seconds)
	if r.Catalog != "" {
		fmt.Fprintf(w, ", catalog version %s", r.Catalog)
	}
	fmt.Fprintln(w)
	if r.Segment > 0 {
		fmt.Fprintf(w, "segments of %.3f s, parts of %.3f s at most\n", r.Segment, r.PartTarget)
	}
	if len(r.Tracks) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "\ntrack\tkind\tpackaging\tcodec\tgroups\ts/group\tobjects/group\tbytes\tlost\trefused\tbehind clock")
		for i := range r.Tracks {
			r.Tracks[i].print(t)
		}
		_ = t.Flush() // to a terminal or a pipe: who does not read does not want to know
	}
	r.sections(w)
}

// sections writes what comes in lists.
func (r *report) sections(w io.Writer) {
	section(w, fmt.Sprintf("broadcasts under %q that the relay tells of", r.Under), len(r.Namespaces), func(i int) string { return r.Namespaces[i] })
	if r.Unlisted != "" && (r.Draft != "" || r.Namespace == "") {
		fmt.Fprintf(w, "\nother broadcasts are not known: %s\n", r.Unlisted)
	}
	section(w, "ignored", len(r.Skipped), func(i int) string { return r.Skipped[i].Track + ": " + r.Skipped[i].Reason })
	section(w, "what went wrong", len(r.Errors), func(i int) string { return r.Errors[i] })
	section(w, "what to try", len(r.Hints), func(i int) string { return r.Hints[i] })
}

func (t *trackRow) print(w io.Writer) {
	behind := "-"
	if t.Behind != nil {
		behind = fmt.Sprintf("%.2f s", *t.Behind)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%.2f\t%.1f\t%s\t%d\t%d\t%s\n", t.Name, t.Kind, t.Packaging, orNone(t.Codec, "-"), t.Groups, t.GroupSeconds,
		t.PerGroup, bytesOf(t.Bytes), t.Lost, t.Refused, behind)
}

func section(w io.Writer, title string, n int, line func(int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for i := range n {
		fmt.Fprintf(w, "  %s\n", line(i))
	}
}

func orNone(s, none string) string {
	if s == "" {
		return none
	}
	return s
}
