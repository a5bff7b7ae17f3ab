// Command dockerlint reads a Dockerfile with BuildKit's own parser and linter, for machines without a container engine,
// and checks what this project promises of its image.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dockerlint DOCKERFILE")
		os.Exit(2)
	}
	faults, err := lint(os.Args[1])
	if err != nil {
		faults = append(faults, err.Error())
	}
	for _, f := range faults {
		fmt.Println("FAIL", f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
	fmt.Println("ok  ", os.Args[1])
}

func lint(path string) (faults []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := parser.Parse(f)
	if err != nil {
		return nil, err
	}
	l := linter.New(&linter.Config{Warn: func(rule, _, _, msg string, at []parser.Range) {
		faults = append(faults, fmt.Sprintf("line %d: %s: %s", at[0].Start.Line, rule, msg))
	}})
	stages, meta, err := instructions.Parse(doc.AST, l)
	if err != nil {
		return faults, err
	}
	if len(meta) > 0 || len(stages) < 2 {
		faults = append(faults, "not a plain multi-stage build")
	}
	for i, s := range stages {
		if !pinned(s.BaseName) {
			faults = append(faults, fmt.Sprintf("stage %d: %s has no exact tag", i, s.BaseName))
		}
		for _, c := range s.Commands {
			if c, ok := c.(*instructions.CopyCommand); ok {
				faults = append(faults, checkCopy(c, stages[:i], filepath.Dir(path))...)
			}
		}
	}
	return append(faults, checkFinal(stages[len(stages)-1])...), nil
}

// pinned reports whether the image has a tag that is no alias of the newest.
func pinned(image string) bool {
	_, tag, ok := strings.Cut(image, ":")
	return ok && tag != "latest"
}

// checkCopy wants every source to exist, in the build context or as a stage.
func checkCopy(c *instructions.CopyCommand, before []instructions.Stage, context string) (faults []string) {
	if c.From != "" {
		if !slices.ContainsFunc(before, func(s instructions.Stage) bool { return s.Name == c.From }) {
			faults = append(faults, "COPY --from="+c.From+": no such stage before it")
		}
		return faults
	}
	for _, src := range c.SourcePaths {
		if found, err := filepath.Glob(filepath.Join(context, src)); err != nil || len(found) == 0 {
			faults = append(faults, "COPY "+src+": not in the build context")
		}
	}
	return faults
}

// checkFinal wants the image to run as nobody and to know whether it is well, without a shell.
func checkFinal(s instructions.Stage) (faults []string) {
	var user string
	var health *instructions.HealthCheckCommand
	shell := true
	for _, c := range s.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.HealthCheckCommand:
			health = c
		case *instructions.EntrypointCommand:
			shell = c.PrependShell
		case *instructions.RunCommand:
			faults = append(faults, "the last stage has no shell to RUN with")
		}
	}
	if uid, _, _ := strings.Cut(user, ":"); uid == "" || uid == "0" || uid == "root" {
		faults = append(faults, fmt.Sprintf("the image runs as user %q", user))
	}
	if health == nil || health.Health.Test[0] != "CMD" {
		faults = append(faults, "there is no HEALTHCHECK in exec form")
	}
	if shell {
		faults = append(faults, "there is no ENTRYPOINT in exec form")
	}
	return faults
}
