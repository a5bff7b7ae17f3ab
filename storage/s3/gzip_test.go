package s3

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// fourHours is the plain playlist of four hours in segments of 2 s.
func fourHours(t testing.TB) storage.Blob {
	t.Helper()
	const first, slots = 897_620_400, 7200
	init := &media.Init{Kind: media.Video, Codec: "avc1.64001f", Timescale: 90000, Digest: "0123abcd"}
	s := &timeline.Snapshot{Epochs: []timeline.Epoch{{First: first, Init: init, Frame: 3600}}}
	for n := uint64(first); n < first+slots; n++ {
		s.Segments = append(s.Segments, timeline.Segment{N: n, State: timeline.Full, Start: int64(n) * 180000, Dur: 180000})
	}
	doc, err := legacy.Media(manifest.Presentation{
		Channel: "demo", Plan: segmenter.Plan{Grid: timeline.Grid{Num: 2, Den: 1}, TargetDuration: 2, Window: slots},
		Renditions: []manifest.Rendition{{Track: &media.Track{Name: "v", Kind: media.Video}, Snapshot: s}},
	}, "v")
	if err != nil {
		t.Fatal(err)
	}
	return storage.Blob{Pieces: [][]byte{doc.Body}, ContentType: doc.ContentType, CacheControl: "public, max-age=1"}
}

// fetch is what a player gets that asks for no compression.
func fetch(t *testing.T, s *Store, key string) (body []byte, h http.Header) {
	t.Helper()
	signed, err := api.NewPresignClient(s.api).PresignGetObject(t.Context(), &api.GetObjectInput{Bucket: aws.String(bucketName), Key: s.path(key)})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	res, err := client.Get(signed.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return body, res.Header
}

func TestLongPlaylistsAreCompressedInTheBucketAndPlainHere(t *testing.T) {
	long := fourHours(t)
	short := storage.Blob{Pieces: [][]byte{[]byte("#EXTM3U\n")}, ContentType: manifest.TypeHLS, CacheControl: "public, max-age=1"}
	record := storage.Blob{Pieces: long.Pieces, ContentType: "application/json", CacheControl: "no-store"}
	each(t, func(t *testing.T, open func() *Store) {
		packing, other := open(), open() // one instance is told to, the other not
		packing.cfg.Gzip = true
		for key, tt := range map[string]struct {
			doc    storage.Blob
			packed bool
		}{"c/v/legacy.m3u8": {long, true}, "c/legacy.m3u8": {short, false}, "c/record-0.json": {record, false}} {
			v, err := packing.Swap(t.Context(), key, tt.doc, "")
			if err != nil {
				t.Fatal(err)
			}
			body, h := fetch(t, packing, key)
			if packed := h.Get("Content-Encoding") == "gzip"; packed != tt.packed || h.Get("Content-Type") != tt.doc.ContentType || h.Get("Cache-Control") != tt.doc.CacheControl {
				t.Errorf("%s: %v", key, h)
			}
			if tt.packed {
				if len(body)*10 > int(tt.doc.Size()) {
					t.Errorf("%s: %d bytes instead of %d", key, len(body), tt.doc.Size())
				}
				if body, err = unpacked(body); err != nil {
					t.Error(err)
				}
			}
			if !bytes.Equal(body, slices.Concat(tt.doc.Pieces...)) {
				t.Errorf("%s: other content: %.60q", key, body)
			}
			for _, s := range []*Store{packing, other} {
				b, now, err := s.Load(t.Context(), key)
				if err != nil || !b.Equal(tt.doc) || now != v || b.Digest != storage.Digest(tt.doc.Pieces) {
					t.Errorf("%s: version %q of type %q, %v", key, now, b.ContentType, err)
				}
			}
			if _, err := other.Swap(t.Context(), key, tt.doc, v); err != nil {
				t.Errorf("%s: the other instance cannot replace it: %v", key, err)
			}
			if _, h := fetch(t, packing, key); h.Get("Content-Encoding") != "" {
				t.Errorf("%s is still said to be compressed", key)
			}
		}
	})
}

func TestTheSameDocumentIsCompressedToTheSameBytes(t *testing.T) {
	s := &Store{cfg: Config{Gzip: true}}
	a, _ := s.compressed(fourHours(t))
	b, is := s.compressed(fourHours(t))
	if !is || !a.Equal(b) {
		t.Error("two contents")
	}
	z, err := gzip.NewReader(bytes.NewReader(slices.Concat(a.Pieces...)))
	if err != nil || !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("%+v, %v", z, err)
	}
	t.Logf("four hours in segments of 2 s: %d bytes plain, %d compressed", fourHours(t).Size(), a.Size())
}

func TestWhatIsNoGzipIsCorrupt(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = io.Copy(z, io.LimitReader(zeros{}, maxPlain+1))
	_ = z.Close()
	for name, packed := range map[string][]byte{"nothing": nil, "text": []byte("#EXTM3U"), "cut short": bomb.Bytes()[:100], "a bomb": bomb.Bytes()} {
		if _, err := unpacked(packed); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func FuzzUnpacked(f *testing.F) {
	s := &Store{cfg: Config{Gzip: true}}
	b, _ := s.compressed(storage.Blob{Pieces: [][]byte{[]byte(strings.Repeat("#EXTINF:2.000,\n", worth))}, ContentType: manifest.TypeHLS})
	f.Add(slices.Concat(b.Pieces...))
	f.Fuzz(func(t *testing.T, packed []byte) {
		if body, err := unpacked(packed); err != nil && (!errors.Is(err, storage.ErrCorrupt) || body != nil) {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	})
}

// BenchmarkCompress is four hours of one rendition, as they are written with every segment.
func BenchmarkCompress(b *testing.B) {
	doc, s := fourHours(b), &Store{cfg: Config{Gzip: true}}
	packed, _ := s.compressed(doc)
	b.ReportAllocs()
	for b.Loop() {
		packed, _ = s.compressed(doc)
	}
	b.ReportMetric(float64(packed.Size()), "packed-B")
	b.ReportMetric(float64(doc.Size()), "plain-B")
}
