// Package dialect describes each draft of MoQ Transport that moqpack speaks by one value: numbers, tables and small
// functions. It is the only place that knows drafts: no other code asks which one it is talking.
//
// Messages, headers and objects are neutral structs. Every one can be appended and parsed, whoever sends it, because the
// publishers of the demo and of the tests speak through the same codecs. One description serves both directions (see
// coder), so that they cannot drift apart; vectors from an independent encoder keep them honest.
package dialect
