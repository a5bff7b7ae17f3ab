package lint

// module is the import path of this repository.
const module = "github.com/moqpack/moqpack"

// floor is a part of the tree. A package imports its own part and the parts of lower floors, nothing else.
type floor struct {
	dir    string // relative to the module; everything beneath it belongs to it
	level  int
	reason string
}

// floors lists the parts from the ground up. Two parts of one level do not know each other.
func floors() []floor {
	return []floor{
		{"internal/media", 0, "media is a leaf: nouns that everyone may speak of"},
		{"subscriber", 1, "the subscriber knows MoQ and catalogs, not segments, playlists or stores"},
		{"segmenter", 1, "the segmenter knows neither MoQ nor keys nor stores, so that it stays a fold"},
		{"manifest", 2, "writers of documents are pure: they know timelines and names, not stores or HTTP"},
		{"storage", 3, "a store knows keys and bytes; only its sink knows names"},
		{"internal/config", 4, "what an operator may choose is handed down by the command: whoever is configured does not know the file"},
		{"internal/channel", 5, "the wiring joins the floors for one broadcast; only the command knows it"},
		{"server", 4, "the server speaks HTTP about manifests and blobs through interfaces of its own"},
		{"internal/sim", 5, "the simulated publisher stands outside the line: only the command and tests may use it"},
		{"internal/s3test", 0, "a server for tests knows nothing of what is tested"},
		{"cmd", 6, "the command wires everything and is imported by nobody"},
	}
}

// border says in which directories (and files) a third-party module may appear, and why nowhere else. Tests may cross
// it when tests is set.
type border struct {
	path   string // import path prefix
	dirs   []string
	file   string // base name of the only file that may import it; empty for any
	tests  bool
	reason string
}

// borders is the whole list of third-party modules: an import that no border mentions is a finding too.
func borders() []border {
	return []border{
		{"github.com/quic-go/quic-go", []string{"subscriber/moqt/transport", "internal/sim"}, "", true,
			"QUIC stops at one Conn interface, so that the session engines can be driven without a network"},
		{"github.com/quic-go/webtransport-go", []string{"subscriber/moqt/transport"}, "", false,
			"WebTransport stops where QUIC does; only its server half is used, since its client refuses many servers"},
		{"github.com/Eyevinn/mp4ff", []string{"segmenter/demux", "segmenter/mux", "internal/sim"}, "", true,
			"boxes stop at the edges of the segmenter: between them there are only samples"},
		{"github.com/Eyevinn/locmaf", []string{"internal/sim"}, "", true,
			"it reserves memory for whatever number of samples a header claims: here it only writes, and so tests our own reader"},
		{"github.com/labstack/echo", []string{"server"}, "", false,
			"the router is the server's own affair"},
		{"github.com/grafov/m3u8", []string{"manifest/legacy"}, "", true,
			"it is archived and knows no low latency: it stays behind the one view that it fits"},
		{"github.com/Eyevinn/dash-mpd", []string{"manifest/dash"}, "", true,
			"MPD types are not our model of a presentation"},
		{"github.com/aws/", []string{"storage/s3"}, "", false,
			"a cloud's SDK stops at the store that speaks to it"},
		{"github.com/prometheus/client_golang", []string{"."}, "metrics.go", true,
			"metrics are found in metrics.go or nowhere"},
		{"github.com/goccy/go-yaml", []string{"internal/config"}, "", true,
			"YAML is read in one place, strictly; tests may read other files"},
		{"github.com/spf13/cobra", []string{"cmd"}, "", false,
			"flags and help are the command's own affair"},
		{"github.com/spf13/pflag", []string{"cmd"}, "", false,
			"flags and help are the command's own affair"},
		{"github.com/mattn/go-isatty", []string{"cmd"}, "", false,
			"only the command has a terminal"},
		{"github.com/google/go-cmp", nil, "", true,
			"it may panic by design: tests only"},
		{"github.com/Eyevinn/hls-m3u8", nil, "", true,
			"it is the independent reader of our playlists, which it would not be if they were written with it"},
		{"golang.org/x/", []string{"."}, "", true,
			"the extended standard library is at home everywhere but in the pure core"},
	}
}

// pure lists the parts whose output is a function of their input, and standardOnly those that import nothing but the
// standard library and each other.
func pure() []string { return []string{"segmenter", "manifest", "subscriber/moqt/wire"} }

func standardOnly() []string {
	return []string{"internal/media", "segmenter/timeline", "subscriber/moqt/wire"}
}

// impure are the imports that let the world into a function.
func impure() []string {
	return []string{"log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "net", "net/http", "os", "os/exec"}
}

// clocks are the functions of package time that read a clock or wait for one.
func clocks() []string {
	return []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
}

// vague are names of packages that say nothing about what is in them.
func vague() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "app", "manager"}
}

const maxLines = 500

// skipped are what holds nothing of ours: dependencies, build output and the version history.
func skipped() []string {
	return []string{".git", "node_modules", "dist", "server/page/vendor", ".ci/artefacts"}
}
