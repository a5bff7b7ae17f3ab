package lint

import (
	"go/ast"
	"slices"
	"strings"
)

// checkCode applies the rules about what a function does.
func (g *goFile) checkCode() {
	for _, decl := range g.ast.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		if fn.Name.Name == "init" && fn.Recv == nil {
			g.report(g.name, g.at(fn), "init", "init runs before anyone can decide; construct values where they are used")
		}
		if g.test {
			g.checkTest(fn)
		} else if withinAny(g.dir, pure()) {
			g.checkPure(fn)
		}
	}
}

// checkPure finds clocks and goroutines in the pure core.
func (g *goFile) checkPure(fn *ast.FuncDecl) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			g.report(g.name, g.at(n), "pure", "a goroutine makes the output depend on scheduling")
		case *ast.SelectorExpr:
			if is(n, "time", clocks()...) {
				g.report(g.name, g.at(n), "pure", "time.%s makes the output depend on when it runs; take the time as an argument", n.Sel.Name)
			}
		}
		return true
	})
}

// checkTest finds sleeps in real time and skipped tests. A helper that sleeps is believed to run in a bubble if its file
// imports testing/synctest.
func (g *goFile) checkTest(fn *ast.FuncDecl) {
	bubbles := slices.Contains(g.imports, "testing/synctest")
	inBubble := bubbles && !isTest(fn)
	var inspect func(n ast.Node, inBubble bool)
	inspect = func(root ast.Node, inBubble bool) {
		ast.Inspect(root, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && is(sel, "synctest", "Test") {
					for _, arg := range n.Args {
						inspect(arg, true)
					}
					return false
				}
			case *ast.SelectorExpr:
				if is(n, "time", "Sleep") && !inBubble {
					g.report(g.name, g.at(n), "sleep", "a sleep outside a synctest bubble is slow today and flaky tomorrow; wait for the event")
				}
				if is(n, "t", "Skip", "Skipf", "SkipNow") || is(n, "b", "Skip", "Skipf", "SkipNow") {
					g.report(g.name, g.at(n), "skip", "a test that skips itself proves nothing and looks as if it did")
				}
			}
			return true
		})
	}
	inspect(fn.Body, inBubble)
}

func isTest(fn *ast.FuncDecl) bool {
	for _, p := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		if strings.HasPrefix(fn.Name.Name, p) {
			return fn.Recv == nil
		}
	}
	return false
}

// is reports whether the selector is one of the names of the package or variable.
func is(sel *ast.SelectorExpr, of string, names ...string) bool {
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == of && slices.Contains(names, sel.Sel.Name)
}
