package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// ErrNoWebTransport means that a server speaks HTTP/3, but offers no WebTransport.
var ErrNoWebTransport = errors.New("the server offers no WebTransport")

// RefusedError is a server's answer to CONNECT that was not 200.
type RefusedError struct{ Status int }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the server answered CONNECT with %d %s", e.Status, http.StatusText(e.Status))
}

// The settings by which the versions of draft-ietf-webtrans-http3 announce themselves. Servers of one version ignore those of
// the others.
const (
	settingDraft02     = 0x2b603742 // up to 06, and quinn's servers to this day
	settingMaxSessions = 0xc671706a // 07 to 13
	settingMaxDraft14  = 0x14e9cd29
	settingEnabled     = 0x2c7cf000 // 15
)

// WebTransport connects to path (with query) at addr (host:port). Where the server does not say which protocol it has chosen,
// it is the only one that was offered, or unknown: then Protocol is empty.
func (d Dialer) WebTransport(ctx context.Context, addr, path string) (Conn, error) {
	conn, done, err := d.dial(ctx, addr, []string{http3.NextProtoH3})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, convert(err))
	}
	c := newWebTransport(conn, done)
	if err := c.connect(ctx, addr, path, d.Protocols); err != nil {
		c.abandon()
		return nil, fmt.Errorf("dial %s: %w", addr, c.convert(err))
	}
	return c, nil
}

func newWebTransport(conn *quic.Conn, done func()) *webTransport {
	c := &webTransport{
		conn: conn, done: done,
		uni: make(chan *quic.ReceiveStream), bidi: make(chan *quic.Stream),
		drain: make(chan struct{}), gone: make(chan struct{}),
	}
	h3 := http3.Transport{
		EnableDatagrams: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		AdditionalSettings: map[uint64]uint64{settingDraft02: 1, settingMaxSessions: 1, settingEnabled: 1},
	}
	c.h3 = h3.NewRawClientConn(conn)
	c.g.Go(c.acceptUni)
	c.g.Go(c.acceptBidi)
	return c
}

// connect makes the session. ":protocol" is "webtransport", which all servers accept, and not the "webtransport-h3" of draft
// 15, which many do not know.
func (c *webTransport) connect(ctx context.Context, addr, path string, protocols []string) error {
	select {
	case <-c.h3.ReceivedSettings():
	case <-c.conn.Context().Done():
		return context.Cause(c.conn.Context())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !offered(c.h3.Settings()) {
		return ErrNoWebTransport
	}
	u, err := url.Parse("https://" + addr + path)
	if err != nil {
		return err
	}
	str, err := c.h3.OpenRequestStream(ctx)
	if err != nil {
		return err
	}
	c.request = str
	status, header, err := c.ask(ctx, &http.Request{
		Method: http.MethodConnect, Proto: "webtransport", Host: addr, URL: u,
		Header: http.Header{
			"Sec-Webtransport-Http3-Draft02": {"1"},
			"Wt-Available-Protocols":         {stringList(protocols)},
		},
	})
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return &RefusedError{status}
	}
	if c.protocol, err = chosen(header.Get("Wt-Protocol"), protocols); err == nil {
		c.g.Go(c.watch)
	}
	return err
}

// ask sends the request and waits for the answer, at most until ctx ends.
func (c *webTransport) ask(ctx context.Context, r *http.Request) (status int, header http.Header, err error) {
	unblock := context.AfterFunc(ctx, func() {
		c.request.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		c.request.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	})
	if err = c.request.SendRequestHeader(r); err == nil {
		var res *http.Response
		if res, err = c.request.ReadResponse(); err == nil { //nolint:bodyclose // the body is the session: watch reads it, and Close ends it
			status, header = res.StatusCode, res.Header
		}
	}
	if !unblock() {
		return 0, nil, context.Cause(ctx)
	}
	return status, header, err
}

// offered reports whether any version of WebTransport is.
func offered(s *http3.Settings) bool {
	return s.EnableExtendedConnect || s.Other[settingDraft02] > 0 || s.Other[settingMaxSessions] > 0 ||
		s.Other[settingMaxDraft14] > 0 || s.Other[settingEnabled] > 0
}

// stringList is a list of strings in the notation of RFC 9651. Protocols are names that need no escape.
func stringList(all []string) string {
	return `"` + strings.Join(all, `", "`) + `"`
}

// chosen is what the server's WT-Protocol says: a string (RFC 9651), which some write as a token.
func chosen(header string, protocols []string) (string, error) {
	item, _, _ := strings.Cut(header, ";")
	p := strings.Trim(strings.TrimSpace(item), `"`)
	switch {
	case p == "" && len(protocols) == 1:
		return protocols[0], nil
	case p == "" || slices.Contains(protocols, p):
		return p, nil
	}
	return "", fmt.Errorf("the server chose %q, which was not offered: %w", p, ErrNoProtocol)
}
