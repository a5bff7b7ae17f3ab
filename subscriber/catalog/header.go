package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/moqpack/moqpack/internal/media"
)

// headerOf is the part of an init track's header that is the track's (ISO/IEC 14496-12, 8.2). Publishers put the headers of all
// tracks into one, and call a media track by its track_ID: "1.m4s".
func headerOf(t *media.Track, header []byte) ([]byte, error) {
	moov, err := find(header, "moov")
	if err != nil {
		return nil, err
	}
	ids, err := trackIDs(moov)
	if err != nil {
		return nil, err
	}
	if len(ids) == 1 {
		return header, nil
	}
	digits := 0
	for digits < len(t.Name) && t.Name[digits] >= '0' && t.Name[digits] <= '9' {
		digits++
	}
	id, err := strconv.ParseUint(t.Name[:digits], 10, 32)
	for _, known := range ids {
		if err == nil && uint64(known) == id {
			return onlyTrack(header, known)
		}
	}
	return nil, fmt.Errorf("its init track describes %d tracks, and the name does not say which one it is", len(ids))
}

// errHeader says that an init track holds no header that can be read.
var errHeader = errors.New("its init track holds no ftyp and moov")

// eachBox calls f for every box in data; body is what follows the box's head.
func eachBox(data []byte, f func(kind string, body []byte) error) error {
	for len(data) > 0 {
		if len(data) < 8 {
			return errHeader
		}
		size := uint64(binary.BigEndian.Uint32(data))
		if size < 8 || size > uint64(len(data)) { // no header needs a size of 64 bits
			return errHeader
		}
		if err := f(string(data[4:8]), data[8:size]); err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}

// find is the body of the first box of a kind.
func find(data []byte, kind string) (found []byte, err error) {
	err = eachBox(data, func(k string, body []byte) error {
		if k == kind && found == nil {
			found = body
		}
		return nil
	})
	if err == nil && found == nil {
		err = errHeader
	}
	return found, err
}

func trackIDs(moov []byte) (ids []uint32, err error) {
	err = eachBox(moov, func(kind string, body []byte) error {
		if kind != "trak" {
			return nil
		}
		id, err := trackID(body)
		ids = append(ids, id)
		return err
	})
	if err == nil && len(ids) == 0 {
		err = errHeader
	}
	return ids, err
}

// trackID is the track_ID in a trak's tkhd (8.3.2), whose times are longer in version 1.
func trackID(trak []byte) (uint32, error) {
	tkhd, err := find(trak, "tkhd")
	if err != nil {
		return 0, err
	}
	at := 12
	if len(tkhd) > 0 && tkhd[0] == 1 {
		at = 20
	}
	if len(tkhd) < at+4 {
		return 0, errHeader
	}
	return binary.BigEndian.Uint32(tkhd[at:]), nil
}

// onlyTrack is the header without the traks and trexs of other tracks.
func onlyTrack(header []byte, id uint32) ([]byte, error) {
	return filter(header, func(kind string, body []byte) ([]byte, bool, error) {
		if kind != "moov" {
			return body, true, nil
		}
		moov, err := filter(body, func(kind string, body []byte) ([]byte, bool, error) {
			switch kind {
			case "trak":
				other, err := trackID(body)
				return body, other == id, err
			case "mvex":
				mvex, err := filter(body, func(kind string, body []byte) ([]byte, bool, error) {
					return body, kind != "trex" || len(body) >= 8 && binary.BigEndian.Uint32(body[4:]) == id, nil
				})
				return mvex, true, err
			}
			return body, true, nil
		})
		return moov, true, err
	})
}

// filter writes data's boxes anew with the bodies that f gives, without those that it does not keep.
func filter(data []byte, f func(kind string, body []byte) (to []byte, keep bool, err error)) ([]byte, error) {
	var out []byte
	err := eachBox(data, func(kind string, body []byte) error {
		to, keep, err := f(kind, body)
		if err != nil || !keep {
			return err
		}
		out = binary.BigEndian.AppendUint32(out, uint32(8+len(to)))
		out = append(append(out, kind...), to...)
		return nil
	})
	return out, err
}
