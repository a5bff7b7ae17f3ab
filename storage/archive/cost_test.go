package archive

import (
	"math"
	"testing"
	"time"
)

func TestRequestsOfALayout(t *testing.T) {
	for _, tt := range []struct {
		layout  Layout
		want    Requests
		dollars float64
	}{
		{Layout{Renditions: 5, Segment: 2 * time.Second, Instances: 1}, Requests{1800 * 12, 1800 + 120}, 0.108768},
		{Layout{Renditions: 5, Segment: 2 * time.Second, Instances: 2}, Requests{2 * 1800 * 12, 2*(1800+120) + 1800*19}, 0.231216},
		{Layout{Renditions: 1, Segment: 6 * time.Second, Instances: 1}, Requests{600 * 4, 600 + 120}, 0.012288},
		{Layout{Renditions: 0, Segment: 2 * time.Second, Instances: 1}, Requests{}, 0},
		{Layout{Renditions: 1, Instances: 1}, Requests{}, 0},
	} {
		got := tt.layout.Requests()
		if got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.layout, got, tt.want)
		}
		if d := got.Dollars(StandardPrice()); math.Abs(d-tt.dollars) > 1e-9 {
			t.Errorf("%+v costs $%v, want $%v", tt.layout, d, tt.dollars)
		}
	}
}
