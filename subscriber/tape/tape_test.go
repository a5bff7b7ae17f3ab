package tape_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/tape"
)

const head = `{"format":"moqpack-recording","version":1,"namespace":["a"],"began":"2026-11-28T10:00:00Z"}` + "\n"

func entries() []tape.Entry {
	return []tape.Entry{
		{What: tape.Session, Draft: "moqt-18"},
		{At: 5, What: tape.Accepted, Track: "v", Largest: &media.Location{}, Properties: []media.Property{{Type: 8, Value: 1 << 63}}},
		{At: 5, What: tape.Object, Track: "v", Space: []string{"b", ""}, Group: 1<<64 - 1, Object: 7, Status: media.EndOfGroup, Payload: []byte{0, 255}},
		{At: 9, What: tape.Fetched, Track: "v", Error: "no"},
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, name := range []string{"r", "r.gz"} {
		path := filepath.Join(t.TempDir(), name)
		began := time.Unix(1795860000, 0).UTC()
		w, err := tape.Create(path, []string{"a"}, began)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range entries() {
			at := began.Add(time.Duration(e.At) * time.Microsecond)
			if i == 2 {
				at = began // it was overtaken
			}
			w.Write(at, e)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(path); bytes.HasPrefix(b, []byte("{")) == strings.HasSuffix(name, ".gz") {
			t.Errorf("%s begins with %.2q", name, b)
		}
		r, err := tape.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Began.Equal(began) || !cmp.Equal(r.Namespace, []string{"a"}) {
			t.Errorf("header %+v", r.Header)
		}
		var got []tape.Entry
		for e, err := r.Next(); err != io.EOF; e, err = r.Next() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if diff := cmp.Diff(entries(), got); diff != "" {
			t.Error(diff)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A recorder that is killed leaves half a line, or half of a gzip stream.
func TestWhatIsCutOffEndsTheRecording(t *testing.T) {
	plain := head + `{"us":1,"what":"session"}` + "\n" + `{"us":2,"wh`
	var z bytes.Buffer
	zw := gzip.NewWriter(&z)
	_, _ = io.WriteString(zw, plain)
	_ = zw.Flush()
	for name, in := range map[string]string{"plain": plain, "gzip": z.String()} {
		r, err := tape.NewReader(strings.NewReader(in))
		if err != nil {
			t.Fatal(name, err)
		}
		if e, err := r.Next(); err != nil || e.What != tape.Session {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: %v, want EOF", name, err)
		}
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	r, err := tape.NewReader(strings.NewReader(head + `{"us":2,"what":"session"}` + "\n" + `{"us":1,"what":"object"}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = r.Next()
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("%v, want the line", err)
	}
}

func TestALineIsBounded(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(head), io.LimitReader(zeros{}, 1<<30))
	r, err := tape.NewReader(endless)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(head + `{"us":1,"what":"object","track":"v","payload":"AA==","properties":[{"Type":6,"Value":5}]}` + "\n"))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := tape.NewReader(bytes.NewReader(b))
		for err == nil {
			_, err = r.Next()
		}
	})
}
