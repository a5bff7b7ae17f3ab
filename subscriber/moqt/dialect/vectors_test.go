package dialect

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// The vectors come from an encoder that shares no code with this package.

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var equal = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() == ".Server" || p.Last().String() == ".WebTransport"
	}, cmp.Ignore()),
}

func clear(name string) TrackName { return TrackName{Namespace: []string{"msf", "clear"}, Name: name} }

func TestMessagesMatchTheVectors(t *testing.T) {
	for _, d := range All() {
		for _, v := range messageVectors(d) {
			t.Run(d.ALPN+"/"+v.name, func(t *testing.T) {
				if got := hex.EncodeToString(d.Append(nil, v.m)); got != v.hex {
					t.Errorf("encoded %s\n   want %s", got, v.hex)
				}
				got, err := read(d, unhex(t, v.hex))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(v.m, got, equal); diff != "" {
					t.Errorf("decoded (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// PUBLISH_OK in 18 and later is parsed only, and its answer is that of the others.
func TestEveryMessageHasAVector(t *testing.T) {
	for _, d := range All() {
		have := map[uint64]bool{0x1E: d.Number >= 18}
		for _, v := range messageVectors(d) {
			have[reader(d, unhex(t, v.hex)).Varint("type")] = true
		}
		for _, l := range d.layouts {
			if !have[l.typ] {
				t.Errorf("%s: %s (%#x) has none", d.ALPN, l.name, l.typ)
			}
		}
	}
}

func TestThePublishOKThatIsParsedOnly(t *testing.T) {
	want := &RequestOK{Params: Params{Expires: new(uint64(60000))}}
	for _, d := range All() {
		if d.Number < 18 {
			continue
		}
		got, err := read(d, unhex(t, "1e00050108c0ea60"))
		if diff := cmp.Diff(Message(want), got, equal); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", d.ALPN, err, diff)
		}
	}
}

// eachFrom tests the drafts from one to another.
func eachFrom(t *testing.T, from, until int, name string, f func(t *testing.T, d *Dialect)) {
	for _, d := range All() {
		if d.Number >= from && d.Number <= until {
			t.Run(d.ALPN+" "+name, func(t *testing.T) { f(t, d) })
		}
	}
}

func TestSubgroupsMatchTheVectors(t *testing.T) {
	for _, v := range []struct {
		name        string
		from, until int // drafts
		hex         string
		h           SubgroupHeader
		objects     []media.Object
	}{
		{"a status", 14, 14, "1007412c800002616200026364000003", SubgroupHeader{Alias: 7, Group: 300, Priority: new(uint8(128))},
			[]media.Object{object(300, 0, "ab"), object(300, 1, "cd"), {Location: media.Location{Group: 300, Object: 2}, Status: media.EndOfGroup}}},
		{"the draft's second example, as 14 codes types", 14, 14,
			"1502000000" + "001a04c00000008257dcd3404d0e" + "747261636549443a313233343536" + "0461626364" + "00000465666768",
			SubgroupHeader{Alias: 2, ID: SubgroupStated, Priority: new(uint8(0)), Properties: true},
			[]media.Object{{Payload: []byte("abcd"), Properties: []media.Property{
				{Type: 4, Value: 2186796243}, {Type: 77, Bytes: []byte("traceID:123456")}}},
				object(0, 1, "efgh")}},
		{"default priority, end of group", 15, 16, "3807412c0002616200026364",
			SubgroupHeader{Alias: 7, Group: 300, EndOfGroup: true},
			[]media.Object{object(300, 0, "ab"), object(300, 1, "cd")}},
		{"default priority, end of group", 17, 22, "3807812c0002616200026364",
			SubgroupHeader{Alias: 7, Group: 300, EndOfGroup: true},
			[]media.Object{object(300, 0, "ab"), object(300, 1, "cd")}},
		{"the draft's first example", 14, 22, "1402000000" + "000461626364" + "000465666768",
			SubgroupHeader{Alias: 2, ID: SubgroupStated, Priority: new(uint8(0))},
			[]media.Object{object(0, 0, "abcd"), object(0, 1, "efgh")}},
		{"the draft's second example", 16, 16,
			"35020000" + "001a04c00000008257dcd340490e" + "747261636549443a313233343536" + "0461626364" + "00000465666768",
			SubgroupHeader{Alias: 2, ID: SubgroupStated, Properties: true},
			[]media.Object{{Payload: []byte("abcd"), Properties: []media.Property{
				{Type: 4, Value: 2186796243}, {Type: 77, Bytes: []byte("traceID:123456")}}},
				object(0, 1, "efgh")}},
		{"everything", 18, 22, "7d07812c01020410c15f90026162",
			SubgroupHeader{Alias: 7, Group: 300, ID: SubgroupStated, Subgroup: 1, Properties: true, EndOfGroup: true, First: true},
			[]media.Object{{Location: media.Location{Group: 300, Object: 2}, Subgroup: 1, Payload: []byte("ab"),
				Properties: []media.Property{{Type: 0x10, Value: 90000}}}}},
	} {
		eachFrom(t, v.from, v.until, v.name, func(t *testing.T, d *Dialect) {
			w := d.NewSubgroupWriter(v.h)
			b := d.AppendSubgroupHeader(nil, v.h)
			for _, o := range v.objects {
				b = w.Append(b, o)
			}
			if got := hex.EncodeToString(b); got != v.hex {
				t.Errorf("encoded %s\n   want %s", got, v.hex)
			}
			h, got, err := readSubgroup(d, unhex(t, v.hex))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.h, h); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(v.objects, got, equal); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFetchStreamsMatchTheVectors(t *testing.T) {
	for _, v := range []struct {
		from, until int // drafts
		hex         string
		items       []FetchObject
	}{
		{14, 14, "050205000080000261620500018000026364" + "05000280000003", []FetchObject{
			{Object: object(5, 0, "ab"), Priority: 128}, {Object: object(5, 1, "cd"), Priority: 128},
			{Object: media.Object{Location: media.Location{Group: 5, Object: 2}, Status: media.EndOfGroup}, Priority: 128}}},
		{15, 15, "05021c05008002616200026364" + "000003", []FetchObject{
			{Object: object(5, 0, "ab"), Priority: 128}, {Object: object(5, 1, "cd"), Priority: 128},
			{Object: media.Object{Location: media.Location{Group: 5, Object: 2}, Status: media.EndOfGroup}, Priority: 128}}},
		{17, 17, "05021c05008002616200026364810c0700", []FetchObject{
			{Object: object(5, 0, "ab"), Priority: 128}, {Object: object(5, 1, "cd"), Priority: 128},
			{Object: object(7, 0, ""), Gap: Unknown}}},
		{18, 22, "05021c050080026162000263640c0000026566808c0900", []FetchObject{
			{Object: object(5, 0, "ab"), Priority: 128}, {Object: object(5, 1, "cd"), Priority: 128},
			{Object: object(6, 0, "ef"), Priority: 128}, {Object: object(9, 0, ""), Gap: Nonexistent}}},
		{16, 16, "05021c05008002616200026364410c0700", []FetchObject{
			{Object: object(5, 0, "ab"), Priority: 128}, {Object: object(5, 1, "cd"), Priority: 128},
			{Object: object(7, 0, ""), Gap: Unknown}}},
	} {
		eachFrom(t, v.from, v.until, "fetch", func(t *testing.T, d *Dialect) {
			w := d.NewFetchWriter()
			b := d.AppendFetchHeader(nil, 2)
			for _, o := range v.items {
				b = w.Append(b, o)
			}
			if got := hex.EncodeToString(b); got != v.hex {
				t.Errorf("encoded %s\n   want %s", got, v.hex)
			}
			id, got, err := readFetch(d, unhex(t, v.hex))
			if err != nil || id != 2 {
				t.Fatal(id, err)
			}
			if diff := cmp.Diff(v.items, got, equal); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
		})
	}
}

// The writer does not use all that a publisher may.
func TestFetchedObjectsReferToTheOneBefore(t *testing.T) {
	full := object(5, 9, "ab")
	full.Subgroup, full.Properties = 7, []media.Property{{Type: 4, Value: 1}}
	in := func(o media.Object, subgroup uint64) FetchObject {
		o.Subgroup = subgroup
		return FetchObject{Object: o, Priority: 128}
	}
	want := []FetchObject{{Object: full, Priority: 128}, in(object(5, 12, "c"), 7), in(object(5, 13, "d"), 8), in(object(8, 14, "e"), 0),
		in(object(8, 15, "f"), 0)}
	later := "0502" + "3f05070980020401026162" + "05030163" + "020164" + "08020165" + "400166"
	for draft, hex := range map[int]string{
		// all fields; the subgroup before, object id; that plus one; group without object id; datagram
		15: "0502" + "3f05070980020401026162" + "050c0163" + "020164" + "08080165", // which has no datagrams
		16: "0502" + "3f05070980020401026162" + "050c0163" + "020164" + "08080165" + "40400166",
		17: "0502" + "3f05070980020401026162" + "050c0163" + "020164" + "08080165" + "400166",
		18: later, 19: later, 20: later, 21: later, 22: later,
	} {
		eachFrom(t, draft, draft, "fetch", func(t *testing.T, d *Dialect) {
			_, got, err := readFetch(d, unhex(t, hex))
			want := want
			if draft == 15 {
				want = want[:4]
			}
			if diff := cmp.Diff(want, got, equal); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestDatagramsMatchTheVectors(t *testing.T) {
	for _, v := range []struct {
		since int // draft
		hex   string
		g     Datagram
	}{
		{14, "21070902800204" + "0503", Datagram{Alias: 7, Priority: new(uint8(128)), Object: media.Object{
			Location: media.Location{Group: 9, Object: 2}, Status: media.EndOfGroup, Properties: []media.Property{{Type: 4, Value: 5}}}}},
		{14, "200709008003", Datagram{Alias: 7, Priority: new(uint8(128)), Object: media.Object{
			Location: media.Location{Group: 9}, Status: media.EndOfGroup}}},
		{16, "2c070904", Datagram{Alias: 7, Object: media.Object{Location: media.Location{Group: 9}, Status: media.EndOfTrack}}},
		{15, "0c07096162", Datagram{Alias: 7, Object: object(9, 0, "ab")}},
		{14, "07070902020405" + "aabb", Datagram{Alias: 7, Priority: new(uint8(2)), Object: media.Object{
			Location: media.Location{Group: 9}, Last: true, Payload: []byte{0xaa, 0xbb},
			Properties: []media.Property{{Type: 4, Value: 5}}}}},
		{15, "2807090204", Datagram{Alias: 7, Object: media.Object{Location: media.Location{Group: 9, Object: 2}, Status: media.EndOfTrack}}},
		{14, "00070902806162", Datagram{Alias: 7, Object: object(9, 2, "ab"), Priority: new(uint8(128))}},
	} {
		for _, d := range All() {
			// The first two are of 14 only: later statuses have no properties, and object 0 need not be said.
			if d.Number < v.since || d.Number > 14 && v.g.Object.Status == media.EndOfGroup {
				continue
			}
			if got := hex.EncodeToString(d.AppendDatagram(nil, v.g)); got != v.hex {
				t.Errorf("%s: encoded %s, want %s", d.ALPN, got, v.hex)
			}
			got, ok, err := d.ParseDatagram(unhex(t, v.hex))
			if err != nil || !ok {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.g, got, equal); diff != "" {
				t.Errorf("%s (-want +got):\n%s", d.ALPN, diff)
			}
		}
	}
}

func object(group, id uint64, payload string) media.Object {
	return media.Object{Location: media.Location{Group: group, Object: id}, Payload: []byte(payload)}
}

const testLimit = 1 << 20

func read(d *Dialect, b []byte) (Message, error) { return d.Read(reader(d, b)) }

func readSubgroup(d *Dialect, b []byte) (h SubgroupHeader, all []media.Object, err error) {
	r := reader(d, b)
	typ := r.Varint("type")
	if r.Err() != nil || d.Kind(typ) != SubgroupStream {
		return h, nil, wire.ErrUnknown
	}
	h = d.ReadSubgroupHeader(r, typ)
	s := d.Objects(r, h, testLimit)
	for o, ok := s.Next(); ok; o, ok = s.Next() {
		all = append(all, o)
	}
	return h, all, r.Err()
}

func readFetch(d *Dialect, b []byte) (id uint64, all []FetchObject, err error) {
	r := reader(d, b)
	if typ := r.Varint("type"); r.Err() != nil || d.Kind(typ) != FetchStream {
		return 0, nil, wire.ErrUnknown
	}
	id = d.ReadFetchHeader(r)
	f := d.Fetched(r, testLimit)
	for o, ok := f.Next(); ok; o, ok = f.Next() {
		all = append(all, o)
	}
	return id, all, r.Err()
}
