package main

import (
	"errors"
	"syscall"
	"testing"
)

func TestARecordingThatCannotBeWrittenEnds(t *testing.T) {
	t.Parallel() // it waits most of the time
	relay, trust := onAir(t)
	if _, err := run(t, "record", relay, "/dev/full", "--namespace", "demo", trust); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the disk is full: %v", err)
	}
}
