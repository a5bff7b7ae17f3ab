package lint

import (
	"go/ast"
	"slices"
	"strings"
)

// checkCode applies the rules about what a function does.
func (g *goFile) checkCode() {
	for _, fn := range g.functions() {
		if fn.Name.Name == "init" && fn.Recv == nil {
			g.report(g.name, g.at(fn), "init", "init runs before anyone can decide; construct values where they are used")
		}
		if !g.test && withinAny(g.dir, pure()) {
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

// checkTests finds sleeps in real time and skipped tests.
func (p *pkg) checkTests() {
	openers := map[string]bool{} // functions that run what they are given in a bubble
	bubbles := false             // some test of the package runs in one
	for _, g := range p.tests {
		bubbles = bubbles || slices.Contains(g.imports, "testing/synctest")
		for _, fn := range g.functions() {
			if !isTest(fn) && containsCall(fn.Body, nil) {
				openers[fn.Name.Name] = true
			}
		}
	}
	for _, g := range p.tests {
		for _, fn := range g.functions() {
			// A helper that sleeps is believed to be called in a bubble if there are any, and a function literal to run
			// in the one that its test opens.
			g.checkTest(fn.Body, openers, bubbles && !isTest(fn), containsCall(fn.Body, openers))
		}
	}
}

// checkTest looks at a piece of a test, which runs in a bubble or does not, and whose function literals do if literals.
func (g *goFile) checkTest(root ast.Node, openers map[string]bool, inBubble, literals bool) {
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if opens(n, openers) {
				for _, arg := range n.Args {
					g.checkTest(arg, openers, true, true)
				}
				return false
			}
		case *ast.FuncLit:
			if literals && !inBubble {
				g.checkTest(n.Body, openers, true, true)
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

// opens reports whether the call runs its arguments in a bubble.
func opens(call *ast.CallExpr, openers map[string]bool) bool {
	switch fn := call.Fun.(type) {
	case *ast.SelectorExpr:
		return is(fn, "synctest", "Test")
	case *ast.Ident:
		return openers[fn.Name]
	}
	return false
}

// containsCall reports whether a bubble is opened anywhere beneath root.
func containsCall(root ast.Node, openers map[string]bool) (found bool) {
	ast.Inspect(root, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		found = found || ok && opens(call, openers)
		return !found
	})
	return found
}

// functions are those of the file that have a body.
func (g *goFile) functions() []*ast.FuncDecl {
	var out []*ast.FuncDecl
	for _, decl := range g.ast.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			out = append(out, fn)
		}
	}
	return out
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
