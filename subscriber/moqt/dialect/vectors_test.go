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

func messageVectors() map[string][]struct {
	name, hex string
	m         Message
} {
	type vectors = []struct {
		name, hex string
		m         Message
	}
	live := Params{Forward: new(true), Priority: new(uint8(128)), Filter: &Filter{Type: LargestObject}}
	timescale := []media.Property{{Type: 0x0E, Value: 100}}
	at53 := Params{Largest: &media.Location{Group: 5, Object: 3}}
	ab := TrackName{Namespace: []string{"a"}, Name: "b"}
	to := func(id uint64) ReplyTo { return ReplyTo{RequestID: id} }
	ranged := Params{Tokens: []Token{{Value: []byte("tk")}},
		Filter: &Filter{Type: AbsoluteRange, Start: media.Location{Group: 300, Object: 1}, EndGroup: 302}}
	tuned := Params{DeliveryTimeout: new(uint64(500)), Forward: new(false), Priority: new(uint8(200)), Order: Descending,
		NewGroup: new(uint64(0))}
	patient := tuned
	patient.Rendezvous = new(uint64(2000))
	end := media.Location{Group: 300, Object: 5}
	descending := []media.Property{{Type: 0x22, Value: 2}}
	shared := vectors{
		{"standalone fetch", "16000c0601010161016205000504" + "00",
			&Fetch{RequestID: 6, Type: Standalone, Track: ab, Start: media.Location{Group: 5}, End: media.Location{Group: 5, Object: 4}}},
		{"absolute joining fetch", "1600050603020700", &Fetch{RequestID: 6, Type: AbsoluteJoining, Joining: 2, JoiningStart: 7}},
		{"publish namespace", "0600050101016100", &PublishNamespace{RequestID: 1, Namespace: []string{"a"}}},
		{"track status", "0d000700010161016200", &TrackStatus{Track: ab}},
		{"namespace", "080003010161", &Namespace{Suffix: []string{"a"}}},
		{"namespace done", "0e0003010161", &NamespaceDone{Suffix: []string{"a"}}},
	}
	later := vectors{
		{"setup", "af00001601042f6d6f710409612e6578616d706c650203782f31",
			&Setup{Path: "/moq", Authority: "a.example", Implementation: "x/1"}},
		{"empty setup", "af000000", &Setup{WebTransport: true}},
		{"subscribe", "03001c0002036d736605636c65617207636174616c6f670310011080010102",
			&Subscribe{Track: clear("catalog"), Params: live}},
		{"subscribe without parameters", "0300150002036d736605636c65617207636174616c6f6700",
			&Subscribe{Track: clear("catalog")}},
		{"subscribe ok", "04000707010905030e64", &SubscribeOK{Alias: 7, Params: at53, Properties: timescale}},
		{"request error", "0500051083e90178", &RequestError{Code: 0x10, Retry: 1001, Reason: "x"}},
		{"redirect", "05000f340100096d6f71743a2f2f622f0000",
			&RequestError{Code: 0x34, Retry: 1, Redirect: &Redirect{URI: "moqt://b/"}}},
		{"publish done", "0b0003020c00", &PublishDone{Code: 2, Streams: 12}},
		{"publish done, not counted", "0b000b02ff3fffffffffffffff00", &PublishDone{Code: 2, Streams: UnknownStreams}},
		{"joining fetch", "1600050202000000", &Fetch{RequestID: 2, Type: RelativeJoining}},
		{"subscribe namespace", "5000070001036d736600", &SubscribeNamespace{Prefix: []string{"msf"}}},
		{"subscribe to a range, with a token", "030014040101610162" + "02" + "03040300746b" + "1e0504812c0102",
			&Subscribe{RequestID: 4, Track: ab, Params: ranged}},
		{"subscribe with parameters", "03001500010161016206" + "0281f4" + "0287d0" + "0c00" + "10c8" + "0202" + "1000",
			&Subscribe{Track: ab, Params: patient}},
		{"fetch ok", "18000701812c05002202", &FetchOK{EndOfTrack: true, End: end, Properties: descending}},
		{"request ok", "0700050108c0ea60", &RequestOK{Params: Params{Expires: new(uint64(60000))}}},
		{"redirect to another track", "050009340000000101610162", &RequestError{Code: 0x34, Redirect: &Redirect{Track: ab}}},
		{"request update", "02000408011001", &RequestUpdate{RequestID: 8, Params: Params{Forward: new(true)}}},
		{"subscribe tracks", "510003000000", &SubscribeTracks{}},
		{"publish skipped", "0f00050101610162", &PublishSkipped{Suffix: ab.Namespace, Name: ab.Name}},
		{"publish", "1d000f010105" + "6d65646961" + "0474657374" + "0200",
			&Publish{RequestID: 1, Track: TrackName{Namespace: []string{"media"}, Name: "test"}, Alias: 2}},
	}
	later = append(later, shared...)
	return map[string]vectors{
		"moqt-16": append(shared, vectors{
			{"subscribe to a range, with a token", "030015040101610162" + "02" + "03040300746b" + "1e0604412c01412e",
				&Subscribe{RequestID: 4, Track: ab, Params: ranged}},
			{"subscribe with parameters", "03001300010161016205" + "0241f4" + "0e00" + "1040c8" + "0202" + "1000",
				&Subscribe{Track: ab, Params: tuned}},
			{"fetch ok", "1800080601412c05002202",
				&FetchOK{ReplyTo: to(6), EndOfTrack: true, End: end, Properties: descending}},
			{"request ok", "0700070101088000ea60", &RequestOK{ReplyTo: to(1), Params: Params{Expires: new(uint64(60000))}}},
			{"request update", "0200050804011001",
				&RequestUpdate{RequestID: 8, Existing: 4, Params: Params{Forward: new(true)}}},
			{"publish ok", "1e00020100", &PublishOK{ReplyTo: to(1)}},
			{"unsubscribe", "0a000104", &Unsubscribe{to(4)}},
			{"fetch cancel", "17000106", &FetchCancel{to(6)}},
			{"max request id", "1500024080", &MaxRequestID{Max: 128}},
			{"requests blocked", "1a000120", &RequestsBlocked{Max: 32}},
			{"publish namespace done", "09000101", &PublishNamespaceDone{to(1)}},
			{"publish namespace cancel", "0c000401200178", &PublishNamespaceCancel{ReplyTo: to(1), Code: 0x20, Reason: "x"}},
			{"client setup", "2000150301042f6d6f710140400309612e6578616d706c65",
				&Setup{Path: "/moq", MaxRequestID: 64, Authority: "a.example"}},
			{"server setup", "21000401024040", &Setup{Server: true, MaxRequestID: 64}},
			{"subscribe", "03001d0002036d736605636c65617207636174616c6f67031001104080010102",
				&Subscribe{Track: clear("catalog"), Params: live}},
			{"subscribe ok", "04000a000701090205030e4064",
				&SubscribeOK{Alias: 7, Params: at53, Properties: timescale}},
			{"request error", "050006001043e90178", &RequestError{Code: 0x10, Retry: 1001, Reason: "x"}},
			{"publish done", "0b000400020c00", &PublishDone{Code: 2, Streams: 12}},
			{"goaway", "10000a096d6f71743a2f2f622f", &Goaway{URI: "moqt://b/"}},
			{"joining fetch", "1600050202000000", &Fetch{RequestID: 2, Type: RelativeJoining}},
			{"subscribe namespace", "1100080001036d73660200", &SubscribeNamespace{Prefix: []string{"msf"}, Options: 2}},
		}...),
		"moqt-18": append(vectors{{"goaway", "10000d096d6f71743a2f2f622f938804",
			&Goaway{URI: "moqt://b/", Timeout: 5e9, RequestID: new(uint64(4))}}}, later...),
		"moqt-19": append(vectors{{"goaway", "10000c096d6f71743a2f2f622f9388",
			&Goaway{URI: "moqt://b/", Timeout: 5e9}}}, later...),
	}
}

