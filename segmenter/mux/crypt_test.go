package mux_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/Eyevinn/locmaf"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// key, iv and kid are those of the tests' encrypter and decrypter, which are mp4ff's.
func secrets() (key, iv []byte, kid mp4.UUID) {
	return []byte("0123456789abcdef"), []byte("fedcba98"), mp4.UUID("KKKKKKKKKKKKKKKK")
}

const kidText = "4b4b4b4b-4b4b-4b4b-4b4b-4b4b4b4b4b4b"

// encrypt is a file's header and objects as a publisher that encrypts writes them.
func encrypt(t testing.TB, name, scheme string) (init []byte, objects [][]byte) {
	t.Helper()
	init, clear := file(t, name+".mp4")
	key, iv, kid := secrets()
	f, err := mp4.DecodeFile(bytes.NewReader(init))
	if err != nil {
		t.Fatal(err)
	}
	pssh := &mp4.PsshBox{SystemID: mp4.UUID("SSSSSSSSSSSSSSSS"), Data: []byte("private")}
	ipd, err := mp4.InitProtect(f.Init, key, iv, scheme, kid, []*mp4.PsshBox{pssh})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Init.Encode(&b); err != nil {
		t.Fatal(err)
	}
	for _, object := range clear {
		f, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(init), object...)))
		if err != nil {
			t.Fatal(err)
		}
		fragment := f.Segments[0].Fragments[0]
		if iv, err = mp4.EncryptFragment(fragment, key, iv, ipd); err != nil {
			t.Fatal(err)
		}
		var o bytes.Buffer
		if err := fragment.Encode(&o); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o.Bytes())
	}
	return b.Bytes(), objects
}

// Everything is merged into one fragment, with new offsets, and what was encrypted must still decrypt to what it was.
func TestEncryptedSamplesDecryptToTheClearOnes(t *testing.T) {
	for _, name := range []string{"h264-2997", "hevc-25", "aac-44100", "av1-25"} {
		for _, scheme := range []string{"cenc", "cbcs"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				plain, clear := file(t, name+".mp4")
				want := samples(t, plain, clear[:10])
				init, objects := encrypt(t, name, scheme)
				in := samples(t, init, objects[:10])
				header, err := mux.ParseInit(init)
				if err != nil {
					t.Fatal(err)
				}
				fragment, err := mux.Fragment(1, in)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(fragment, want[0].Data[len(want[0].Data)/2:]) {
					t.Error("the media is in the clear")
				}
				if again := samples(t, header.Bytes, [][]byte{fragment}); !cmp.Equal(in, again) {
					t.Error("what was written reads back as something else:", cmp.Diff(in, again))
				}
				wantAux(t, fragment, in)
				got := decrypt(t, append(bytes.Clone(header.Bytes), fragment...))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestEncryptedTwinInLOCMAFHasTheSameSamples(t *testing.T) {
	for _, name := range []string{"h264-2997", "aac-44100"} {
		for _, scheme := range []string{"cenc", "cbcs"} {
			init, objects := encrypt(t, name, scheme)
			in := samples(t, init, objects[:10])
			f, err := mp4.DecodeFile(bytes.NewReader(init))
			if err != nil {
				t.Fatal(err)
			}
			kind := media.Video
			if name == "aac-44100" {
				kind = media.Audio
			}
			r, _, err := demux.NewLOCMAF(&media.Track{Kind: kind, Packaging: media.LOCMAF, Init: init})
			if err != nil {
				t.Fatal(err)
			}
			state := locmaf.NewState()
			for i, object := range objects[:10] {
				c, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(init), object...)))
				if err != nil {
					t.Fatal(err)
				}
				fragment := c.Segments[0].Fragments[0]
				payload, err := locmaf.EncodeCanonical(nil, fragment.Moof, fragment.Mdat.Data, state, f.Init.Moov)
				if err != nil {
					t.Fatal(err)
				}
				u := r.Read(nil, &media.Object{Location: media.Location{Object: uint64(i)}, Payload: payload})[0]
				if diff := cmp.Diff(in[i:i+1], u.Samples); diff != "" || u.Err != nil {
					t.Fatalf("%s %s object %d: %v %s", name, scheme, i, u.Err, diff)
				}
			}
		}
	}
}

// wantAux holds saiz and saio against what they point at: readers use these or senc.
func wantAux(t *testing.T, fragment []byte, in []media.Sample) {
	t.Helper()
	f, err := mp4.DecodeFile(bytes.NewReader(fragment))
	if err != nil {
		t.Fatal(err)
	}
	traf := f.Segments[0].Fragments[0].Moof.Traf
	if in[0].Crypt == nil {
		if traf.Saiz != nil || traf.Saio != nil {
			t.Error("auxiliary information of samples that have none")
		}
		return
	}
	at := traf.Saio.Offset[0]
	for i, s := range in {
		size := int64(traf.Saiz.DefaultSampleInfoSize)
		if size == 0 {
			size = int64(traf.Saiz.SampleInfo[i])
		}
		entry := fragment[at : at+size]
		if !bytes.HasPrefix(entry, s.Crypt.IV) || !bytes.HasSuffix(entry, s.Crypt.Subsamples) {
			t.Fatalf("saiz and saio of sample %d point at %x", i, entry)
		}
		at += size
	}
	if want := int64(bytes.Index(fragment, []byte("mdat")) - 4); at != want {
		t.Errorf("auxiliary information ends at %d, senc at %d", at, want)
	}
}

