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

// script is a golden's input: what arrives on a catalog track.
type script struct {
	Namespace []string
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

func readScript(t *testing.T, path string) script {
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
	d := catalog.NewDecoder(s.Namespace)
	var out bytes.Buffer
	for _, o := range s.Objects {
		fmt.Fprintf(&out, "object %d/%d\n", o.Group, o.Object)
		c, err := d.Decode(media.Location{Group: o.Group, Object: o.Object}, o.Payload)
		if err != nil {
			fmt.Fprintf(&out, "  error: %v\n", err)
			continue
		}
		fmt.Fprintf(&out, "  version %q complete %v\n", c.Version, c.Complete)
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
			format := " %s=%v"
			if field.Name == "Init" {
				format = " %s=%x"
			}
			fmt.Fprintf(&s, format, field.Name, v.Field(i).Interface())
		}
	}
	return s.String()
}
