package tape

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

const (
	format  = "moqpack-recording"
	version = 1
	// maxLine is the longest line that is read: an object of 32 MiB in base64, and its properties.
	maxLine = 64 << 20
)

// Header is the first line of a recording.
type Header struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	Namespace []string  `json:"namespace"` // of the broadcast
	Began     time.Time `json:"began"`     // by the clock of the machine that recorded
}

// What an Entry says.
type What string

// The kinds of entries. A session ends where the next one begins, or the recording.
const (
	Session  What = "session"  // a session began: Draft
	Accepted What = "accepted" // a subscription was: Largest, Properties
	Object   What = "object"   // Group to Payload
	Stream   What = "stream"   // a data stream ended: Stream
	Fetched  What = "fetched"  // a fetch is complete, or failed: Error
	Ended    What = "ended"    // a subscription has: Error
)

// Entry is one line after the first.
type Entry struct {
	At    int64    `json:"us"` // microseconds since the recording began
	What  What     `json:"what"`
	Space []string `json:"namespace,omitempty"` // of the track; empty: the broadcast's
	Track string   `json:"track,omitempty"`
	Fetch bool     `json:"fetch,omitempty"` // of an object or a stream: a fetch brought it

	Draft   string          `json:"draft,omitempty"`
	Largest *media.Location `json:"largest,omitempty"`
	Error   string          `json:"error,omitempty"`

	Group    uint64       `json:"group,omitempty"`
	Subgroup uint64       `json:"subgroup,omitempty"`
	Object   uint64       `json:"object,omitempty"`
	Status   media.Status `json:"status,omitempty"`
	Last     bool         `json:"last,omitempty"`
	Payload  []byte       `json:"payload,omitempty"`

	Properties []media.Property `json:"properties,omitempty"`
	Stream     json.RawMessage  `json:"stream,omitempty"`
}

// Writer writes a recording. Its methods may be called from any goroutine.
type Writer struct {
	began time.Time

	mu   sync.Mutex // guards what follows
	out  *bufio.Writer
	last []io.Closer // what to close, in this order
	err  error       // the first one
	size int64       // bytes of payloads
	at   int64       // of the last entry
}

// Create makes the file and writes its header.
func Create(path string, namespace []string, began time.Time) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{began: began, out: bufio.NewWriterSize(f, 1<<20), last: []io.Closer{f}}
	if strings.HasSuffix(path, ".gz") {
		z := gzip.NewWriter(f)
		w.out, w.last = bufio.NewWriterSize(z, 1<<20), []io.Closer{z, f}
	}
	w.line(Header{format, version, namespace, began.UTC()})
	return w, w.err
}

// Write adds an entry that came at the time. The order is that of the calls: what came beside it and was written sooner is not later.
func (w *Writer) Write(at time.Time, e Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = max(w.at, at.Sub(w.began).Microseconds())
	e.At = w.at
	w.size += int64(len(e.Payload))
	w.line(e)
}

// Size is how many bytes of payload were written.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Err is the first error that there was, such as a full disk: what comes behind it is of no use.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *Writer) line(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = w.out.Write(append(b, '\n'))
	}
	if w.err == nil {
		w.err = err
	}
}

// Close completes the file and returns the first error that there was.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := errors.Join(w.err, w.out.Flush())
	for _, c := range w.last {
		err = errors.Join(err, c.Close())
	}
	w.last = nil
	return err
}

// Reader reads a recording. It is for one goroutine.
type Reader struct {
	Header
	in    *bufio.Reader
	close []io.Closer
	line  int
	at    int64
}

// Open opens the file and reads its header.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	r.close = append(r.close, f)
	return r, nil
}

// NewReader reads a recording from in, compressed or not.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 1<<16)}
	if magic, _ := r.in.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(r.in)
		if err != nil {
			return nil, err
		}
		r.in, r.close = bufio.NewReaderSize(z, 1<<16), []io.Closer{z}
	}
	if err := r.next(&r.Header); err != nil {
		return nil, fmt.Errorf("this is no recording of moqpack: %w", err)
	}
	switch {
	case r.Format != format:
		return nil, fmt.Errorf("this is no recording of moqpack: its format is %.40q", r.Format)
	case r.Version != version:
		return nil, fmt.Errorf("the recording is of version %d, this moqpack reads %d", r.Version, version)
	}
	return r, nil
}

// Next is the next entry; io.EOF after the last one. What a recorder that was killed left of its last line is no entry.
func (r *Reader) Next() (e Entry, err error) {
	if err = r.next(&e); err != nil {
		return e, err
	}
	if e.At < r.at {
		return e, fmt.Errorf("line %d: time goes back", r.line)
	}
	r.at = e.At
	return e, nil
}

func (r *Reader) next(v any) error {
	var line []byte
	for {
		more, err := r.in.ReadSlice('\n')
		line = append(line, more...)
		switch {
		case err == nil:
			r.line++
			if err := json.Unmarshal(line, v); err != nil {
				return fmt.Errorf("line %d: %w", r.line, err)
			}
			return nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= maxLine:
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("line %d is longer than %d bytes", r.line+1, maxLine)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return io.EOF
		default:
			return err
		}
	}
}

// Close closes the file.
func (r *Reader) Close() (err error) {
	for _, c := range r.close {
		err = errors.Join(err, c.Close())
	}
	return err
}
