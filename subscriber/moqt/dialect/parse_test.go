package dialect

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// reader reads b in the smallest steps that a stream can come in.
func reader(d *Dialect, b []byte) *wire.Reader {
	return wire.NewReader(iotest.OneByteReader(bytes.NewReader(b)), d.Varint, "test")
}

func TestMessagesCutAnywhereAreTruncated(t *testing.T) {
	for alpn, vectors := range messageVectors() {
		d := ByALPN(alpn)
		for _, v := range vectors {
			whole := unhex(t, v.hex)
			for i := 1; i < len(whole); i++ {
				if _, err := read(d, whole[:i]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s %s cut at %d: %v", alpn, v.name, i, err)
				}
			}
		}
	}
}

func TestMessagesWithBytesTooManyAreRefused(t *testing.T) {
	for _, d := range All() {
		b := d.Append(nil, &PublishDone{Code: 2})
		b = append(b, 0)
		b[2]++
		if _, err := read(d, b); !errors.Is(err, wire.ErrTrailing) {
			t.Errorf("%s: %v", d.ALPN, err)
		}
	}
}

func TestMalformedMessagesNameThePlace(t *testing.T) {
	for _, v := range []struct {
		name, alpn, hex, field string
		err                    error
	}{
		{"location longer than its parameter", "moqt-16", "0400050101010900", "LARGEST_OBJECT", wire.ErrTruncated},
		{"unknown parameter", "moqt-16", "040005010101" + "0500", "parameter type", wire.ErrUnknown},
		{"unknown parameter", "moqt-18", "040004" + "01010f00", "parameter type", wire.ErrUnknown},
		{"parameter twice", "moqt-18", "040006" + "010208010001", "EXPIRES", wire.ErrDuplicate},
		{"empty namespace field", "moqt-18", "030005" + "0001000000", "track namespace", wire.ErrValue},
		{"too many namespace fields", "moqt-18", "030003" + "002100", "track namespace", wire.ErrTooLong},
		{"fetch type", "moqt-18", "160003" + "000400", "fetch type", wire.ErrValue},
		{"group order", "moqt-18", "030009" + "00010161016101" + "2203", "GROUP_ORDER", wire.ErrValue},
		{"message type", "moqt-18", "3f0000", "type 0x3f", wire.ErrUnknown},
		{"reason", "moqt-18", "0b000402008401", "reason", wire.ErrTooLong},
	} {
		t.Run(v.alpn+" "+v.name, func(t *testing.T) {
			_, err := read(ByALPN(v.alpn), unhex(t, v.hex))
			var e *wire.Error
			if !errors.As(err, &e) || e.Field != v.field || !errors.Is(err, v.err) {
				t.Errorf("got %v, want %q: %v", err, v.field, v.err)
			}
		})
	}
}

func TestStreamKinds(t *testing.T) {
	for _, v := range []struct {
		typ        uint64
		in16, in18 StreamKind
	}{
		{0x05, FetchStream, FetchStream},
		{0x10, SubgroupStream, SubgroupStream},
		{0x3D, SubgroupStream, SubgroupStream},
		{0x50, UnknownStream, SubgroupStream},
		{0x16, UnknownStream, UnknownStream},
		{0x1F, UnknownStream, UnknownStream},
		{0x00, UnknownStream, UnknownStream},
		{0x90, UnknownStream, UnknownStream},
		{0x2F00, UnknownStream, ControlStream},
		{0x132B3E28, UnknownStream, PaddingStream},
	} {
		if got := Draft16().Kind(v.typ); got != v.in16 {
			t.Errorf("16: %#x is %v, want %v", v.typ, got, v.in16)
		}
		if got := Draft18().Kind(v.typ); got != v.in18 {
			t.Errorf("18: %#x is %v, want %v", v.typ, got, v.in18)
		}
	}
}

