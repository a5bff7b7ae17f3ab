package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
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
			held = append(held, fmt.Sprintf("%s(%d)", name, e.checks))
			continue
		}
		good = false
		fmt.Fprintf(w, "FAIL %s: %d of %d\n", name, len(e.broken), e.checks)
		for _, b := range e.broken[:min(most, len(e.broken))] {
			fmt.Fprintf(w, "       %s\n", b)
		}
	}
	fmt.Fprintf(w, "ok   rules held, with the number of checks: %v\n", held)
	for _, n := range r.notes {
		fmt.Fprintf(w, "     %s\n", n)
	}
	return good
}
