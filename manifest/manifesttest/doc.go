// Package manifesttest plays make-believe broadcasts into real timelines, for the tests of the writers.
//
// It cuts like the segmenter does (one grid, whole parts, gaps for lost slots), from nothing but frame durations.
package manifesttest