func TestSubgroupOfTheFirstObject(t *testing.T) {
	for _, d := range All() {
		h := SubgroupHeader{Alias: 1, Group: 2, ID: SubgroupOfFirst}
		b := d.NewSubgroupWriter(h).Append(d.AppendSubgroupHeader(nil, h), object(2, 40, "x"))
		_, got, err := readSubgroup(d, b)
		if err != nil || len(got) != 1 || got[0].Subgroup != 40 {
			t.Errorf("%s: %v, %v", d.ALPN, got, err)
		}
	}
}

func TestSubgroupStatuses(t *testing.T) {
	for _, d := range All() {
		h := SubgroupHeader{Alias: 1, Group: 2}
		w, b := d.NewSubgroupWriter(h), d.AppendSubgroupHeader(nil, h)
		want := []media.Object{object(2, 0, ""), object(2, 1, "x"), object(2, 2, "")}
		want[2].Status = media.EndOfGroup
		for _, o := range want {
			b = w.Append(b, o)
		}
		_, got, err := readSubgroup(d, b)
		if diff := cmp.Diff(want, got, equal); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", d.ALPN, err, diff)
		}
	}
}

func TestObjectIDsDoNotOverflow(t *testing.T) {
	d := Draft18()
	b := d.AppendSubgroupHeader(nil, SubgroupHeader{})
	last := append(d.Varint.Append(b, 1<<64-1), 1, 'x')
	if _, got, err := readSubgroup(d, last); err != nil || len(got) != 1 {
		t.Errorf("the largest id: %v, %v", got, err)
	}
	if _, _, err := readSubgroup(d, append(last, 0, 1, 'x')); !errors.Is(err, wire.ErrOverflow) {
		t.Errorf("one more: %v", err)
	}
}

func TestALengthAloneReservesNothing(t *testing.T) {
	d := Draft18()
	b := d.AppendSubgroupHeader(nil, SubgroupHeader{})
	b = append(d.Varint.Append(append(b, 0), 1<<30), "some"...)
	r := wire.NewReader(bytes.NewReader(b), d.Varint, "test")
	s := d.Objects(r, d.ReadSubgroupHeader(r, r.Varint("type")), 1<<31)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.Next()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 || !errors.Is(r.Err(), io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, %v", n, r.Err())
	}
}

func TestALongerPayloadThanTheLimitIsOurOwnRefusal(t *testing.T) {
	d := Draft18()
	b := d.AppendSubgroupHeader(nil, SubgroupHeader{})
	b = d.Varint.Append(append(b, 0), testLimit+1)
	if _, _, err := readSubgroup(d, b); !errors.Is(err, wire.ErrLimit) {
		t.Error(err)
	}
}

func TestLongPayloadsComeWhole(t *testing.T) {
	d := Draft18()
	o := object(0, 0, "")
	o.Payload = bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	h := SubgroupHeader{}
	b := d.NewSubgroupWriter(h).Append(d.AppendSubgroupHeader(nil, h), o)
	_, got, err := readSubgroup(d, b)
	if err != nil || len(got) != 1 || !bytes.Equal(got[0].Payload, o.Payload) {
		t.Fatal(len(got), err)
	}
}

func TestAResetIsNoViolation(t *testing.T) {
	reset := errors.New("reset")
	for _, d := range All() {
		h := SubgroupHeader{Alias: 7, Group: 300}
		whole := d.NewSubgroupWriter(h).Append(d.AppendSubgroupHeader(nil, h), object(300, 0, "ab"))
		for i := range whole {
			src := io.MultiReader(bytes.NewReader(whole[:i]), iotest.ErrReader(reset))
			r := wire.NewReader(src, d.Varint, "test")
			s := d.Objects(r, d.ReadSubgroupHeader(r, r.Varint("type")), testLimit)
			for _, ok := s.Next(); ok; _, ok = s.Next() {
			}
			if !errors.Is(r.Err(), reset) {
				t.Errorf("%s cut at %d: %v", d.ALPN, i, r.Err())
			}
		}
	}
}

