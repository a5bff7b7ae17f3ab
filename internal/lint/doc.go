// Package lint holds the rules of the house that no ordinary linter knows: which floor may import which, where each
// third-party module stops, what the pure core may not touch, and a few habits. Every rule carries its reason, and the
// package's test runs them over the repository.
//
// It reads source text only (go/parser, no type checking, no build), so it costs milliseconds.
package lint
