package transport

import (
	"bytes"
	"strings"
	"testing"
)

func TestCapsulesEndASession(t *testing.T) {
	long := strings.Repeat("x", maxReason)
	for name, v := range map[string]struct {
		in    []byte
		want  CloseError
		drain bool
	}{
		"none":                 {nil, CloseError{Remote: true}, false},
		"close":                {appendClose(nil, 7, "why"), CloseError{Code: 7, Reason: "why", Remote: true}, false},
		"close without reason": {appendClose(nil, 1<<40, ""), CloseError{Code: 1<<32 - 1, Remote: true}, false},
		"our longest reason":   {appendClose(nil, 0, long+long), CloseError{Reason: long, Remote: true}, false},
		"drain and close":      {append([]byte{0x80, 0, 0x78, 0xae, 0}, appendClose(nil, 1, "")...), CloseError{Code: 1, Remote: true}, true},
		"unknown ones":         {append([]byte{0x17, 2, 1, 2, 0, 0}, appendClose(nil, 1, "")...), CloseError{Code: 1, Remote: true}, false},
	} {
		drained := false
		if got := readCapsules(bytes.NewReader(v.in), func() { drained = true }); *got != v.want || drained != v.drain {
			t.Errorf("%s: %+v, drain %v", name, *got, drained)
		}
	}
	for name, in := range map[string][]byte{
		"cut type":            {0x68},
		"cut length":          {0x68, 0x43, 0x80},
		"cut code":            {0x68, 0x43, 4, 0, 0},
		"code of three bytes": {0x68, 0x43, 3, 0, 0, 0},
		"too long a length":   {0x17, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if got := readCapsules(bytes.NewReader(in), func() {}); !got.Remote || got.Reason == "" {
			t.Errorf("%s: %+v", name, *got)
		}
	}
}

func FuzzCapsules(f *testing.F) {
	f.Add(appendClose(nil, 7, "why"))
	f.Add([]byte{0x80, 0, 0x78, 0xae, 0, 0x17, 2, 1, 2})
	f.Fuzz(func(t *testing.T, in []byte) {
		if got := readCapsules(bytes.NewReader(in), func() {}); len(got.Reason) > 2*maxReason || got.Code >= 1<<32 {
			t.Errorf("%+v", *got)
		}
	})
}

func TestCodesSurviveTheWayThroughHTTP(t *testing.T) {
	for _, code := range []uint64{0, 1, 0x1d, 0x1e, 0x1f, 0x3b, 0x3c, 1 << 20, 1<<32 - 1} {
		h := uint64(toHTTP(code))
		if got := fromHTTP(h); got != code || h < firstCode || h > lastCode || (h-0x21)%0x1f == 0 {
			t.Errorf("%#x is %#x is %#x", code, h, got)
		}
	}
	if got := fromHTTP(0x10c); got != 0x10c {
		t.Errorf("a code of HTTP/3 is %#x", got)
	}
}

func FuzzChosen(f *testing.F) {
	f.Add(`"moqt-18"`)
	f.Add(`moqt-16;q=1, "x"`)
	f.Fuzz(func(t *testing.T, header string) {
		offer := []string{"moqt-18", "moqt-16"}
		if p, err := chosen(header, offer); err == nil && p != "" && p != offer[0] && p != offer[1] {
			t.Errorf("%q chose %q", header, p)
		}
	})
}
