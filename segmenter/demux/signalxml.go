package demux

import (
	"bytes"
	"encoding/xml"
	"errors"
)

// binaryOf is the text of the Binary element in the XML of a signal (ANSI/SCTE 214-1, 6.7). Package xml resolves no entities but the
// five of XML, and reads no DTD.
func binaryOf(data []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		t, err := d.Token()
		if err != nil {
			return "", errors.Join(errors.New("demux: the signal has no Binary element"), err)
		}
		e, ok := t.(xml.StartElement)
		if !ok || e.Name.Local != "Binary" {
			continue
		}
		var text string
		if err := d.DecodeElement(&text, &e); err != nil {
			return "", err
		}
		return text, nil
	}
}
