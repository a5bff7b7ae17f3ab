package dialect

import "github.com/moqpack/moqpack/internal/media"

// vector is a message and its bytes.
type vector struct {
	name, hex string
	m         Message
}

// messageVectors are the messages of a draft. Those of 14, 16, 18 and 19 were written by hand from the drafts' figures, those of
// 15, 17 and 20 to 22 from what is known of them.
func messageVectors(d *Dialect) []vector {
	switch d.Number {
	case 14:
		return append(vectors14(), vectorsOneStream()...)
	case 15:
		return append(append(vectors15(), vectorsOneStream()...), vectorsUpTo16()...)
	case 16:
		return append(append(append(vectors16(), vectorsOneStream()...), vectorsUpTo16()...), vectorsNamespaces()...)
	case 17:
		return append(append(vectors17(), vectorsFrom17()...), vectorsNamespaces()...)
	case 18:
		return append(append(append(vectors18(), vectorsFrom17()...), vectorsFrom18()...), vectorsNamespaces()...)
	case 19:
		return append(append(append(vectors18()[1:], vectorsFrom17()...), vectorsFrom18()...), append(vectorsNamespaces(), goawayVector())...)
	}
	all := append(append(append(vectorsFilters(d.filters), vectorsFrom17()...), vectorsFrom18()...), vectorsNamespaces()...)
	return append(append(all, vectors20()...), goawayVector())
}

func trackAB() TrackName { return TrackName{Namespace: []string{"a"}, Name: "b"} }

func at53() Params { return Params{Largest: &media.Location{Group: 5, Object: 3}} }

func live() Params {
	return Params{Forward: new(true), Priority: new(uint8(128)), Filter: &Filter{Type: LargestObject}}
}

func ranged() Params {
	return Params{Tokens: []Token{{Value: []byte("tk")}},
		Filter: &Filter{Type: AbsoluteRange, Start: media.Location{Group: 300, Object: 1}, EndGroup: 302}}
}

func tuned() Params {
	return Params{DeliveryTimeout: new(uint64(500)), Forward: new(false), Priority: new(uint8(200)), Order: Descending,
		NewGroup: new(uint64(0))}
}

func replyTo(id uint64) ReplyTo { return ReplyTo{RequestID: id} }

func end300() media.Location { return media.Location{Group: 300, Object: 5} }

// The properties that a track may have.
func timescale() []media.Property  { return []media.Property{{Type: 0x0E, Value: 100}} }
func descending() []media.Property { return []media.Property{{Type: 0x22, Value: 2}} }

func mediaTest() TrackName { return TrackName{Namespace: []string{"media"}, Name: "test"} }

