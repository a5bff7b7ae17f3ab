package live

import (
	"bytes"

	"github.com/Eyevinn/locmaf"
	"github.com/Eyevinn/mp4ff/mp4"
)

// compact writes a chunk's boxes as LOCMAF does, which refers to those of the chunk before it in the group.
func (p Packing) compact(c *Clip, init []byte, before, h chunk) ([]byte, error) {
	f, err := mp4.DecodeFile(bytes.NewReader(init))
	if err != nil {
		return nil, err
	}
	state := locmaf.NewState()
	if !h.first {
		if _, err := p.squeeze(c, before, f.Init.Moov, state); err != nil {
			return nil, err
		}
	}
	return p.squeeze(c, h, f.Init.Moov, state)
}

func (p Packing) squeeze(c *Clip, h chunk, moov *mp4.MoovBox, state *locmaf.State) ([]byte, error) {
	boxes, err := p.encode(c, h)
	if err != nil {
		return nil, err
	}
	var front []locmaf.GenBox
	var moof *mp4.MoofBox
	var data []byte
	for r := bytes.NewReader(boxes); r.Len() > 0; {
		b, err := mp4.DecodeBox(0, r)
		if err != nil {
			return nil, err
		}
		switch b := b.(type) {
		case *mp4.MoofBox:
			moof = b
		case *mp4.MdatBox:
			data = b.Data
		default:
			var raw bytes.Buffer
			if err := b.Encode(&raw); err != nil {
				return nil, err
			}
			front = append(front, locmaf.GenBox{Name: b.Type(), Payload: raw.Bytes()[8:]})
		}
	}
	return locmaf.EncodeCanonical(front, moof, data, state, moov)
}
