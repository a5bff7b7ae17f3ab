// Package moqt is the subscriber's half of MoQ Transport: over a connection to a relay or a publisher it subscribes, fetches, and
// hands objects to a Sink exactly as the wire carried them.
//
// It owns sessions, requests, track aliases and data streams. It must not know catalogs, media, reordering,
// dialling or reconnecting: that is package subscriber. Drafts live in moqt/dialect, bytes in moqt/wire, QUIC in
// moqt/transport.
//
// Invariants: every incoming stream is read to its end or cancelled; a Sink that blocks stops the reading of its stream
// and of nothing else; nothing that arrived reliably is dropped; no size from the wire is allocated before it is bounded.
//
// What a session can do: Subscribe to tracks and Fetch their past; learn which Namespaces there are; and, for peers that push, take
// the tracks and namespaces that they offer (Config.Published, Config.Announced). Accept begins one that the peer has dialled.
//
// A session is used so:
//
//	s, err := moqt.New(conn, cfg)
//	g.Go(func() error { return s.Run(ctx) }) // must run, requests wait for it
//	sub, err := s.Subscribe(ctx, name, moqt.SubscribeOptions{}, sink)
package moqt
