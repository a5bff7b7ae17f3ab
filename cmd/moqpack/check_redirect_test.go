package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/config"
)

func TestCheckGoesWhereViewersAreSent(t *testing.T) {
	srv := bucket(t)
	recordings := http.FileServer(http.Dir(filepath.Join(srv.Data, "recordings"))) // objects of versitygw are files
	mux := http.NewServeMux()
	mux.Handle("/plain/", http.StripPrefix("/plain", recordings))
	mux.HandleFunc("/cors/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		http.StripPrefix("/cors", recordings).ServeHTTP(w, r)
	})
	mux.HandleFunc("/login/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("who are you?")) })
	cdn := httptest.NewServer(mux)
	defer cdn.Close()
	for _, tt := range []struct {
		url, says string
		level     level
	}{
		{cdn.URL + "/cors/live", "shows what is in the bucket", levelOK},
		{cdn.URL + "/cors/live/", "shows what is in the bucket", levelOK},
		{cdn.URL + "/plain/live", "(CORS)", levelWarn},
		{cdn.URL + "/cors", "404", levelFail}, // without the prefix
		{cdn.URL + "/login", "not with what is in the bucket", levelFail},
		{"http://127.0.0.1:1", "connection refused", levelFail},
	} {
		got := tryRedirect(t.Context(), config.S3{URL: "s3://recordings/live", Endpoint: srv.Endpoint, PathStyle: true, Redirect: tt.url})
		if len(got) != 1 || got[0].Level != tt.level || !strings.Contains(got[0].String(), tt.says) {
			t.Errorf("%s: %v, want %s that says %q", tt.url, got, tt.level, tt.says)
		}
	}
	if left, err := filepath.Glob(filepath.Join(srv.Data, "recordings", "live", "*")); err != nil || len(left) > 0 {
		t.Errorf("the check leaves %v behind: %v", left, err)
	}
	got := tryRedirect(t.Context(), config.S3{URL: "s3://nobody/live", Endpoint: srv.Endpoint, PathStyle: true, Redirect: cdn.URL})
	if len(got) != 1 || got[0].Level != levelWarn {
		t.Errorf("without a bucket: %v", got)
	}
}