// vectors14 are the messages of which 14 has its own form.
func vectors14() []vector {
	a := []string{"a"}
	full := func(order Order) Params {
		return Params{Forward: new(true), Priority: new(uint8(128)), Order: order, Filter: &Filter{Type: LargestObject}}
	}
	narrow := ranged()
	narrow.Priority, narrow.Order, narrow.Forward = new(uint8(200)), Descending, new(false)
	ok := at53()
	ok.Order = Ascending
	return []vector{
		{"client setup", "20001301c0000000ff00000e0201042f6d6f71024040", &Setup{Path: "/moq", MaxRequestID: 64}},
		{"client setup with an authority", "20001b01c0000000ff00000e0201042f6d6f710509612e6578616d706c65",
			&Setup{Path: "/moq", Authority: "a.example"}},
		{"server setup", "21000cc0000000ff00000e01024040", &Setup{Server: true, MaxRequestID: 64}},
		{"server setup with a name", "21000ec0000000ff00000e010503782f31", &Setup{Server: true, Implementation: "x/1"}},
		{"subscribe", "0300190002036d736605636c65617207636174616c6f678000010200",
			&Subscribe{Track: clear("catalog"), Params: full(0)}},
		{"subscribe to a range, with a token", "030016" + "040101610162" + "c80200" + "04412c01412e" + "0103040300746b",
			&Subscribe{RequestID: 4, Track: trackAB(), Params: narrow}},
		{"subscribe ok", "0400080007000101050300", &SubscribeOK{Alias: 7, Params: ok}},
		{"subscribe ok, nothing yet", "04000902098000ea60020000",
			&SubscribeOK{ReplyTo: replyTo(2), Alias: 9, Params: Params{Expires: new(uint64(60000)), Order: Descending}}},
		{"subscribe error", "05000400040178", &RequestError{Code: 4, Reason: "x"}},
		{"subscribe update", "02000a0804412c01412f800100", &RequestUpdate{RequestID: 8, Existing: 4, Params: Params{
			Filter: ranged().Filter, Priority: new(uint8(128)), Forward: new(true)}}},
		{"open subscribe update", "0200080804050000800100", &RequestUpdate{RequestID: 8, Existing: 4, Params: Params{
			Filter: &Filter{Type: AbsoluteStart, Start: media.Location{Group: 5}}, Priority: new(uint8(128)), Forward: new(true)}}},
		{"track status", "0d000b0001016101628000010200", &TrackStatus{Track: trackAB(), Params: full(0)}},
		{"track status ok", "0e00080400000101050300", &RequestOK{ReplyTo: replyTo(4), Of: OfTrackStatus, Params: ok}},
		{"track status error", "0f000404040178", &RequestError{ReplyTo: replyTo(4), Of: OfTrackStatus, Code: 4, Reason: "x"}},
		{"publish", "1d00120101056d65646961047465737402010001" + "00",
			&Publish{RequestID: 1, Track: mediaTest(), Alias: 2, Params: Params{Order: Ascending, Forward: new(true)}}},
		{"publish ok", "1e0006010180010200", &PublishOK{ReplyTo: replyTo(1), Params: full(Ascending)}},
		{"publish error", "1f000401040178", &RequestError{ReplyTo: replyTo(1), Of: OfPublish, Code: 4, Reason: "x"}},
		{"joining fetch", "16000702800002000000",
			&Fetch{RequestID: 2, Type: RelativeJoining, Params: Params{Priority: new(uint8(128))}}},
		{"standalone fetch", "16000e06800101" + "0101610162" + "0500050400", &Fetch{RequestID: 6, Type: Standalone, Track: trackAB(),
			Start: media.Location{Group: 5}, End: media.Location{Group: 5, Object: 4}, Params: Params{Priority: new(uint8(128)), Order: Ascending}}},
		{"fetch ok", "180007060101412c0500",
			&FetchOK{ReplyTo: replyTo(6), EndOfTrack: true, End: end300(), Params: Params{Order: Ascending}}},
		{"fetch error", "19000406050178", &RequestError{ReplyTo: replyTo(6), Of: OfFetch, Code: 5, Reason: "x"}},
		{"publish namespace ok", "07000101", &RequestOK{ReplyTo: replyTo(1), Of: OfNamespace}},
		{"publish namespace error", "08000401040178", &RequestError{ReplyTo: replyTo(1), Of: OfNamespace, Code: 4, Reason: "x"}},
		{"publish namespace done", "090003010161", &PublishNamespaceDone{Namespace: a}},
		{"publish namespace cancel", "0c0006010161200178", &PublishNamespaceCancel{Namespace: a, Code: 0x20, Reason: "x"}},
		{"subscribe namespace", "1100070001036d736600", &SubscribeNamespace{Prefix: []string{"msf"}}},
		{"subscribe namespace ok", "12000100", &RequestOK{Of: OfPrefix}},
		{"subscribe namespace error", "13000400050178", &RequestError{Of: OfPrefix, Code: 5, Reason: "x"}},
		{"unsubscribe namespace", "14000501036d7366", &UnsubscribeNamespace{Prefix: []string{"msf"}}},
	}
}

// vectorsOneStream are the messages that are the same in 14, 15 and 16.
func vectorsOneStream() []vector {
	return []vector{
		{"publish done", "0b000400020c00", &PublishDone{Code: 2, Streams: 12}},
		{"goaway", "10000a096d6f71743a2f2f622f", &Goaway{URI: "moqt://b/"}},
		{"publish namespace", "0600050101016100", &PublishNamespace{RequestID: 1, Namespace: []string{"a"}}},
		{"unsubscribe", "0a000104", &Unsubscribe{replyTo(4)}},
		{"fetch cancel", "17000106", &FetchCancel{replyTo(6)}},
		{"max request id", "1500024080", &MaxRequestID{Max: 128}},
		{"requests blocked", "1a000120", &RequestsBlocked{Max: 32}},
	}
}

