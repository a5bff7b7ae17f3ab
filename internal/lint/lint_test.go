package lint

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRepositoryKeepsTheRules(t *testing.T) {
	found, err := Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// A checker that finds nothing is worth nothing: every rule is shown an example that breaks it.
func TestEachRuleFindsItsBadExample(t *testing.T) {
	const m = `"` + module + `/`
	for _, tt := range []struct {
		name, file, text string
		want             string // "rule: words of the reason"; empty: no finding
	}{
		{"segmenter imports storage", "segmenter/a.go", "package segmenter\nimport _ " + m + `storage"`, "floor: segmenter may not import storage"},
		{"subscriber imports segmenter", "subscriber/a.go", "package subscriber\nimport _ " + m + `segmenter/timeline"`, "floor: subscriber may not import"},
		{"media imports manifest", "internal/media/a.go", "package media\nimport _ " + m + `manifest"`, "floor: internal/media may not import"},
		{"server imports sim", "server/a.go", "package server\nimport _ " + m + `internal/sim"`, "floor: server may not import"},
		{"storage imports cmd", "storage/a.go", "package storage\nimport _ " + m + `cmd/moqpack"`, "floor: storage may not import"},
		{"manifest imports segmenter", "manifest/a.go", "package manifest\nimport _ " + m + `segmenter/timeline"`, ""},
		{"command imports sim", "cmd/x/a.go", "package main\nimport _ " + m + `internal/sim"`, ""},
		{"a test looks up", "segmenter/a_test.go", "package segmenter\nimport _ " + m + `storage"`, ""},

		{"quic-go in the server", "server/a.go", "package server\nimport _ \"github.com/quic-go/quic-go\"", "border: github.com/quic-go/quic-go does not belong"},
		{"quic-go at its border", "subscriber/moqt/transport/a.go", "package transport\nimport _ \"github.com/quic-go/quic-go/qlog\"", ""},
		{"mp4ff between the edges", "segmenter/a.go", "package segmenter\nimport _ \"github.com/Eyevinn/mp4ff/mp4\"", "border: github.com/Eyevinn/mp4ff/mp4 does not"},
		{"echo in a test of storage", "storage/a_test.go", "package storage\nimport _ \"github.com/labstack/echo/v4\"", "border: github.com/labstack/echo"},
		{"prometheus outside metrics.go", "server/a.go", "package server\nimport _ \"github.com/prometheus/client_golang/prometheus\"", "border: github.com/prometheus"},
		{"prometheus in metrics.go", "server/metrics.go", "package server\nimport _ \"github.com/prometheus/client_golang/prometheus\"", ""},
		{"go-cmp in shipped code", "server/a.go", "package server\nimport _ \"github.com/google/go-cmp/cmp\"", "border: github.com/google/go-cmp"},
		{"an unknown module", "server/a.go", "package server\nimport _ \"example.org/left-pad\"", "border: no border is drawn"},
		{"the timeline imports x/sync", "segmenter/timeline/a.go", "package timeline\nimport _ \"golang.org/x/sync/errgroup\"", "border: segmenter/timeline uses the standard library"},

		{"a logger in the core", "segmenter/a.go", "package segmenter\nimport _ \"log/slog\"", "pure: log/slog"},
		{"a clock in the core", "manifest/hls/a.go", "package hls\nimport \"time\"\nfunc f() { _ = time.Now() }", "pure: time.Now"},
		{"a goroutine in the core", "segmenter/mux/a.go", "package mux\nfunc f() { go f() }", "pure: a goroutine"},
		{"a clock in the server", "server/a.go", "package server\nimport \"time\"\nfunc f() { _ = time.Now() }", ""},

		{"a sleep in a test", "server/a_test.go", "package server\nimport \"time\"\nfunc TestX(t *T) { time.Sleep(1) }", "sleep: "},
		{"a sleep in a bubble", "server/a_test.go", "package server\nimport (\"time\";\"testing/synctest\")\nfunc TestX(t *T) { synctest.Test(t, func(t *T) { time.Sleep(1) }) }", ""},
		{"a sleep beside a bubble", "server/a_test.go", "package server\nimport (\"time\";\"testing/synctest\")\nfunc TestX(t *T) { synctest.Test(t, nil); time.Sleep(1) }", "sleep: "},
		{"a sleep in a bubble that a helper opens", "server/a_test.go", "package server\nimport (\"time\";\"testing/synctest\")\nfunc bubble(f func()) { synctest.Test(nil, nil); f() }\nfunc TestX(t *T) { bubble(func() { time.Sleep(1) }) }", ""},
		{"a skipped test", "server/a_test.go", "package server\nfunc TestX(t *T) { t.Skip() }", "skip: "},
		{"init", "server/a.go", "package server\nfunc init() {}", "init: "},
		{"a long file", "server/a.go", "package server\n" + strings.Repeat("\n", maxLines), "length: "},
		{"a package called util", "internal/util/a.go", "package util", "name: package util"},
		{"a package without doc.go", "internal/x/a.go", "package x", "doc: package x"},

		{"a path of one machine", "docs/a.md", "see /work" + "/main", "path: "},
		{"a folder beside the repository", "a.sh", "cat .." + "/shared/x", "path: "},
		{"the same in .ci/run", ".ci/run", "cat .." + "/shared/x", ""},
		{"a URL that looks like one", "docs/a.md", "https://example.org/work" + "/x", ""},
		{"another module's imports", ".ci/x/a.go", "package x\nimport _ \"example.org/left-pad\"", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{
				tt.file:        {Data: []byte(tt.text)},
				".ci/x/go.mod": {Data: []byte("module x")},
			}
			if tt.want == "" || !strings.HasPrefix(tt.want, "doc") {
				addDoc(tree, tt.file)
			}
			found, err := Check(tree)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case tt.want != "" && len(found) != 1:
				t.Errorf("found %v, want one %q", found, tt.want)
			case tt.want != "" && !strings.Contains(found[0].String(), tt.want):
				t.Errorf("found %v, want %q", found[0], tt.want)
			}
		})
	}
}

// addDoc gives the file's package the doc.go that every package needs.
func addDoc(tree fstest.MapFS, file string) {
	dir, base, _ := cutLast(file)
	if !strings.HasSuffix(base, ".go") || strings.HasPrefix(file, "cmd/") {
		return
	}
	name := dir[strings.LastIndex(dir, "/")+1:]
	tree[dir+"/doc.go"] = &fstest.MapFile{Data: []byte("package " + name)}
}

func cutLast(file string) (dir, base string, ok bool) {
	i := strings.LastIndex(file, "/")
	if i < 0 {
		return ".", file, false
	}
	return file[:i], file[i+1:], true
}

func TestAFileThatDoesNotParseIsAnError(t *testing.T) {
	if _, err := Check(fstest.MapFS{"a.go": {Data: []byte("packag")}}); err == nil {
		t.Error("Check accepted a file that is not Go")
	}
}
