package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// report counts for each rule how often it was looked at and what broke it.
type report struct {
	mu    sync.Mutex
	rules map[string]*rule // guarded by mu
	notes []string         // guarded by mu
}

type rule struct {
	checks int
	broken []string
	should bool // the specification says SHOULD: told, but no failure
}

func newReport() *report { return &report{rules: map[string]*rule{}} }

// check records that the rule was looked at, and how it was broken unless ok. It returns ok.
func (r *report) check(name string, ok bool, format string, args ...any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.rules[name]
	if e == nil {
		e = &rule{}
		r.rules[name] = e
	}
	e.checks++
	if !ok {
		e.broken = append(e.broken, fmt.Sprintf(format, args...))
	}
	return ok
}

// should is check for what a specification recommends.
func (r *report) should(name string, ok bool, format string, args ...any) {
	r.check(name, ok, format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules[name].should = true
}

// note records a measurement.
func (r *report) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// print writes the result and returns whether all rules held.
func (r *report) print(w io.Writer) bool {
	const most = 6
	good := true
	var held []string
	for _, name := range slices.Sorted(maps.Keys(r.rules)) {
		e := r.rules[name]
		if len(e.broken) == 0 {
			held = append(held, fmt.Sprintf("%s (%d)", name, e.checks))
			continue
		}
		verdict := "warn"
		if !e.should {
			verdict, good = "FAIL", false
		}
		fmt.Fprintf(w, "%s %s: %d of %d\n", verdict, name, len(e.broken), e.checks)
		for _, b := range e.broken[:min(most, len(e.broken))] {
			fmt.Fprintf(w, "       %s\n", b)
		}
	}
	fmt.Fprintf(w, "ok   %d rules held, with the number of checks:\n", len(held))
	for line := range slices.Chunk(held, 5) {
		fmt.Fprintf(w, "       %s\n", strings.Join(line, ", "))
	}
	for _, n := range r.notes {
		fmt.Fprintf(w, "     %s\n", n)
	}
	return good
}
