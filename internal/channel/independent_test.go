package channel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// In a bubble time passes only while everybody waits for something. So a part takes no time from its last object to its viewer,
// exactly, unless something in between waits for a store, a timer, or somebody who waits for those. A dead store answers after more
// time than the broadcast takes here. (Who waited for a mutex that is held during a request would not let time pass at all:
// then the test never ends.)
func TestTheLiveLineWaitsForNoStore(t *testing.T) {
	const warm, parts = 12, 180 // 30 segments
	troubles := map[string]storagetest.Fault{
		"dead-disk": {Delay: 10 * time.Minute}, "dead-bucket": {Delay: 10 * time.Minute}, "dead": {Delay: 10 * time.Minute},
		"slow": {Delay: 500 * time.Millisecond}, "down": {Before: errDown},
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFeeder(t)
		f.cfg.Window = 5 // memory lets go of most
		f.join(&liveLine{name: "nowhere"}, nil, nil)
		for name := range troubles {
			l := &liveLine{name: name}
			var disk, bucket storage.Durable = storage.NewMemory(1 << 30), storage.NewMemory(1 << 30)
			if name != "dead-bucket" {
				disk = l.troubled(disk)
			}
			if name != "dead-disk" {
				bucket = l.troubled(bucket)
			}
			f.join(l, disk, bucket)
		}
		f.begin()
		for range warm {
			f.part()
		}
		for _, l := range f.lines {
			l.took = nil
			if trouble, ok := troubles[l.name]; ok {
				l.trouble.Store(&trouble)
			}
		}
		for n := range parts {
			f.part()
			for _, l := range f.lines {
				if len(l.took) != n+1 || l.took[n] != 0 {
					t.Fatalf("%s: part %d is not on time: %v", l.name, n, l.took)
				}
			}
		}
		for _, l := range f.lines {
			if _, troubled := troubles[l.name]; troubled && l.met.Load() < 10 {
				t.Errorf("%s: only %d operations met the trouble", l.name, l.met.Load())
			}
		}
	})
}
