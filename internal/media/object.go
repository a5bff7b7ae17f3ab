package media

// Status is the object status of draft-ietf-moq-transport, section "Object Status".
type Status uint8

// Object statuses. Their numbers are those of the wire.
const (
	Normal     Status = 0
	EndOfGroup Status = 3 // no object with this id or a later one exists in the group
	EndOfTrack Status = 4 // no object at this location or a later one exists in the track
)

// Location orders the objects of a track.
type Location struct{ Group, Object uint64 }

// Before reports whether l comes before m in the track.
func (l Location) Before(m Location) bool {
	return l.Group < m.Group || l.Group == m.Group && l.Object < m.Object
}

// Property is one object property (called extension header up to draft 16). An even Type carries Value, an odd one Bytes.
type Property struct {
	Type  uint64
	Value uint64
	Bytes []byte
}

// Object is one MoQ object. The subscriber hands the objects of a track over in location order, each once.
type Object struct {
	Location
	Subgroup uint64
	Status   Status

	// Last says that this object is known to be the last of its group.
	Last bool
	// Lost says that objects between the one handed over before and this one are missing and will not come.
	// Group ids that merely jump are not a loss unless the transport says so.
	Lost bool
	// Doubt says that objects may be missing before this one: the transport cannot tell. The media's own time can.
	Doubt bool

	Properties []Property
	Payload    []byte
}
