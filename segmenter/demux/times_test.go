package demux_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// told is what a media timeline says of when media time began, after the objects of a group, for media at some time.
func told(at int64, objects ...string) (ms int64, ok bool, err error) {
	var times demux.Times
	for i, p := range objects {
		if e := times.Read(&media.Object{Location: media.Location{Group: 3, Object: uint64(i)}, Payload: []byte(p)}); e != nil {
			err = e
		}
	}
	ms, ok = times.Began(at)
	return ms, ok, err
}

// packed is a text in gzip.
func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

func TestTheOldestRecordOfTheClockInForceTells(t *testing.T) {
	const of = 1759924158381 // the example of the draft
	draft := "[[0,[0,0],1759924158381],[2002,[1,0],1759924160383],[4004,[2,0],1759924162385]]"
	for name, c := range map[string]struct {
		objects []string
		at      int64
		began   int64 // 0: it does not tell
	}{
		"of the draft":               {[]string{draft}, 4000, of},
		"compressed":                 {[]string{packed(draft)}, 4000, of},
		"after other media":          {[]string{draft}, 64_005, 0},
		"before other media":         {[]string{"[[90000,[0,0],1759924248381]]"}, 29_999, 0},
		"late encoder":               {[]string{"[[0,[0,0],1759924158381],[2002,[1,0],1759924160999]]"}, 0, of},
		"older records left":         {[]string{"[[2002,[1,0],1759924160999]]"}, 0, 1759924158997},
		"new records":                {[]string{"[[0,[0,0],1759924158381]]", "[[90000,[45,0],1759924248400]]"}, 91_000, of},
		"new records alone":          {[]string{"", "[[90000,[45,0],1759924248400]]"}, 91_000, of + 19},
		"another clock since then":   {[]string{"[[50000,[9,0],1759924158381],[0,[10,0],1759924400000],[2000,[11,0],1759924402100]]"}, 0, 1759924400000},
		"decimals and exponents":     {[]string{"[[0.9,[0,0],1.759924158381e12],[2002,[1,0],1759924160383.5]]"}, 0, of},
		"wall clock unknown":         {[]string{"[[0,[0,0],0],[2002,[1,0],0]]"}, 0, 0},
		"first wall clock unknown":   {[]string{"[[0,[0,0],0],[2002,[1,0],1759924160383]]"}, 0, of},
		"odd records":                {[]string{`[7,"x",{},[],[1],[0,[0,0],-1],[-1,[0,0],5],[0,[0,0],"x"],[0,0,null],[0,[0,0],1759924158381],[[],[],[]]]`}, 0, of},
		"nothing":                    {[]string{"[]"}, 0, 0},
		"nothing that is a timeline": {nil, 0, 0},
	} {
		ms, ok, err := told(c.at, c.objects...)
		if ok != (c.began > 0) || ok && ms != c.began || err != nil {
			t.Errorf("%s: %d, %v, %v; want %d", name, ms, ok, err, c.began)
		}
	}
}

func TestABrokenTimelineSaysWhatTheLastGoodOneSaid(t *testing.T) {
	const good = "[[0,[0,0],1759924158381]]"
	for _, broken := range []string{"{}", "[", "[[0,[0,0],1", "0,1", "MEDIA_PTS,GROUP_ID", "\x1f\x8b", "\x1f\x8b\x08\x00\x00\x00\x00\x00", "[" + strings.Repeat("[", 20_000)} {
		if ms, ok, err := told(0, good, broken); ms != 1759924158381 || !ok || err == nil {
			t.Errorf("%.20q: %d, %v, %v", broken, ms, ok, err)
		}
		if _, ok, err := told(0, broken); ok || err == nil {
			t.Errorf("%.20q alone: %v, %v", broken, ok, err)
		}
	}
}

// A broadcast of some days has a record for each of its groups, and all come again with every group.
func TestALongTimelineTakesBoundedMemory(t *testing.T) {
	var long strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&long, ",[%d,[%d,0],%d]", i*1000, i, 1759924158381+i*1000)
	}
	if ms, ok, err := told(29_999_000, "["+long.String()[1:]+"]"); ms != 1759924158381 || !ok || err != nil {
		t.Errorf("%d, %v, %v", ms, ok, err)
	}
	for name, p := range map[string]string{"wide": "[[" + strings.Repeat("1,", 2<<20) + "1]]", "too long": packed(strings.Repeat(" ", 17<<20) + "[]")} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := told(0, p)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 || (err != nil) != (name == "too long") {
			t.Errorf("%s: %v, %d bytes", name, err, used)
		}
	}
}

func FuzzTimes(f *testing.F) {
	f.Add([]byte("[[0,[0,0],1759924158381],[2002,[1,0],1759924160383]]"), []byte("[[4004,[2,0],1759924162385]]"), int64(4000))
	f.Add([]byte("[]"), []byte("[1,[],[0,[0,0],1e300]]"), int64(-1))
	f.Fuzz(func(t *testing.T, first, second []byte, at int64) {
		at = max(min(at, 1<<53), -1<<53)
		ms, ok, _ := told(at, string(first), string(second))
		if again, _, _ := told(at, string(first), string(second)); ok && (ms != again || ms < -1<<53 || ms > 1<<53) {
			t.Fatalf("%d, and %d", ms, again)
		}
	})
}
