package dialect

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Whatever is understood can be said again, and is understood as the same. (Not in the same bytes: varints may be longer
// than they need, and 16 has two ways to say nothing.)

func pick(which byte) *Dialect {
	all := All()
	return all[int(which)%len(all)]
}

func FuzzMessage(f *testing.F) {
	for i, d := range All() {
		for _, v := range messageVectors(d) {
			f.Add(byte(i), unhex(f, v.hex))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		d := pick(which)
		m, err := read(d, b)
		if _, skipped := m.(*Unrecognized); err != nil || m == nil || skipped {
			return
		}
		again, err := read(d, d.Append(nil, m))
		if err != nil {
			t.Fatalf("%#v: %v", m, err)
		}
		if diff := cmp.Diff(m, again, equal); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzSubgroup(f *testing.F) {
	f.Add(byte(2), unhex(f, "3807412c0002616200026364"))
	f.Add(byte(5), unhex(f, "1007412c800002616200026364000003"))
	f.Add(byte(0), unhex(f, "7d07812c01020410c15f90026162"))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		d := pick(which)
		h, objects, err := readSubgroup(d, b)
		if err != nil {
			return
		}
		w, again := d.NewSubgroupWriter(h), d.AppendSubgroupHeader(nil, h)
		for _, o := range objects {
			again = w.Append(again, o)
		}
		h2, objects2, err := readSubgroup(d, again)
		if diff := cmp.Diff(h, h2) + cmp.Diff(objects, objects2, equal); diff != "" || err != nil {
			t.Fatal(err, diff)
		}
	})
}

func FuzzFetch(f *testing.F) {
	f.Add(byte(2), unhex(f, "05021c05008002616200026364410c0700"))
	f.Add(byte(4), unhex(f, "05021c05008002616200026364000003"))
	f.Add(byte(5), unhex(f, "05020500008000026162050001800002636405000280000003"))
	f.Add(byte(6), unhex(f, "05021c05008002616200026364820c0700"))
	f.Add(byte(0), unhex(f, "05021c050080026162000263640c0000026566"))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		d := pick(which)
		id, items, err := readFetch(d, b)
		if err != nil || !ascending(items) {
			return
		}
		w, again := d.NewFetchWriter(), d.AppendFetchHeader(nil, id)
		for _, o := range items {
			again = w.Append(again, o)
		}
		_, items2, err := readFetch(d, again)
		if diff := cmp.Diff(items, items2, equal); diff != "" || err != nil {
			t.Fatal(err, diff)
		}
	})
}

// ascending says that the items can be written: a publisher's would be.
func ascending(items []FetchObject) bool {
	for i := 1; i < len(items); i++ {
		if !items[i-1].Before(items[i].Location) {
			return false
		}
	}
	return true
}

func FuzzDatagram(f *testing.F) {
	f.Add(byte(0), unhex(f, "2807090204"))
	f.Add(byte(1), unhex(f, "00070902806162"))
	f.Add(byte(4), unhex(f, "2c07090004"))
	f.Add(byte(5), unhex(f, "210709028002040503"))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		d := pick(which)
		g, ok, err := d.ParseDatagram(b)
		if err != nil || !ok {
			return
		}
		if g.Object.Status == media.Normal && g.Object.Payload == nil && len(b) > 0 && b[0]&datagramStatus != 0 {
			return // the status normal, spelled out: we leave it out
		}
		again, ok, err := d.ParseDatagram(d.AppendDatagram(nil, g))
		if diff := cmp.Diff(g, again, equal); diff != "" || err != nil || !ok {
			t.Fatal(ok, err, diff)
		}
	})
}

func BenchmarkObject(b *testing.B) {
	for _, v := range []struct {
		name       string
		payload    int
		properties []media.Property
	}{
		{"1KiB", 1 << 10, nil},
		{"20KiB", 20 << 10, nil},
		{"20KiB with a timestamp", 20 << 10, []media.Property{{Type: 0x10, Value: 90000}}},
	} {
		b.Run(v.name, func(b *testing.B) {
			d, h := Draft18(), SubgroupHeader{Alias: 7, Group: 300, Properties: v.properties != nil}
			w := d.NewSubgroupWriter(h)
			one := w.Append(nil, media.Object{Properties: v.properties, Payload: make([]byte, v.payload)})
			s := d.Objects(wire.NewReader(&endless{b: one}, d.Varint, "stream"), h, 1<<20)
			b.SetBytes(int64(len(one)))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := s.Next(); !ok {
					b.Fatal(s.r.Err())
				}
			}
		})
	}
}

// endless reads b over and over.
type endless struct {
	b []byte
	r bytes.Reader
}

func (e *endless) Read(p []byte) (int, error) {
	if e.r.Len() == 0 {
		e.r.Reset(e.b)
	}
	return e.r.Read(p)
}