func decrypt(t *testing.T, b []byte) (got []media.Sample) {
	t.Helper()
	key, _, _ := secrets()
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	info, err := mp4.DecryptInit(f.Init)
	if err != nil {
		t.Fatal(err)
	}
	if err := mp4.DecryptSegment(f.Segments[0], info, key); err != nil {
		t.Fatal(err)
	}
	out, err := f.Segments[0].Fragments[0].GetFullSamples(f.Init.Moov.Mvex.Trex)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out {
		got = append(got, media.Sample{DTS: int64(s.DecodeTime), CTO: s.CompositionTimeOffset, Dur: s.Dur, Sync: s.IsSync(), Data: s.Data})
	}
	return got
}

func TestEncryptedHeaderSaysWhatThePlayerMustKnow(t *testing.T) {
	for name, codec := range map[string]string{"h264-2997": "avc1.4d400a", "aac-44100": "mp4a.40.2"} {
		init, _ := encrypt(t, name, "cbcs")
		got, err := mux.ParseInit(init)
		if err != nil {
			t.Fatal(err)
		}
		if got.Codec != codec || got.Encryption == nil || got.Encryption.Scheme != "cbcs" || got.Encryption.KID != kidText {
			t.Errorf("%s: %q, %+v", name, got.Codec, got.Encryption)
		}
		if n := len(got.Encryption.PSSH); n != 1 || !bytes.Contains(got.Bytes, got.Encryption.PSSH[0]) {
			t.Errorf("%s: %d pssh boxes", name, n)
		}
		again, err := mux.ParseInit(got.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Error(name, diff)
		}
	}
}

// A sample that is wholly protected, among others that are not: all have to be written in one form.
func TestMixedSubsamplesReadBack(t *testing.T) {
	init, _ := encrypt(t, "h264-2997", "cenc")
	iv := []byte("12345678")
	in := []media.Sample{
		{Dur: 1001, Sync: true, Data: make([]byte, 20), Crypt: &media.Crypt{IV: iv, Subsamples: []byte{0, 4, 0, 0, 0, 16}}},
		{DTS: 1001, Dur: 1001, Sync: true, Data: make([]byte, 9), Crypt: &media.Crypt{IV: iv}},
	}
	fragment, err := mux.Fragment(1, in)
	if err != nil {
		t.Fatal(err)
	}
	got := samples(t, init, [][]byte{fragment})
	in[1].Crypt = &media.Crypt{IV: iv, Subsamples: []byte{0, 0, 0, 0, 0, 9}}
	for i := range in {
		if diff := cmp.Diff(in[i].Crypt, got[i].Crypt); diff != "" {
			t.Error(i, diff)
		}
	}
}

func TestLyingAuxiliaryInformationIsRefused(t *testing.T) {
	for _, name := range []string{"h264-2997", "aac-44100"} {
		init, objects := encrypt(t, name, "cenc")
		sealed, err := demux.NewCMAF(init)
		if err != nil {
			t.Fatal(err)
		}
		plain, clear := file(t, name+".mp4")
		open, err := demux.NewCMAF(plain)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(objects[0], []byte("senc"))
		damage := func(offset int, with ...byte) []byte {
			o := bytes.Clone(objects[0])
			copy(o[at+offset:], with)
			return o
		}
		for what, of := range map[string]struct {
			*demux.CMAF
			object []byte
		}{
			"no senc at all":             {sealed, clear[0]},
			"senc in the clear":          {open, objects[0]},
			"another name":               {sealed, damage(0, []byte("free")...)},
			"one sample too many":        {sealed, damage(11, 2)},
			"no sample":                  {sealed, damage(11, 0)},
			"a flag that overrides":      {sealed, damage(7, 3)},
			"subsamples that do not fit": {sealed, damage(7, 2, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 9)},
		} {
			var where *demux.Error
			if _, err := of.Samples(nil, of.object); !errors.As(err, &where) || where.Box == "" {
				t.Errorf("%s, %s: %v, want an Error with its box", name, what, err)
			}
		}
	}
}

func TestMovieRefusesEncryptedTracksUnlessItIsFragmented(t *testing.T) {
	init, objects := encrypt(t, "h264-2997", "cbcs")
	header, err := mux.ParseInit(init)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mux.NewMovie(1000, mux.MovieTrack{Init: header, Dur: 1000})
	if err != nil {
		t.Fatal(err)
	}
	in := samples(t, init, objects[:3])
	if err := m.Add(0, in); !errors.Is(err, mux.ErrEncrypted) {
		t.Errorf("%v, want ErrEncrypted", err)
	}
	head, err := m.FragmentedHeader()
	if err != nil {
		t.Fatal(err)
	}
	fragment, err := m.Fragment(0, in)
	if err != nil {
		t.Fatal(err)
	}
	got := decrypt(t, append(head, fragment...))
	plain, clear := file(t, "h264-2997.mp4")
	for i, want := range samples(t, plain, clear[:3]) {
		if !bytes.Equal(want.Data, got[i].Data) {
			t.Errorf("sample %d differs", i)
		}
	}
}

// The original format becomes part of the codec in every manifest.
func TestEncryptedHeaderOfAnOddFormatIsRefused(t *testing.T) {
	init, _ := encrypt(t, "h264-2997", "cbcs")
	for _, format := range []string{"avc\"", "avc\n", "hvc1"} {
		odd := bytes.Replace(init, []byte("frmaavc1"), []byte("frma"+format), 1)
		if bytes.Equal(odd, init) {
			t.Fatal("there is no frma")
		}
		c, err := demux.NewCMAF(odd)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mux.Init(&c.Header); !errors.Is(err, mux.ErrMalformed) {
			t.Errorf("%q: %v", format, err)
		}
	}
}