func TestMessagesMatchTheVectors(t *testing.T) {
	for alpn, vectors := range messageVectors() {
		d := ByALPN(alpn)
		for _, v := range vectors {
			t.Run(alpn+"/"+v.name, func(t *testing.T) {
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

func TestSubgroupsMatchTheVectors(t *testing.T) {
	for _, v := range []struct {
		name, alpn, hex string
		h               SubgroupHeader
		objects         []media.Object
	}{
		{"default priority, end of group", "moqt-16", "3807412c0002616200026364",
			SubgroupHeader{Alias: 7, Group: 300, EndOfGroup: true},
			[]media.Object{object(300, 0, "ab"), object(300, 1, "cd")}},
		{"the draft's first example", "moqt-16", "1402000000" + "000461626364" + "000465666768",
			SubgroupHeader{Alias: 2, ID: SubgroupStated, Priority: new(uint8(0))},
			[]media.Object{object(0, 0, "abcd"), object(0, 1, "efgh")}},
		{"the draft's second example", "moqt-16",
			"35020000" + "001a04c00000008257dcd340490e" + "747261636549443a313233343536" + "0461626364" + "00000465666768",
			SubgroupHeader{Alias: 2, ID: SubgroupStated, Properties: true},
			[]media.Object{{Payload: []byte("abcd"), Properties: []media.Property{
				{Type: 4, Value: 2186796243}, {Type: 77, Bytes: []byte("traceID:123456")}}},
				object(0, 1, "efgh")}},
		{"everything", "moqt-18", "7d07812c01020410c15f90026162",
			SubgroupHeader{Alias: 7, Group: 300, ID: SubgroupStated, Subgroup: 1, Properties: true, EndOfGroup: true, First: true},
			[]media.Object{{Location: media.Location{Group: 300, Object: 2}, Subgroup: 1, Payload: []byte("ab"),
				Properties: []media.Property{{Type: 0x10, Value: 90000}}}}},
	} {
		t.Run(v.name, func(t *testing.T) {
			d := ByALPN(v.alpn)
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
		alpn, hex string
		items     []FetchObject
	}{
		{"moqt-16", "05021c05008002616200026364410c0700", []FetchObject{
			{Object: object(5, 0, "ab"), Priority: 128}, {Object: object(5, 1, "cd"), Priority: 128},
			{Object: object(7, 0, ""), Gap: Unknown}}},
		{"moqt-18", "05021c050080026162000263640c0000026566", []FetchObject{
			{Object: object(5, 0, "ab"), Priority: 128}, {Object: object(5, 1, "cd"), Priority: 128},
			{Object: object(6, 0, "ef"), Priority: 128}}},
	} {
		t.Run(v.alpn, func(t *testing.T) {
			d := ByALPN(v.alpn)
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
	for alpn, hex := range map[string]string{
		// all fields; the subgroup before, object id; that plus one; group without object id; datagram
		"moqt-16": "0502" + "3f05070980020401026162" + "050c0163" + "020164" + "08080165" + "40400166",
		"moqt-18": "0502" + "3f05070980020401026162" + "05030163" + "020164" + "08020165" + "400166",
	} {
		_, got, err := readFetch(ByALPN(alpn), unhex(t, hex))
		if diff := cmp.Diff(want, got, equal); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", alpn, err, diff)
		}
	}
}

func TestDatagramsMatchTheVectors(t *testing.T) {
	for _, v := range []struct {
		hex string
		g   Datagram
	}{
		{"0c07096162", Datagram{Alias: 7, Object: object(9, 0, "ab")}},
		{"07070902020405" + "aabb", Datagram{Alias: 7, Priority: new(uint8(2)), Object: media.Object{
			Location: media.Location{Group: 9}, Last: true, Payload: []byte{0xaa, 0xbb},
			Properties: []media.Property{{Type: 4, Value: 5}}}}},
		{"2807090204", Datagram{Alias: 7, Object: media.Object{Location: media.Location{Group: 9, Object: 2}, Status: media.EndOfTrack}}},
		{"00070902806162", Datagram{Alias: 7, Object: object(9, 2, "ab"), Priority: new(uint8(128))}},
	} {
		for _, d := range All() {
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
