package catalog_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenDir = "../../testdata/catalog"

// script is a golden's input: what arrives on a catalog track, and on the init tracks that it names.
type script struct {
	Namespace []string
	Track     string
	Variables map[string]string
	Headers   map[string][]byte
	Objects   []struct {
		Group, Object uint64
		Payload       json.RawMessage
	}
}

func TestGoldens(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join(goldenDir, "*.json"))
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs in %s: %v", goldenDir, err)
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".json")
		t.Run(name, func(t *testing.T) {
			got := play(t, readScript(t, input))
			golden := filepath.Join(goldenDir, name+".golden")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got (rewrite with -update):\n%s", diff)
			}
		})
	}
}

func readScript(t testing.TB, path string) script {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return s
}

// play writes what comes of each object: an error, or the catalog with one line for each track.
func play(t *testing.T, s script) []byte {
	t.Helper()
	d := catalog.NewDecoder(catalog.Config{Namespace: s.Namespace, Track: s.Track, Variables: s.Variables})
	var out bytes.Buffer
	for _, o := range s.Objects {
		fmt.Fprintf(&out, "object %d/%d\n", o.Group, o.Object)
		c, err := d.Decode(object(o.Group, o.Object, o.Payload))
		for _, name := range d.Missing() {
			if header, ok := s.Headers[name]; ok && err == nil {
				c, err = d.Header(name, header)
			}
		}
		if err != nil {
			fmt.Fprintf(&out, "  error: %v\n", err)
			continue
		}
		fmt.Fprintf(&out, "  %s version %q complete %v\n", c.Format, c.Version, c.Complete)
		for _, track := range c.Tracks {
			fmt.Fprintf(&out, "  %s%s\n", track.Name, known(track))
		}
		for _, skipped := range c.Skipped {
			fmt.Fprintf(&out, "  skipped %s: %s\n", skipped.Name, skipped.Reason)
		}
	}
	return out.Bytes()
}

// known lists the fields of a track that are not zero.
func known(track media.Track) string {
	var s strings.Builder
	v := reflect.ValueOf(track)
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Name != "Name" && !v.Field(i).IsZero() {
			switch value := v.Field(i).Interface().(type) {
			case []byte:
				fmt.Fprintf(&s, " %s=%x", field.Name, value)
			case []media.Protection, []media.Caption, *media.Template:
				text, _ := json.Marshal(value)
				fmt.Fprintf(&s, " %s=%s", field.Name, text)
			default:
				fmt.Fprintf(&s, " %s=%v", field.Name, value)
			}
		}
	}
	return s.String()
}
