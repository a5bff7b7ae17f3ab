package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong.
type Fault struct {
	Path         string // of the field, "channels[0].dvr"; empty for the file as a whole
	Line, Column int    // in the file; 0 if there is none, or if the field is not in it
	Text         string // what is wrong and what would be right
}

func (f *Fault) Error() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", f.Line, f.Column)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	return b.String() + f.Text
}

// Faults are those of an error that Validate, Parse or Load returned, in order.
func Faults(err error) []*Fault {
	if f, ok := err.(*Fault); ok {
		return []*Fault{f}
	}
	var all []*Fault
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(e)...)
		}
	} else if inner := errors.Unwrap(err); inner != nil {
		all = Faults(inner)
	}
	return all
}

// maxFaults bounds how many are told at once.
const maxFaults = 30

// faults collects.
type faults []*Fault

func (fs *faults) add(path, format string, args ...any) {
	*fs = append(*fs, &Fault{Path: path, Text: fmt.Sprintf(format, args...)})
}

// join is all of them as one error, by line; nil if there are none.
func (fs faults) join() error {
	slices.SortStableFunc(fs, func(a, b *Fault) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	var errs []error
	for i, f := range fs {
		if i == maxFaults {
			errs = append(errs, &Fault{Text: fmt.Sprintf("and %d faults more", len(fs)-i)})
			break
		}
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}
