package dialect

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Whatever is understood can be said again, and is understood as the same. (Not in the same bytes: varints may be longer
// than they need, and parameters that we do not know are left out.)

func pick(which byte) *Dialect {
	all := All()
	return all[int(which)%len(all)]
}

func FuzzMessage(f *testing.F) {
	names := slices.Sorted(maps.Keys(places))
	for i, d := range All() {
		for _, v := range vectors() {
			if v.of(d) {
				f.Add(byte(i), byte(slices.Index(names, v.place)), unhex(f, v.hex))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which, where byte, b []byte) {
		d, p := pick(which), places[names[int(where)%len(names)]]
		m, err := p.read(d, d.NewReader(bytes.NewReader(b)))
		if err != nil || len(b) == 0 {
			return
		}
		again, err := p.read(d, d.NewReader(bytes.NewReader(p.append(d, nil, m))))
		if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatal(err, diff)
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(byte(0), unhex(f, "47d0 02 6869 4041 00"))
	f.Add(byte(1), unhex(f, "02 6869 00"))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		d := pick(which)
		all, err := readFrames(d, b)
		if err != nil {
			return
		}
		again, err := readFrames(d, appendFrames(d, all))
		if diff := cmp.Diff(all, again); diff != "" || err != nil {
			t.Fatal(err, diff)
		}
	})
}

func FuzzDatagram(f *testing.F) {
	f.Add(unhex(f, "01 4100 43e8 6869"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := Draft05()
		g, err := d.ParseDatagram(b)
		if err != nil {
			return
		}
		again, err := d.ParseDatagram(d.AppendDatagram(nil, g))
		if diff := cmp.Diff(g, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatal(err, diff)
		}
	})
}
