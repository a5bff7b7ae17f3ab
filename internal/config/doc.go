// Package config is what an operator may choose, said once: the flags of the command and its YAML file fill the same structs, and
// the same Validate judges them.
//
// The file is strict. An unknown key, a duplicate, a value of the wrong kind, a duration without a unit or an unset environment
// variable is a fault with its line, and all faults are told at once. Anchors, aliases and tags are refused: a file of the
// allowed size cannot become larger than it is. What came from the environment is a secret: Redact takes it out of
// everything that is printed.
//
// The package does not open, dial or write anything. It knows no SDK: packages below get their own Config made from these structs.
package config
