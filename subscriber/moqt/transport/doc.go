// Package transport carries sessions over QUIC behind small interfaces. It is the only importer of quic-go on this side.
package transport
