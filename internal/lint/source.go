package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source applies the rules about Go code.
func (c *checker) source(name string, text []byte) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	g := &goFile{checker: c, name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: fset, ast: f}
	g.remember()
	for _, spec := range f.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		g.imports = append(g.imports, target)
		g.checkImport(spec, target)
	}
	g.checkCode()
	return nil
}

// remember keeps what the rules about whole packages need.
func (g *goFile) remember() {
	p := g.packages[g.dir]
	if p == nil {
		p = &pkg{name: strings.TrimSuffix(g.ast.Name.Name, "_test")}
		g.packages[g.dir] = p
	}
	p.hasDoc = p.hasDoc || path.Base(g.name) == "doc.go"
	if g.test {
		p.tests = append(p.tests, g)
	} else {
		p.code = true
	}
}

// goFile is the file that is being checked.
type goFile struct {
	*checker
	name, dir string
	test      bool
	fset      *token.FileSet
	ast       *ast.File
	imports   []string
}

func (g *goFile) at(n ast.Node) int { return g.fset.Position(n.Pos()).Line }

func (g *goFile) checkImport(spec *ast.ImportSpec, target string) {
	if slices.Contains(g.imports[:len(g.imports)-1], target) {
		g.report(g.name, g.at(spec), "import", "%s is imported twice", target)
	}
	switch {
	case target == module || strings.HasPrefix(target, module+"/"):
		g.checkFloor(spec, strings.TrimPrefix(strings.TrimPrefix(target, module), "/"))
	case strings.Contains(strings.SplitN(target, "/", 2)[0], "."):
		g.checkBorder(spec, target)
	case !g.test && withinAny(g.dir, pure()) && slices.Contains(impure(), target):
		g.report(g.name, g.at(spec), "pure", "%s lets the world into a function of its input; inject a value instead", target)
	}
}

// checkFloor applies to shipped code: a test may look down and up.
func (g *goFile) checkFloor(spec *ast.ImportSpec, target string) {
	if g.test {
		return
	}
	from, to := floorOf(g.dir), floorOf(target)
	switch {
	case from == nil || to == nil || from.dir == to.dir:
	case to.level >= from.level:
		g.report(g.name, g.at(spec), "floor", "%s may not import %s: %s", from.dir, target, from.reason)
	case to.dir == "internal/sim" && from.dir != "cmd":
		g.report(g.name, g.at(spec), "floor", "%s may not import %s: %s", from.dir, target, to.reason)
	}
}

func floorOf(dir string) *floor {
	for _, f := range floors() {
		if within(dir, f.dir) {
			return &f
		}
	}
	return nil
}

func (g *goFile) checkBorder(spec *ast.ImportSpec, target string) {
	if withinAny(g.dir, standardOnly()) && !g.test {
		g.report(g.name, g.at(spec), "border", "%s uses the standard library alone, not %s", g.dir, target)
		return
	}
	for _, b := range borders() {
		if !strings.HasPrefix(target, b.path) {
			continue
		}
		inside := withinAny(g.dir, b.dirs) && (b.file == "" || b.file == path.Base(g.name))
		if !inside && (!g.test || !b.tests) {
			g.report(g.name, g.at(spec), "border", "%s does not belong here: %s", target, b.reason)
		}
		return
	}
	g.report(g.name, g.at(spec), "border", "no border is drawn for %s: add it to internal/lint/rules.go with the reason", target)
}
