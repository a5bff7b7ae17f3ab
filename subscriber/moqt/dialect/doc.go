// Package dialect describes each draft of MoQ Transport that moqpack speaks by one value: numbers, tables and small
// functions. It is the only place that knows drafts: no other code asks which one it is talking.
//
// Messages, headers and objects are neutral structs. Every one can be appended and parsed, whoever sends it, because the
// publishers of the demo and of the tests speak through the same codecs. One description serves both directions (see
// coder), so that they cannot drift apart; vectors that were written by hand or by an independent encoder keep them honest.
//
// A draft is a constructor (drafts_early.go, drafts_late.go), which begins with the draft before it, and its row in the tables of
// messages, parameters and codes. Peers that do not keep to theirs are in quirks.go. The texts of 14, 16, 18 and 19 were at hand;
// what 15, 17 and 20 to 22 are was taken from change logs and from what their implementations do. Peers have confirmed them;
// 21, which none did for longer than a moment, is experimental until docs/INTEROP.md has a row for it.
package dialect
