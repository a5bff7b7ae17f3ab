package catalog_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

const base = `{"version":"draft-01","tracks":[{"name":"v","packaging":"cmaf","role":"video"}]}`

func at(group, object uint64) media.Location { return media.Location{Group: group, Object: object} }

func names(c *catalog.Catalog) string {
	var s []string
	for _, t := range c.Tracks {
		s = append(s, t.Name)
	}
	return strings.Join(s, ",")
}

func add(name string) []byte {
	return fmt.Appendf(nil, `{"deltaUpdate":[{"op":"add","tracks":[{"name":%q,"packaging":"cmaf","role":"video"}]}]}`, name)
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func TestDecodeRefuses(t *testing.T) {
	huge := `{"version":1,"tracks":[` + strings.Repeat(`{},`, 1024) + `{}]}`
	for _, tt := range []struct {
		name, payload string
		want          error
		where         string // of the message
	}{
		{"nothing", "", catalog.ErrSyntax, "catalog"},
		{"an array", `[]`, catalog.ErrSyntax, "catalog"},
		{"broken JSON, saying where", `{"version":1,"tracks":[}`, catalog.ErrSyntax, "at byte 24"},
		{"a future version", `{"version":"2","tracks":[]}`, catalog.ErrVersion, "version"},
		{"another catalog format", `{"video":{},"audio":{}}`, catalog.ErrSyntax, "tracks"},
		{"tracks that are no array", `{"version":1,"tracks":{}}`, catalog.ErrSyntax, "tracks"},
		{"a track that is no object", `{"version":1,"tracks":[{},7]}`, catalog.ErrSyntax, "tracks[1]"},
		{"too many tracks", huge, catalog.ErrTooLarge, "tracks"},
		{"too many bytes", strings.Repeat(" ", 1<<20+1), catalog.ErrTooLarge, "catalog"},
		{"a gzip bomb", string(gz(bytes.Repeat([]byte(" "), 9<<20))), catalog.ErrTooLarge, "inflates"},
		{"truncated gzip", string(gz([]byte(base))[:20]), catalog.ErrSyntax, "catalog"},
		{"an init without id", `{"version":1,"tracks":[],"initDataList":[{"data":"AAAA"}]}`, catalog.ErrSyntax, "initDataList[0].id"},
		{"a delta without base", string(add("w")), catalog.ErrNoBase, "object 0"},
		{"a delta of the older spelling without base", `{"deltaUpdate":true,"addTracks":[]}`, catalog.ErrNoBase, "object 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := catalog.NewDecoder([]string{"ns"}).Decode(at(0, 0), []byte(tt.payload))
			var ce *catalog.Error
			if !errors.Is(err, tt.want) || !errors.As(err, &ce) || !strings.Contains(err.Error(), tt.where) {
				t.Errorf("got %v, want %v naming %q", err, tt.want, tt.where)
			}
		})
	}
}

func TestFailedDeltaKeepsTheCatalogAndTheNextOneApplies(t *testing.T) {
	for _, bad := range []string{
		`{`,
		`{"deltaUpdate":[{"op":"add","tracks":[{"name":"x"}]},{"op":"remove","tracks":[{"name":"nobody"}]}]}`,
		`{"deltaUpdate":[{"op":"add","tracks":[{"name":"v"}]}]}`,
		`{"deltaUpdate":[{"op":"clone","tracks":[{"parentName":"nobody","name":"x"}]}]}`,
		`{"deltaUpdate":[{"op":"clone","tracks":[{"parentName":"v","width":5}]}]}`,
		`{"deltaUpdate":[{"op":"clone","tracks":[{"name":"x"}]}]}`,
		`{"deltaUpdate":[{"op":"update","tracks":[{"name":"nobody"}]}]}`,
		`{"deltaUpdate":[{"op":"upsert","tracks":[{"name":"v"}]}]}`,
		`{"deltaUpdate":true,"removeTracks":[{"name":"v"}],"addTracks":[{"name":"w"},{"name":"w"}]}`,
	} {
		d := catalog.NewDecoder([]string{"ns"})
		if _, err := d.Decode(at(5, 0), []byte(base)); err != nil {
			t.Fatal(err)
		}
		var ce *catalog.Error
		if c, err := d.Decode(at(5, 1), []byte(bad)); c != nil || !errors.As(err, &ce) {
			t.Errorf("%s: got %v, %v, want an error", bad, c, err)
		}
		c, err := d.Decode(at(5, 2), add("w"))
		if err != nil || names(c) != "v,w" {
			t.Errorf("after %s: got %v, %v, want v,w", bad, c, err)
		}
	}
}

