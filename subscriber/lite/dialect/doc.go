// Package dialect describes each draft of moq-lite (draft-lcurley-moq-lite, 03 to 05) by one value: flags and small
// functions. It is the only place that knows drafts: no other code asks which one it is talking.
//
// Messages, frames and datagrams are neutral structs. Every one can be appended and parsed, whoever sends it, because the
// publishers of the demo and of the tests speak through the same codecs. One description serves both directions (see
// coder), so that they cannot drift apart; vectors written by hand keep them honest.
package dialect
