package demux

import (
	"fmt"
	"math"
)

// Fields of a header. Even ids are numbers, odd ones are bytes: lists of numbers but for the IVs.
const (
	fieldSizes      = 1 // of all samples but the last
	fieldDurations  = 3
	fieldDuration   = 4
	fieldOffsets    = 5
	fieldSize       = 6
	fieldFlagList   = 7
	fieldFlags      = 8
	fieldIVs        = 9
	fieldTime       = 10
	fieldSubsamples = 11
	fieldFirstFlags = 12
	fieldClear      = 13
	fieldCount      = 14
	fieldProtected  = 15
	fieldIVSize     = 16
	fieldDeleted    = 27 // ids that the reference has and this chunk has not
)

// apply takes the fields of a header: absolute, or as differences.
func (l *LOCMAF) apply(header []byte, delta bool) error {
	given, err := splitFields(header)
	if err != nil {
		return err
	}
	_, timed := given[fieldTime]
	_, deletes := given[fieldDeleted]
	if timed == delta || deletes && !delta {
		return fail(0, "only a full header has, and it must have, a decode time; only a delta header deletes")
	}
	if delta {
		l.fields[fieldTime] += l.lasted()
		if l.fields[fieldTime] > maxTime {
			return fail(0, "the decode time is out of range")
		}
		for list := given[fieldDeleted]; len(list) > 0; {
			id, n := vi64(list)
			if n == 0 {
				return fail(0, "the list of deleted fields is cut short")
			}
			list = list[n:]
			if id != fieldTime {
				delete(l.fields, id)
				delete(l.lists, id)
				if id == fieldIVs {
					l.ivs = nil
				}
			}
		}
	}
	for id, value := range given {
		switch {
		case id == fieldDeleted:
		case id == fieldIVs:
			l.ivs = value
		case id%2 == 0:
			err = l.setField(id, value, delta)
		default:
			err = l.setList(id, value, delta)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// splitFields takes a header apart. Fields that are not known are left out.
func splitFields(header []byte) (map[uint64][]byte, error) {
	given := map[uint64][]byte{}
	for at := 0; at < len(header); {
		id, n := vi64(header[at:])
		v, m := vi64(header[min(at+n, len(header)):])
		if _, twice := given[id]; n == 0 || m == 0 || twice {
			return nil, fail(at, fmt.Sprintf("field %d is cut short, or there twice", id))
		}
		value := header[at+n : at+n+m]
		if at += n + m; id%2 == 1 {
			if v > uint64(len(header)-at) {
				return nil, fail(at, fmt.Sprintf("field %d is longer than the header", id))
			}
			value = header[at : at+int(v)]
			at += int(v)
		}
		if id <= fieldIVSize || id == fieldDeleted {
			given[id] = value
		}
	}
	return given, nil
}

func (l *LOCMAF) setField(id uint64, value []byte, delta bool) error {
	u, _ := vi64(value)
	v := int64(u)
	if delta {
		v = l.fields[id] + zigzag(u)
	}
	limit := int64(math.MaxUint32)
	if id == fieldTime {
		limit = maxTime
	}
	if v < 0 || v > limit {
		return fail(0, fmt.Sprintf("field %d is out of range", id))
	}
	l.fields[id] = v
	return nil
}

func (l *LOCMAF) setList(id uint64, value []byte, delta bool) error {
	before := l.lists[id]
	list := make([]int64, 0, len(value))
	for len(value) > 0 {
		u, n := vi64(value)
		if n == 0 {
			return fail(0, fmt.Sprintf("list %d is cut short", id))
		}
		value = value[n:]
		v := int64(u)
		if delta || id == fieldOffsets {
			v = zigzag(u)
		}
		if i := len(list); delta && i < len(before) {
			v += before[i]
		}
		if v > math.MaxUint32 || v < 0 && id != fieldOffsets || v < math.MinInt32 {
			return fail(0, fmt.Sprintf("list %d has a number out of range", id))
		}
		list = append(list, v)
	}
	l.lists[id] = list
	return nil
}

// lasted is the duration of the chunk that the fields describe.
func (l *LOCMAF) lasted() (sum int64) {
	if list, ok := l.lists[fieldDurations]; ok {
		for _, d := range list {
			sum += d
		}
		return sum
	}
	return l.fields[fieldCount] * l.field(fieldDuration, l.cmaf.duration)
}

func (l *LOCMAF) field(id uint64, header uint32) int64 {
	if v, ok := l.fields[id]; ok {
		return v
	}
	return int64(header)
}