// vectorsUpTo16 are the messages that are the same in 15 and 16.
func vectorsUpTo16() []vector {
	return []vector{
		{"server setup", "21000401024040", &Setup{Server: true, MaxRequestID: 64}},
		{"request ok", "0700070101088000ea60", &RequestOK{ReplyTo: replyTo(1), Params: Params{Expires: new(uint64(60000))}}},
		{"request update", "0200050804011001", &RequestUpdate{RequestID: 8, Existing: 4, Params: Params{Forward: new(true)}}},
		{"publish ok", "1e00020100", &PublishOK{ReplyTo: replyTo(1)}},
		{"joining fetch", "1600050202000000", &Fetch{RequestID: 2, Type: RelativeJoining}},
		{"standalone fetch", "16000c0601010161016205000504" + "00",
			&Fetch{RequestID: 6, Type: Standalone, Track: trackAB(), Start: media.Location{Group: 5}, End: media.Location{Group: 5, Object: 4}}},
		{"absolute joining fetch", "1600050603020700", &Fetch{RequestID: 6, Type: AbsoluteJoining, Joining: 2, JoiningStart: 7}},
		{"track status", "0d000700010161016200", &TrackStatus{Track: trackAB()}},
	}
}

func vectors15() []vector {
	a := []string{"a"}
	return []vector{
		{"client setup", "2000150301042f6d6f710240400509612e6578616d706c65",
			&Setup{Path: "/moq", MaxRequestID: 64, Authority: "a.example"}},
		{"subscribe", "03001d0002036d736605636c65617207636174616c6f67031001204080210102",
			&Subscribe{Track: clear("catalog"), Params: live()}},
		{"subscribe to a range, with a token", "030015040101610162" + "02" + "03040300746b" + "210604412c01412e",
			&Subscribe{RequestID: 4, Track: trackAB(), Params: ranged()}},
		{"subscribe ok", "04000700070109020503", &SubscribeOK{Alias: 7, Params: at53()}},
		{"request error", "05000400100178", &RequestError{Code: 0x10, Reason: "x"}},
		{"fetch ok", "1800060601412c0500", &FetchOK{ReplyTo: replyTo(6), EndOfTrack: true, End: end300()}},
		{"publish", "1d000f0101056d656469610474657374" + "0200", &Publish{RequestID: 1, Track: mediaTest(), Alias: 2}},
		{"publish namespace done", "090003010161", &PublishNamespaceDone{Namespace: a}},
		{"publish namespace cancel", "0c0006010161200178", &PublishNamespaceCancel{Namespace: a, Code: 0x20, Reason: "x"}},
		{"subscribe namespace", "1100070001036d736600", &SubscribeNamespace{Prefix: []string{"msf"}}},
		{"unsubscribe namespace", "14000102", &UnsubscribeNamespace{ReplyTo: replyTo(2)}},
	}
}

func vectors16() []vector {
	return []vector{
		{"client setup", "2000150301042f6d6f710140400309612e6578616d706c65",
			&Setup{Path: "/moq", MaxRequestID: 64, Authority: "a.example"}},
		{"subscribe", "03001d0002036d736605636c65617207636174616c6f67031001104080010102",
			&Subscribe{Track: clear("catalog"), Params: live()}},
		{"subscribe to a range, with a token", "030015040101610162" + "02" + "03040300746b" + "1e0604412c01412e",
			&Subscribe{RequestID: 4, Track: trackAB(), Params: ranged()}},
		{"subscribe with parameters", "03001300010161016205" + "0241f4" + "0e00" + "1040c8" + "0202" + "1000",
			&Subscribe{Track: trackAB(), Params: tuned()}},
		{"subscribe ok", "04000a000701090205030e4064", &SubscribeOK{Alias: 7, Params: at53(), Properties: timescale()}},
		{"request error", "050006001043e90178", &RequestError{Code: 0x10, Retry: 1001, Reason: "x"}},
		{"fetch ok", "1800080601412c05002202",
			&FetchOK{ReplyTo: replyTo(6), EndOfTrack: true, End: end300(), Properties: descending()}},
		{"publish", "1d00120101056d656469610474657374" + "02000e4064",
			&Publish{RequestID: 1, Track: mediaTest(), Alias: 2, Properties: timescale()}},
		{"publish namespace done", "09000101", &PublishNamespaceDone{ReplyTo: replyTo(1)}},
		{"publish namespace cancel", "0c000401200178", &PublishNamespaceCancel{ReplyTo: replyTo(1), Code: 0x20, Reason: "x"}},
		{"subscribe namespace", "1100080001036d73660200", &SubscribeNamespace{Prefix: []string{"msf"}, Options: 2}},
	}
}

// vectorsNamespaces are the answers to SUBSCRIBE_NAMESPACE from 16 on.
func vectorsNamespaces() []vector {
	return []vector{
		{"namespace", "080003010161", &Namespace{Suffix: []string{"a"}}},
		{"namespace done", "0e0003010161", &NamespaceDone{Suffix: []string{"a"}}},
	}
}