func TestAMissingDeltaIsAMissingBase(t *testing.T) {
	d := catalog.NewDecoder([]string{"ns"})
	d.Decode(at(5, 0), []byte(base))
	if _, err := d.Decode(at(5, 2), add("x")); !errors.Is(err, catalog.ErrNoBase) {
		t.Fatalf("got %v, want ErrNoBase", err)
	}
	d.Decode(at(5, 1), add("w")) // fetched
	c, err := d.Decode(at(5, 2), add("x"))
	if err != nil || names(c) != "v,w,x" {
		t.Errorf("after the repair: %v, %v", c, err)
	}
}

func TestRepeatedAndOlderObjectsChangeNothing(t *testing.T) {
	d := catalog.NewDecoder([]string{"ns"})
	d.Decode(at(5, 0), []byte(base))
	want, _ := d.Decode(at(5, 1), add("w"))
	for _, l := range []media.Location{at(5, 1), at(5, 0), at(4, 9)} {
		got, err := d.Decode(l, []byte(`{"version":1,"tracks":[]}`))
		if err != nil || got != want {
			t.Errorf("%v: got %v, %v", l, got, err)
		}
	}
}

func TestGzipIsRecognised(t *testing.T) {
	d := catalog.NewDecoder([]string{"ns"})
	if _, err := d.Decode(at(0, 0), gz([]byte(base))); err != nil {
		t.Fatal(err)
	}
	c, err := d.Decode(at(0, 1), add("w"))
	if err != nil || names(c) != "v,w" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestEarlierCatalogsAreNotChangedByUpdates(t *testing.T) {
	d := catalog.NewDecoder([]string{"ns"})
	before, _ := d.Decode(at(0, 0), []byte(base))
	d.Decode(at(0, 1), []byte(`{"deltaUpdate":[{"op":"update","tracks":[{"name":"v","width":9}]},{"op":"clone","tracks":[{"parentName":"v","name":"u"}]}]}`))
	want, _ := catalog.NewDecoder([]string{"ns"}).Decode(at(0, 0), []byte(base))
	if diff := cmp.Diff(want, before); diff != "" {
		t.Error(diff)
	}
}

func TestVersions(t *testing.T) {
	for v, ok := range map[string]bool{
		`1`: true, `"1"`: true, `1.0`: true, `"1.0"`: true, `"draft-00"`: true, `"draft-07"`: true, `null`: true,
		`2`: false, `"0.5"`: false, `"warp"`: false,
	} {
		_, err := catalog.NewDecoder([]string{"ns"}).Decode(at(0, 0), []byte(`{"version":`+v+`,"tracks":[]}`))
		if (err == nil) != ok {
			t.Errorf("version %s: %v", v, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(base), add("w"))
	f.Add(gz([]byte(base)), []byte(`{"deltaUpdate":true,"cloneTracks":[{"parentName":"v","name":"u"}],"removeTracks":[{"name":"v"}]}`))
	f.Add([]byte(base), []byte(`{"deltaUpdate":[{"op":"update","tracks":[{"parentName":"v","initData":"AA--"}]}]}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d := catalog.NewDecoder([]string{"ns"})
		for i, p := range [][]byte{first, second} {
			c, err := d.Decode(at(0, uint64(i)), p)
			var ce *catalog.Error
			if (c == nil) == (err == nil) || err != nil && !errors.As(err, &ce) {
				t.Fatalf("catalog %v, error %v", c, err)
			}
			if err != nil {
				continue
			}
			seen := map[string]bool{}
			for _, track := range c.Tracks {
				if track.Name == "" || len(track.Namespace) == 0 || track.Kind == 0 || seen[track.Name] {
					t.Fatalf("bad track %+v", track)
				}
				seen[track.Name] = true
			}
		}
	})
}
