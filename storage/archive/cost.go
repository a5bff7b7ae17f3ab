package archive

import "time"

// Layout is what decides how many requests a channel's archive makes.
type Layout struct {
	Renditions int
	Segment    time.Duration
	Instances  int // that write the archive at the same time
}

// Requests are numbers of requests in an hour.
type Requests struct {
	Puts int64 // PUT, those that a condition refuses included
	Gets int64 // GET and HEAD
}

// headReads is how often in an hour the record's head is read, for another instance may have deleted something.
const headReads = 120

// Requests is how many the layout makes while the broadcast is live and the store healthy; at most, for a record or a document is
// not written when nothing has changed.
func (l Layout) Requests() Requests {
	if l.Segment <= 0 || l.Renditions <= 0 || l.Instances <= 0 {
		return Requests{}
	}
	slots := int64(time.Hour / l.Segment)
	renditions, instances := int64(l.Renditions), int64(l.Instances)
	// For each slot: every segment and its playlist, a chunk of the record, which is read before, and the MPD.
	puts := slots * (2*renditions + 2)
	gets := slots + headReads
	// Who comes second finds the segment (and asks for its digest), and finds the documents changed (and reads them, and the
	// record again). Two instances on a demo of five renditions were seen to need 18 a slot for that, the record's two included.
	second := slots * (3*renditions + 4)
	return Requests{Puts: instances * puts, Gets: instances*gets + (instances-1)*second}
}

// Price is what a provider takes for 1,000 requests, in dollars.
type Price struct{ Put, Get float64 }

// StandardPrice is that of Amazon S3 Standard in us-east-1. Uploading costs nothing more, keeping and fetching does.
func StandardPrice() Price { return Price{Put: 0.005, Get: 0.0004} }

// Dollars is what the requests cost in an hour.
func (r Requests) Dollars(p Price) float64 {
	return (float64(r.Puts)*p.Put + float64(r.Gets)*p.Get) / 1000
}
