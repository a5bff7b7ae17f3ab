package dialect

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
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
	for _, d := range All() {
		for _, v := range messageVectors(d) {
			whole := unhex(t, v.hex)
			for i := 1; i < len(whole); i++ {
				if _, err := read(d, whole[:i]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s %s cut at %d: %v", d.ALPN, v.name, i, err)
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
		{"none of our versions", "moq-00", "210009c0000000ff00000700", "version", wire.ErrUnknown},
		{"group order that an answer must not have", "moq-00", "0400050007000000", "group order", wire.ErrValue},
		{"forward", "moq-00", "03000b" + "0001016101628000020200", "forward", wire.ErrValue},
		{"filter type", "moq-00", "03000b" + "0001016101628000010500", "filter type", wire.ErrValue},
		{"varint of seven bytes", "moqt-17", "16000b" + "fc8998abc66bc000000000", "request id", wire.ErrValue},
		{"five filter fields", "moqt-20", "03000e" + "0001016101620121" + "050102030405", "end", wire.ErrTrailing},
		{"filter type", "moqt-22", "030009" + "0001016101620121" + "06", "filter type", wire.ErrValue},
		{"end group", "moqt-22", "030014" + "0001016101620121" + "030200ffffffffffffffffff", "end group delta", wire.ErrOverflow},
		{"fetch without a range", "moqt-22", "160007" + "06010161016200", "range of a FETCH", wire.ErrValue},
		{"fill within fill", "moqt-22", "02000a" + "0801230601230301" + "2100", "parameter type", wire.ErrUnknown},
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
		typ              uint64
		in14, in16, in18 StreamKind
	}{
		{0x05, FetchStream, FetchStream, FetchStream},
		{0x10, SubgroupStream, SubgroupStream, SubgroupStream},
		{0x1D, SubgroupStream, SubgroupStream, SubgroupStream},
		{0x3D, UnknownStream, SubgroupStream, SubgroupStream},
		{0x50, UnknownStream, UnknownStream, SubgroupStream},
		{0x16, UnknownStream, UnknownStream, UnknownStream},
		{0x1F, UnknownStream, UnknownStream, UnknownStream},
		{0x00, UnknownStream, UnknownStream, UnknownStream},
		{0x90, UnknownStream, UnknownStream, UnknownStream},
		{0x2F00, UnknownStream, UnknownStream, ControlStream},
		{0x132B3E28, UnknownStream, UnknownStream, PaddingStream},
	} {
		if got := Draft14().Kind(v.typ); got != v.in14 {
			t.Errorf("14: %#x is %v, want %v", v.typ, got, v.in14)
		}
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
		want := items
		if !d.fetchGaps {
			want = slices.DeleteFunc(slices.Clone(items), func(o FetchObject) bool { return o.Gap != NoGap })
		}
		id, got, err := readFetch(d, b)
		if diff := cmp.Diff(want, got, equal); diff != "" || err != nil || id != 8 {
			t.Errorf("%s: %d %v (-want +got):\n%s", d.ALPN, id, err, diff)
		}
	}
}

func TestTheFirstFetchedObjectMustNotReferToOneBefore(t *testing.T) {
	for _, flags := range []string{"00", "0c", "1d", "18", "14"} {
		for _, d := range All() {
			if d.fullFetch {
				continue
			}
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
	if Draft17().Status(5) != Expired || Draft14().Status(7) != Malformed || Draft16().Status(0x12) != Malformed {
		t.Error("and so did others")
	}
	if Draft16().StatusCode(TooFarBehind) != 6 || Draft18().StatusCode(TooFarBehind) != 5 {
		t.Error("and so did the way back")
	}
	code := func(c uint64) *RequestError { return &RequestError{Code: c} }
	for _, d := range All() {
		if d.Refusal(code(404)) != DoesNotExist || d.Refusal(d.Refuse(&Subscribe{}, DoesNotExist, "")) != DoesNotExist {
			t.Error(d.ALPN)
		}
		if d.Refusal(code(0xdead)) != Refused || d.Status(0xdead) != Failed || d.Status(200) != Failed || d.Status(500) != Failed {
			t.Errorf("%s: unknown codes are internal errors", d.ALPN)
		}
		if want := d.Number > 14; want != (d.Refusal(code(0x10)) == DoesNotExist) {
			t.Errorf("%s: 0x10 was a bad token up to 14", d.ALPN)
		}
	}
}

func TestCodesOf14DependOnTheRequest(t *testing.T) {
	d := Draft14()
	for _, v := range []struct {
		request Message
		code    uint64
		want    Refusal
		typ     byte
	}{
		{&Subscribe{}, 4, DoesNotExist, 0x05},
		{&TrackStatus{}, 4, DoesNotExist, 0x0F},
		{&Fetch{}, 5, InvalidRange, 0x19},
		{&Fetch{}, 9, MalformedTrack, 0x19},
		{&Publish{}, 4, Uninterested, 0x1F},
		{&PublishNamespace{}, 4, Uninterested, 0x08},
		{&SubscribeNamespace{}, 5, PrefixOverlap, 0x13},
	} {
		m := d.Refuse(v.request, v.want, "no")
		b := d.Append(nil, m)
		if m.Code != v.code || b[0] != v.typ {
			t.Errorf("%T is refused with code %d by message %#x", v.request, m.Code, b[0])
		}
		if got, err := read(d, b); err != nil || d.Refusal(got.(*RequestError)) != v.want {
			t.Errorf("%T: %+v, %v", v.request, got, err)
		}
	}
	if d.Accept(&RequestUpdate{}) != nil || d.Accept(&PublishNamespace{}) == nil {
		t.Error("14 answers a PUBLISH_NAMESPACE, but no SUBSCRIBE_UPDATE")
	}
}

func TestMessagesOfUnknownTypesAreSkippedByTheirLength(t *testing.T) {
	for _, d := range All() {
		b := append([]byte{0x3f, 0, 2, 0xff, 0xff}, d.Append(nil, &Goaway{URI: "x"})...)
		r := reader(d, b)
		if m, err := d.Read(r); err != nil || m.(*Unrecognized).Type != 0x3f {
			t.Errorf("%s: %#v, %v", d.ALPN, m, err)
		}
		if m, err := d.Read(r); err != nil || m.(*Goaway).URI != "x" {
			t.Errorf("%s: %#v, %v", d.ALPN, m, err)
		}
	}
}

func numbered(n int) *Dialect {
	all := All()
	return all[slices.IndexFunc(all, func(d *Dialect) bool { return d.Number == n })]
}

func TestUnknownParametersAreSkippedUpTo15(t *testing.T) {
	tail := map[int]string{14: "0007000101050302" + "0e4064" + "110178", 15: "000703" + "0e4064" + "09020503" + "110178", 16: "000703" + "0240640b0178"}
	for number, body := range tail {
		d := numbered(number)
		m, err := d.Parse(0x04, unhex(t, body))
		ok, is := m.(*SubscribeOK)
		if number > 15 && err == nil || number <= 15 && (err != nil || !is || ok.Params.Largest == nil) {
			t.Errorf("%s: %+v, %v", d.ALPN, m, err)
		}
	}
}

func TestA15StatusDatagramMayHaveAnIDOrNot(t *testing.T) {
	for _, hex := range []string{"2c07090004", "2c070904"} {
		g, ok, err := Draft15().ParseDatagram(unhex(t, hex))
		if want := (media.Object{Location: media.Location{Group: 9}, Status: media.EndOfTrack}); err != nil || !ok || !cmp.Equal(want, g.Object, equal) {
			t.Errorf("%s: %+v, %v", hex, g, err)
		}
	}
}

func TestRangesThatTimedOutAreUnknown(t *testing.T) {
	for _, d := range []*Dialect{Draft20(), Draft21(), Draft22()} {
		_, got, err := readFetch(d, unhex(t, "05021c050080026162820c0700"))
		if err != nil || len(got) != 2 || got[1].Gap != Unknown || got[1].Group != 7 {
			t.Errorf("%s: %+v, %v", d.ALPN, got, err)
		}
	}
}

func TestMoxygensStatusesInFetchStreams(t *testing.T) {
	b := "05021c05008000" + "00" + "000261" + "62" // {5, 0} empty, with a status; {5, 1}
	for _, d := range []*Dialect{Draft16(), Draft18()} {
		_, got, err := readFetch(d.For("moxygen/1.0"), unhex(t, b))
		if err != nil || len(got) != 2 || got[1].Location.Object != 1 || string(got[1].Payload) != "ab" {
			t.Errorf("%s: %+v, %v", d.ALPN, got, err)
		}
		if d.For("moqpack") != d {
			t.Error("others are as the draft says")
		}
	}
}

func TestTheEndOfARangeMayBeAbsoluteOrNot(t *testing.T) {
	for _, v := range []struct {
		hex  string
		want uint64
	}{{"808c0900", 9}, {"808c0200", 8}} {
		_, got, err := readFetch(Draft18(), unhex(t, "05021c050080026162"+v.hex))
		if err != nil || len(got) != 2 || got[1].Group != v.want {
			t.Errorf("%s: %+v, %v", v.hex, got, err)
		}
	}
}

func TestTheMostTrustedDraftComesFirst(t *testing.T) {
	var order []int
	experimental := 0
	for _, d := range All() {
		if ByALPN(d.ALPN).Number != d.Number {
			t.Error(d.ALPN)
		}
		if order = append(order, d.Number); d.Experimental {
			experimental++
		} else if experimental > 0 {
			t.Errorf("%s comes after an experimental draft", d.ALPN)
		}
	}
	if diff := cmp.Diff([]int{18, 19, 16, 17, 15, 14, 22, 20, 21}, order); diff != "" || experimental != 1 {
		t.Error(experimental, diff)
	}
}