func TestSubgroupsCutBetweenObjectsEndCleanly(t *testing.T) {
	d := Draft18()
	h := SubgroupHeader{Alias: 7, Group: 300, Properties: true}
	w, b := d.NewSubgroupWriter(h), d.AppendSubgroupHeader(nil, h)
	ends := map[int]int{len(b): 0}
	for id := range uint64(3) {
		o := object(300, id, "payload")
		o.Properties = []media.Property{{Type: 2, Value: id}, {Type: 5, Bytes: []byte("odd")}}
		b = w.Append(b, o)
		ends[len(b)] = int(id) + 1
	}
	for i := 1; i <= len(b); i++ {
		_, got, err := readSubgroup(d, b[:i])
		if n, clean := ends[i]; clean && (err != nil || len(got) != n) {
			t.Errorf("cut at %d: %d objects, %v, want %d", i, len(got), err, n)
		} else if !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

func TestFetchesRoundTrip(t *testing.T) {
	items := []FetchObject{
		{Object: object(3, 7, "a"), Priority: 1},
		{Object: object(3, 8, "b"), Priority: 1},
		{Object: object(3, 20, ""), Priority: 2},
		{Object: object(4, 0, ""), Gap: Nonexistent},
		{Object: object(9, 4, "c"), Priority: 2},
	}
	items[1].Subgroup, items[2].Subgroup, items[4].Subgroup = 5, 5, 6
	items[2].Properties = []media.Property{{Type: 4, Value: 1}}
	for _, d := range All() {
		w, b := d.NewFetchWriter(), d.AppendFetchHeader(nil, 8)
		for _, o := range items {
			b = w.Append(b, o)
		}
		id, got, err := readFetch(d, b)
		if diff := cmp.Diff(items, got, equal); diff != "" || err != nil || id != 8 {
			t.Errorf("%s: %d %v (-want +got):\n%s", d.ALPN, id, err, diff)
		}
	}
}

func TestTheFirstFetchedObjectMustNotReferToOneBefore(t *testing.T) {
	for _, flags := range []string{"00", "0c", "1d", "18", "14"} {
		for _, d := range All() {
			if _, _, err := readFetch(d, unhex(t, "0502"+flags+"000000000000")); !errors.Is(err, wire.ErrValue) {
				t.Errorf("%s flags %s: %v", d.ALPN, flags, err)
			}
		}
	}
}

func TestDatagramTypesThatDoNotExist(t *testing.T) {
	for _, typ := range []byte{0x10, 0x22, 0x2F, 0x3F} {
		for _, d := range All() {
			if _, _, err := d.ParseDatagram([]byte{typ, 0, 0, 0, 0, 0}); err == nil {
				t.Errorf("%s: %#x was taken", d.ALPN, typ)
			}
		}
	}
}

func TestPaddingDatagramsAreNothing(t *testing.T) {
	d := Draft18()
	if _, ok, err := d.ParseDatagram(append(d.Varint.Append(nil, d.PaddingDatagram), 0, 0, 0)); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestCodesDifferBetweenDrafts(t *testing.T) {
	if Draft16().Status(5) != Expired || Draft18().Status(5) != TooFarBehind {
		t.Error("code 5 of PUBLISH_DONE changed its meaning in 18")
	}
	if Draft16().StatusCode(TooFarBehind) != 6 || Draft18().StatusCode(TooFarBehind) != 5 {
		t.Error("and so did the way back")
	}
	for _, d := range All() {
		if d.Refusal(404) != DoesNotExist || d.Refusal(0x10) != DoesNotExist || d.RefusalCode(DoesNotExist) != 0x10 {
			t.Error(d.ALPN)
		}
		if d.Refusal(0xdead) != Refused || d.Status(0xdead) != Failed {
			t.Errorf("%s: unknown codes are internal errors", d.ALPN)
		}
	}
}