func goawayVector() vector {
	return vector{"goaway", "10000c096d6f71743a2f2f622f9388", &Goaway{URI: "moqt://b/", Timeout: 5e9}}
}

// vectorsFrom17 are the messages that have not changed since 17.
func vectorsFrom17() []vector {
	return []vector{
		{"setup", "af00001601042f6d6f710409612e6578616d706c650203782f31",
			&Setup{Path: "/moq", Authority: "a.example", Implementation: "x/1"}},
		{"empty setup", "af000000", &Setup{WebTransport: true}},
		{"subscribe ok", "04000707010905030e64", &SubscribeOK{Alias: 7, Params: at53(), Properties: timescale()}},
		{"request error", "0500051083e90178", &RequestError{Code: 0x10, Retry: 1001, Reason: "x"}},
		{"publish done", "0b0003020c00", &PublishDone{Code: 2, Streams: 12}},
		{"publish done, not counted", "0b000b02ff3fffffffffffffff00", &PublishDone{Code: 2, Streams: UnknownStreams}},
		{"request ok", "0700050108c0ea60", &RequestOK{Params: Params{Expires: new(uint64(60000))}}},
		{"publish skipped", "0f00050101610162", &PublishSkipped{Suffix: trackAB().Namespace, Name: "b"}},
	}
}

func vectors17() []vector {
	return []vector{
		goawayVector(),
		{"subscribe", "03001d000002036d736605636c65617207636174616c6f670310011080010102",
			&Subscribe{Track: clear("catalog"), Params: live()}},
		{"subscribe to a range, with a token", "03001504000101610162" + "02" + "03040300746b" + "1e0504812c0102",
			&Subscribe{RequestID: 4, Track: trackAB(), Params: ranged()}},
		{"joining fetch", "160006020002000000", &Fetch{RequestID: 2, Type: RelativeJoining}},
		{"standalone fetch", "16000d060001010161016205000504" + "00",
			&Fetch{RequestID: 6, Type: Standalone, Track: trackAB(), Start: media.Location{Group: 5}, End: media.Location{Group: 5, Object: 4}}},
		{"fetch ok", "18000701812c05002202", &FetchOK{EndOfTrack: true, End: end300(), Properties: descending()}},
		{"request update", "0200050800011001", &RequestUpdate{RequestID: 8, Params: Params{Forward: new(true)}}},
		{"publish", "1d0010010001056d65646961" + "0474657374" + "0200", &Publish{RequestID: 1, Track: mediaTest(), Alias: 2}},
		{"publish ok", "1e000100", &PublishOK{}},
		{"publish namespace", "060006010001016100", &PublishNamespace{RequestID: 1, Namespace: []string{"a"}}},
		{"subscribe namespace", "110009000001036d73660200", &SubscribeNamespace{Prefix: []string{"msf"}, Options: 2}},
		{"track status", "0d00080000010161016200", &TrackStatus{Track: trackAB()}},
	}
}

// vectorsFrom18 are the messages that have not changed since 18.
func vectorsFrom18() []vector {
	patient := tuned()
	patient.Rendezvous = new(uint64(2000))
	return []vector{
		{"subscribe without parameters", "0300150002036d736605636c65617207636174616c6f6700",
			&Subscribe{Track: clear("catalog")}},
		{"subscribe with parameters", "03001500010161016206" + "0281f4" + "0287d0" + "0c00" + "10c8" + "0202" + "1000",
			&Subscribe{Track: trackAB(), Params: patient}},
		{"redirect", "05000f340100096d6f71743a2f2f622f0000",
			&RequestError{Code: 0x34, Retry: 1, Redirect: &Redirect{URI: "moqt://b/"}}},
		{"redirect to another track", "050009340000000101610162", &RequestError{Code: 0x34, Redirect: &Redirect{Track: trackAB()}}},
		{"request update", "02000408011001", &RequestUpdate{RequestID: 8, Params: Params{Forward: new(true)}}},
		{"subscribe namespace", "5000070001036d736600", &SubscribeNamespace{Prefix: []string{"msf"}}},
		{"subscribe tracks", "510003000000", &SubscribeTracks{}},
		{"publish", "1d000f010105" + "6d65646961" + "0474657374" + "0200", &Publish{RequestID: 1, Track: mediaTest(), Alias: 2}},
		{"publish namespace", "0600050101016100", &PublishNamespace{RequestID: 1, Namespace: []string{"a"}}},
		{"track status", "0d000700010161016200", &TrackStatus{Track: trackAB()}},
	}
}

