package channel

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// counter is one of those that people see, -1 if there is none of the name.
func counter(s server.Status, name string) int64 {
	for _, c := range s.Counters {
		if c.Name == name {
			return c.Value
		}
	}
	return -1
}

func TestLineRaisesTheAlarmWhenInstancesMayNotAgree(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		p := w.joinWith(w.publish(sim.Faults{}, nil), "18", func(c *Config) {
			c.S3 = &storagetest.Faulty{Store: storage.NewMemory(0), Plan: func(op storagetest.Op, key string) (f storagetest.Fault) {
				if op == storagetest.Put && (strings.HasSuffix(key, "plan.json") || strings.Contains(key, "epoch-")) {
					f.Before = errors.New("claims are not for you")
				}
				return f
			}}
		})
		time.Sleep(20 * time.Second)
		if n := len(p.log.lines("level=ERROR", "instances may not agree", "claims are not for you")); n != 1 {
			t.Errorf("the log raises the alarm %d times", n)
		}
		s := p.Status()
		if counter(s, "ledger failures") < 2 || counter(s, "refused") != 0 || !strings.Contains(s.Error, "claims are not for you") {
			t.Errorf("status %+v", s)
		}
		families, err := p.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "moqpack_channel_ledger_failures_total" && f.GetMetric()[0].GetCounter().GetValue() >= 2 {
				return
			}
		}
		t.Error("no metric tells of it")
	})
}

func TestLineCountsConflicts(t *testing.T) {
	bucket := storage.NewMemory(0)
	other := storage.Blob{Pieces: [][]byte{[]byte("other content")}}
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		p := w.joinWith(w.publish(sim.Faults{}, nil), "18", func(c *Config) {
			c.S3 = &storagetest.Faulty{Store: bucket, Plan: func(op storagetest.Op, key string) (f storagetest.Fault) {
				if op == storagetest.Put && strings.HasSuffix(key, ".m4s") {
					_ = bucket.Put(t.Context(), key, other) // somebody is faster, and differs
				}
				return f
			}}
		})
		time.Sleep(10 * time.Second)
		if s := p.Status(); counter(s, "conflicts on s3") < 5 || counter(s, "segments lost on s3") != 0 {
			t.Errorf("status %+v", s)
		}
	})
}
