package catalog

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// propInitialization is the type of the property that carries what initialises a track (draft-ietf-moq-msf, "Initialization
// properties"): demuxers read it.
const propInitialization = 0x79

// initialise finds the track's header, or the configuration of its decoder. A track without either brings it in its objects.
func (r *resolver) initialise(t *media.Track, f fields) error {
	data, err := r.init(t, f)
	if err != nil {
		return err
	}
	if t.Packaging == media.CMAF || t.Packaging == media.LOCMAF {
		t.Init = data
	} else {
		t.Config = data
	}
	return nil
}

// init looks where the dialects put it: initData of MSF-00 and hang, initRef into initDataList of the later MSFs, the init track of
// the common catalog format, hang's description.
func (r *resolver) init(t *media.Track, f fields) ([]byte, error) {
	if data, ok := f.text("initData"); ok && data != "" {
		return r.decode("initData", data)
	}
	if text, ok := f.text("description"); ok && text != "" && r.format == Hang {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) > maxInit {
			return nil, errors.New("its description is not hex, or too long")
		}
		return b, nil
	}
	if name, ok := f.text("initTrack"); ok && name != "" {
		header, known := r.headers[name]
		if !known {
			return nil, fmt.Errorf("its init track %.64q has not come yet", name)
		}
		own, err := headerOf(t, header)
		if r.given += len(own); r.given > maxHeaders {
			return nil, fmt.Errorf("the headers of all tracks have more than %d bytes", maxHeaders)
		}
		return own, err
	}
	ref, ok := f.text("initRef")
	if !ok || ref == "" {
		return nil, nil
	}
	entry, ok := r.inits[ref]
	if !ok {
		return nil, fmt.Errorf("its initRef %.64q is not in initDataList", ref)
	}
	data, _ := entry.text("data")
	switch kind, _ := entry.text("type"); kind {
	case "inline", "":
		return r.decode(fmt.Sprintf("initDataList entry %.64q", ref), data)
	case "track-property", "object-property":
		return nil, inProperty(data)
	default:
		return nil, fmt.Errorf("its init data is a %.32q, which nobody here knows", kind)
	}
}

// inProperty refuses the types of properties that nobody reads. What is no number in hex is taken for the one that is read.
func inProperty(text string) error {
	digits := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "0x")
	if n, err := strconv.ParseUint(digits, 16, 64); err == nil && n != propInitialization {
		return fmt.Errorf("its init data is in properties of the type %#x, and not %#x as it must be", n, propInitialization)
	}
	return nil
}

// decode reads base64 of either alphabet, padded or not.
func (r *resolver) decode(where, text string) ([]byte, error) {
	if b, ok := r.decoded[text]; ok {
		return b, nil
	}
	if len(text) > base64.StdEncoding.EncodedLen(maxInit) {
		return nil, fmt.Errorf("its %s is longer than %d bytes", where, maxInit)
	}
	b, err := decode64(text)
	if err != nil {
		return nil, fmt.Errorf("its %s is not base64: %w", where, err)
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("its %s is empty", where)
	}
	r.decoded[text] = b
	return b, nil
}

func decode64(text string) ([]byte, error) {
	plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "").Replace(text), "=")
	return base64.RawStdEncoding.DecodeString(plain)
}
