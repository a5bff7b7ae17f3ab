// Command interop publishes a live CMSF broadcast with a MoQT library that nobody of this project wrote:
// github.com/Eyevinn/moqtransport, draft 16 or 14, over QUIC on loopback. .ci/run feeds "moqpack serve" from it.
//
// With -connect it is the client, as encoders are, of a "moqpack serve --listen", and connects again when the session ends.
//
// It loops fragmented MP4 clips so that media time is Unix time, one frame an object, one subgroup stream a group.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/big"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/Eyevinn/moqtransport"
	"github.com/Eyevinn/moqtransport/quicmoq"
	"github.com/quic-go/quic-go"
)

func main() {
	var (
		listen    = flag.String("listen", "127.0.0.1:4443", "UDP address to accept MoQT sessions on")
		connect   = flag.String("connect", "", "UDP address to connect to instead, HOST:PORT; its certificate is not verified")
		namespace = flag.String("namespace", "interop/studio1", "track namespace, fields separated by /")
		protocol  = flag.String("protocol", "moqt-16", "protocol to agree on: moqt-16, or moq-00 for draft 14")
		fetch     = flag.Bool("fetch", true, "answer FETCH (with the library's draft-14 object layout) instead of refusing it")
		largest   = flag.Bool("largest", true, "name the largest location in SUBSCRIBE_OK, which invites a FETCH")
		announce  = flag.Bool("announce", true, "send PUBLISH_NAMESPACE after the set-up")
		seconds   = flag.Int("group", 1, "group duration in seconds; a whole number of the clips' GOPs")
	)
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: interop [flags] CLIP.mp4 ...\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &broadcast{namespace: strings.Split(*namespace, "/"), protocol: *protocol, fetch: *fetch, largest: *largest, announce: *announce}
	for _, path := range flag.Args() {
		t, err := readTrack(path, *seconds)
		if err != nil {
			log.Fatal(err)
		}
		b.tracks = append(b.tracks, t)
	}
	run := func() error { return b.run(ctx, *listen) }
	if *connect != "" {
		run = func() error { return b.connect(ctx, *connect) }
	}
	if err := run(); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// run accepts sessions until ctx ends.
func (b *broadcast) run(ctx context.Context, addr string) error {
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	l, err := quic.ListenAddr(addr, &tls.Config{
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{b.protocol},
	}, &quic.Config{EnableDatagrams: true})
	if err != nil {
		return err
	}
	defer l.Close()
	log.Printf("publishing %s at moqt://%s: %d tracks", strings.Join(b.namespace, "/"), l.Addr(), len(b.tracks))
	for {
		conn, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		log.Printf("session from %s, %s", conn.RemoteAddr(), conn.ConnectionState().TLS.NegotiatedProtocol)
		go b.serve(ctx, conn, quicmoq.NewServer(conn))
	}
}

// connect has a session with addr, again and again until ctx ends.
func (b *broadcast) connect(ctx context.Context, addr string) error {
	for ctx.Err() == nil {
		conn, err := quic.DialAddr(ctx, addr, &tls.Config{
			InsecureSkipVerify: true, NextProtos: []string{b.protocol},
		}, &quic.Config{EnableDatagrams: true})
		if err != nil {
			log.Printf("connect: %v", err)
			time.Sleep(time.Second)
			continue
		}
		log.Printf("publishing %s to %s: %d tracks", strings.Join(b.namespace, "/"), addr, len(b.tracks))
		b.serve(ctx, conn, quicmoq.NewClient(conn))
		_ = conn.CloseWithError(0, "")
	}
	return ctx.Err()
}

// serve runs one session until its connection closes.
func (b *broadcast) serve(ctx context.Context, conn *quic.Conn, over moqtransport.Connection) {
	s := &moqtransport.Session{
		InitialMaxRequestID: 100,
		Handler: moqtransport.HandlerFunc(func(w moqtransport.ResponseWriter, m *moqtransport.Message) {
			log.Printf("%s %v/%s", m.Method, m.Namespace, m.Track)
			if w == nil { // a GOAWAY
				return
			}
			_ = w.Reject(0, "this publisher only publishes")
		}),
		SubscribeHandler: moqtransport.SubscribeHandlerFunc(
			func(w *moqtransport.SubscribeResponseWriter, m *moqtransport.SubscribeMessage) {
				b.subscribe(conn.Context(), w, m)
			}),
		FetchHandler: moqtransport.FetchHandlerFunc(
			func(w *moqtransport.FetchResponseWriter, m *moqtransport.FetchMessage) { b.serveFetch(w, m) }),
		SubscribeUpdateHandler: moqtransport.SubscribeUpdateHandlerFunc(func(*moqtransport.SubscribeUpdateMessage) {}),
	}
	setup, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.RunContext(setup, over); err != nil {
		log.Printf("set-up: %v", err)
		return
	}
	if b.announce {
		if err := s.Announce(setup, b.namespace); err != nil {
			log.Printf("PUBLISH_NAMESPACE: %v", err)
		}
	}
	select {
	case <-conn.Context().Done():
	case <-ctx.Done():
	}
	log.Printf("session over: %v", context.Cause(conn.Context()))
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
