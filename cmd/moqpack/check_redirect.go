package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/storage"
)

// tryRedirect puts a segment into the bucket and gets it as a viewer would who was sent there, from a page of another origin.
func tryRedirect(ctx context.Context, c config.S3) []finding {
	what := "redirect " + c.Redirect
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	id := probeID()
	key, body := "moqpack-check-"+id+"/probe.m4s", []byte(id)
	store, err := openBucket(ctx, c, slog.New(slog.DiscardHandler), nil)
	if err == nil {
		err = store.Put(ctx, key, storage.Blob{Pieces: [][]byte{body}, ContentType: "video/mp4", CacheControl: "no-store"})
	}
	if err != nil {
		return []finding{{levelWarn, what, "not tried, for the bucket does not work", ""}}
	}
	defer func() { _ = store.Delete(context.WithoutCancel(ctx), key) }()
	res, err := visit(ctx, strings.TrimRight(c.Redirect, "/")+"/"+key)
	if err != nil {
		return []finding{{levelFail, what, err.Error(), "viewers are sent there for older media: correct --s3-redirect (storage.s3.redirect), or leave it out"}}
	}
	defer res.Body.Close()
	got, _ := io.ReadAll(io.LimitReader(res.Body, int64(len(body))+1)) // what is missing shows
	switch {
	case res.StatusCode != http.StatusOK || !bytes.Equal(got, body):
		return []finding{{levelFail, what, fmt.Sprintf("answers %q, and not with what is in the bucket", res.Status),
			"it must end where the prefix of the bucket does, and everybody may read *.m4s and *.mp4 there (s3:GetObject)"}}
	case res.Header.Get("Access-Control-Allow-Origin") == "":
		return []finding{{levelWarn, what, "shows what is in the bucket, but not to pages of other origins", "allow GET and HEAD from all origins (CORS)"}}
	}
	return []finding{{levelOK, what, "shows what is in the bucket", ""}}
}

// visit gets a URL as a page of another origin does. Its errors do not repeat the URL.
func visit(ctx context.Context, at string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Origin", "https://player.example")
	res, err := http.DefaultClient.Do(req)
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return res, err
}
