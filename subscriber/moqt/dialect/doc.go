// Package dialect describes each supported draft of MoQ Transport by one value: data and small functions. It is the only place
// that knows drafts. Both directions of every message are here, for the subscriber and for the publishers of demo and tests.
package dialect