// vectors18 are messages of 18, and but for the first of 19.
func vectors18() []vector {
	return []vector{
		{"goaway", "10000d096d6f71743a2f2f622f938804", &Goaway{URI: "moqt://b/", Timeout: 5e9, RequestID: new(uint64(4))}},
		{"subscribe", "03001c0002036d736605636c65617207636174616c6f670310011080010102",
			&Subscribe{Track: clear("catalog"), Params: live()}},
		{"subscribe to a range, with a token", "030014040101610162" + "02" + "03040300746b" + "1e0504812c0102",
			&Subscribe{RequestID: 4, Track: trackAB(), Params: ranged()}},
		{"joining fetch", "1600050202000000", &Fetch{RequestID: 2, Type: RelativeJoining}},
		{"standalone fetch", "16000c0601010161016205000504" + "00",
			&Fetch{RequestID: 6, Type: Standalone, Track: trackAB(), Start: media.Location{Group: 5}, End: media.Location{Group: 5, Object: 4}}},
		{"absolute joining fetch", "1600050603020700", &Fetch{RequestID: 6, Type: AbsoluteJoining, Joining: 2, JoiningStart: 7}},
		{"fetch ok", "18000701812c05002202", &FetchOK{EndOfTrack: true, End: end300(), Properties: descending()}},
	}
}

// vectors20 are the same in 20, 21 and 22, although a filter's first number means a length in the one and a type in the other.
func vectors20() []vector {
	back := live()
	back.Filter = &Filter{Type: LastGroups, Back: 1}
	fill := &Params{Filter: &Filter{Type: ObjectRange, Start: media.Location{Group: 5}, EndGroup: 5, EndObject: 3}}
	return []vector{
		{"subscribe", "03001c0002036d736605636c65617207636174616c6f670310011080010101", &Subscribe{Track: clear("catalog"), Params: back}},
		{"fetch", "16000d0601016101620121" + "0405000003", &Fetch{RequestID: 6, Type: Standalone, Track: trackAB(),
			Start: media.Location{Group: 5}, End: media.Location{Group: 5, Object: 4}}},
		{"fetch of whole groups", "16000c0601016101620121" + "03050002", &Fetch{RequestID: 6, Type: Standalone, Track: trackAB(),
			Start: media.Location{Group: 5}, End: media.Location{Group: 7}}},
		{"fetch ok", "18000701812c04002202", &FetchOK{EndOfTrack: true, End: end300(), Properties: descending()}},
		{"fill", "02000b080123" + "07" + "0121" + "0405000003", &RequestUpdate{RequestID: 8, Params: Params{Fill: fill}}},
		{"subscribe without properties", "0300090001016101620135" + "00",
			&Subscribe{Track: trackAB(), Params: Params{Properties: new(uint8(0))}}},
		{"publish state notify", "220003010203", &PublishStateNotify{Body: []byte{1, 2, 3}}},
	}
}

// vectorsFilters are the location filters of 20 and later.
func vectorsFilters(c filterCoding) []vector {
	start := media.Location{Group: 300, Object: 1}
	filters := []struct {
		name, fields, bare string
		f                  Filter
	}{
		{"unfiltered", "0300090001016101620121" + "00", "0300090001016101620121" + "00", Filter{Type: Unfiltered}},
		{"next group", "03000a0001016101620121" + "0100", "03000a0001016101620121" + "0100", Filter{Type: NextGroupStart}},
		{"next object", "03000b0001016101620121" + "020000", "0300090001016101620121" + "05", Filter{Type: LargestObject}},
		{"start", "03000c0001016101620121" + "03812c01", "03000c0001016101620121" + "02812c01", Filter{Type: AbsoluteStart, Start: start}},
		{"range", "03000d0001016101620121" + "04812c0102", "03000d0001016101620121" + "03812c0102",
			Filter{Type: AbsoluteRange, Start: start, EndGroup: 302}},
		{"range of objects", "03000e0001016101620121" + "05812c010209", "03000e0001016101620121" + "04812c010209",
			Filter{Type: ObjectRange, Start: start, EndGroup: 302, EndObject: 9}},
	}
	var all []vector
	for _, v := range filters {
		hex := v.fields
		if c == filterBare {
			hex = v.bare
		}
		all = append(all, vector{v.name, hex, &Subscribe{Track: trackAB(), Params: Params{Filter: &v.f}}})
	}
	return all
}
