package lint

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Finding is one broken rule.
type Finding struct {
	File   string // relative to the root
	Line   int    // 0: the file or package as a whole
	Rule   string
	Reason string // what is wrong and why that matters
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Reason)
}

// Check applies every rule to the tree, in which the module's go.mod lies at the root. Directories with a go.mod of
// their own are other modules: only the rules about text apply to them.
func Check(root fs.FS) ([]Finding, error) {
	c := checker{packages: map[string]*pkg{}}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(skipped(), name) || slices.Contains(skipped(), d.Name()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() && name != "." && exists(root, path.Join(name, "go.mod")):
			c.modules = append(c.modules, name)
			return nil
		case d.IsDir() || !d.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		c.text(name, text)
		if strings.HasSuffix(name, ".go") && !c.foreign(name) {
			return c.source(name, text)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	c.wholePackages()
	slices.SortFunc(c.found, func(a, b Finding) int {
		return strings.Compare(fmt.Sprintf("%s:%06d%s", a.File, a.Line, a.Rule), fmt.Sprintf("%s:%06d%s", b.File, b.Line, b.Rule))
	})
	return c.found, nil
}

type checker struct {
	found    []Finding
	modules  []string // directories of other modules
	packages map[string]*pkg
}

// pkg is what the rules about whole packages need to know.
type pkg struct {
	name   string
	hasDoc bool // there is a doc.go
	code   bool // there is a file that is no test
	tests  []*goFile
}

func (c *checker) report(file string, line int, rule, format string, args ...any) {
	c.found = append(c.found, Finding{file, line, rule, fmt.Sprintf(format, args...)})
}

// foreign reports whether the Go file belongs to another module or is test data.
func (c *checker) foreign(name string) bool {
	if strings.Contains("/"+name, "/testdata/") {
		return true
	}
	return slices.ContainsFunc(c.modules, func(dir string) bool { return within(name, dir) })
}

// text applies the rules that hold for every file, whatever its language.
func (c *checker) text(name string, text []byte) {
	if bytes.IndexByte(text, 0) >= 0 {
		return // binary
	}
	if strings.HasSuffix(name, ".go") {
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			c.report(name, n, "length", "%d lines: a file holds one idea, %d lines at the very most", n, maxLines)
		}
	}
	// Spelt in two halves: this file is checked like any other.
	for _, p := range []string{".." + "/shared", "/work" + "/"} {
		if p[0] == '.' && name == ".ci/run" {
			continue // the one place that may look for schemas beside the repository
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if machinePath(line, p) {
				c.report(name, i+1, "path", "%q is a place on one machine: a clone elsewhere cannot have it", p)
			}
		}
	}
}

// machinePath reports whether the line names the path itself and not merely a path or URL that contains it.
func machinePath(line []byte, p string) bool {
	i := bytes.Index(line, []byte(p))
	if i < 0 {
		return false
	}
	return i == 0 || p[0] == '.' || bytes.IndexByte([]byte(" \t\"'`=(:,"), line[i-1]) >= 0
}

func (c *checker) wholePackages() {
	for dir, p := range c.packages {
		p.checkTests()
		if slices.Contains(vague(), p.name) {
			c.report(dir, 0, "name", "package %s says nothing about what is in it", p.name)
		}
		if p.code && !p.hasDoc && p.name != "main" {
			c.report(dir, 0, "doc", "package %s has no doc.go that says what it owns and must not know", p.name)
		}
	}
}

// within reports whether the path is dir or beneath it. Everything is within ".".
func within(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

func withinAny(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return within(name, d) })
}

func exists(root fs.FS, name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil
}
