package runner

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame is: length of the payload (4 bytes, little endian like all numbers),
// kind, flags, run (8), id (4), payload. A message is one frame or, when it is
// long, several with flagMore on all but the last. Its payload is: three lengths
// (4 bytes each), then the three parts.
const (
	frameHeader  = 4 + 1 + 1 + 8 + 4
	prefixSize   = 3 * 4
	maxFrame     = 16 << 20
	chunkSize    = 256 << 10 // of long messages, so that others come in between
	smallMessage = 64 << 10  // up to here a call or its answer needs no window
	maxMessage   = 256 << 20
	maxPartial   = 1 << 30 // of all messages of a link that are not complete
)

// kind says what a message is.
type kind byte

const (
	kindHello   kind = iota + 1 // to the child, first: settings as JSON
	kindReady                   // to the parent: the child takes runs
	kindProgram                 // to the child: identity, name, source
	kindRun                     // to the child: identity and limits, start
	kindCancel                  // to the child
	kindCall                    // to the parent: name, JSON, body
	kindNote                    // to the parent: name, JSON, body
	kindReply                   // to the child: nothing, JSON, body
	kindResult                  // to the parent: usage and text, JSON, body; id is an outcome
	kindCredit                  // both: 4 bytes that say how much; id is a window
	kindBeat                    // to the parent, while there are runs: memory in use
	kindEnd                     // none: one above the last
)

type flags byte

const (
	flagMore  flags = 1 << iota // the message goes on
	flagBody                    // there is a body, maybe an empty one
	flagText                    // the body is a string
	flagError                   // of a reply: the call failed
)

// message is what travels: a kind, whom it belongs to, and up to three parts.
type message struct {
	kind  kind
	flags flags
	run   uint64
	id    uint32
	parts [3][]byte
}

// The third part of calls, notes, replies and results is their body.
const bodyPart = 2

func (m *message) setBody(b []byte, text bool) {
	if b == nil {
		return
	}
	m.flags |= flagBody
	if text {
		m.flags |= flagText
	}
	m.parts[bodyPart] = b
}

// body returns the body; nil when there is none, not nil when it is empty.
func (m *message) body() (b []byte, text bool) {
	if m.flags&flagBody == 0 {
		return nil, false
	}
	if b = m.parts[bodyPart]; b == nil {
		b = []byte{}
	}
	return b, m.flags&flagText != 0
}

// json returns the second part, nil when it is empty: no JSON is.
func (m *message) json() []byte {
	if len(m.parts[1]) == 0 {
		return nil
	}
	return m.parts[1]
}

// size returns the length of the payload.
func (m *message) size() int {
	return prefixSize + len(m.parts[0]) + len(m.parts[1]) + len(m.parts[2])
}

func (m *message) appendHeader(b []byte, payload int, f flags) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(payload))
	b = append(b, byte(m.kind), byte(f))
	b = binary.LittleEndian.AppendUint64(b, m.run)
	return binary.LittleEndian.AppendUint32(b, m.id)
}

func (m *message) appendPrefix(b []byte) []byte {
	for _, p := range m.parts {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
	}
	return b
}

// appendWhole appends the message as one frame.
func (m *message) appendWhole(b []byte) []byte {
	b = m.appendPrefix(m.appendHeader(b, m.size(), m.flags&^flagMore))
	for _, p := range m.parts {
		b = append(b, p...)
	}
	return b
}

// chunks calls yield with each frame of a long message: a function that appends
// it to a buffer.
func (m *message) chunks(yield func(appendTo func(b []byte) []byte) bool) {
	rest := m.parts
	left, first := m.size(), true
	for left > 0 {
		n := min(left, chunkSize)
		left -= n
		f := m.flags &^ flagMore
		if left > 0 {
			f |= flagMore
		}
		if !yield(func(b []byte) []byte {
			b = m.appendHeader(b, n, f)
			if first {
				b = m.appendPrefix(b)
				n -= prefixSize
				first = false
			}
			for i := range rest {
				take := min(n, len(rest[i]))
				b = append(b, rest[i][:take]...)
				rest[i] = rest[i][take:]
				n -= take
			}
			return b
		}) {
			return
		}
	}
}

// errFrame says that the other side does not speak the protocol.
var errFrame = errors.New("malformed frame")

// streamKey tells the messages apart that arrive in pieces at the same time.
type streamKey struct {
	kind kind
	run  uint64
	id   uint32
}

// decoder reads messages.
type decoder struct {
	r *bufio.Reader
	// begin is told of each message before most of it is read: its parts are not
	// there yet. Its error ends the reading. It may be nil.
	begin   func(m *message, size int) error
	partial map[streamKey]*partial
	held    int64 // bytes that partial messages will have
	header  [frameHeader]byte
}

// partial is a message of which some frames are still to come.
type partial struct {
	payload []byte
	size    int
}

func newDecoder(r io.Reader) *decoder {
	return &decoder{r: bufio.NewReaderSize(r, chunkSize/4), partial: map[streamKey]*partial{}}
}

// next returns the next message. The error is io.EOF at an orderly end. Its parts
// are the caller's.
func (d *decoder) next() (message, error) {
	for {
		m, n, err := d.readHeader()
		if err != nil {
			return message{}, err
		}
		key := streamKey{m.kind, m.run, m.id}
		p := d.partial[key]
		switch {
		case p != nil:
			err = d.more(key, p, n, m.flags&flagMore != 0)
		case n < prefixSize:
			err = fmt.Errorf("%w: a message of %d bytes", errFrame, n)
		default:
			p, err = d.first(&m, key, n)
		}
		if err != nil {
			return message{}, err
		}
		if m.flags&flagMore == 0 {
			return m, m.split(p.payload)
		}
	}
}

func (d *decoder) readHeader() (m message, n int, err error) {
	if _, err := io.ReadFull(d.r, d.header[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: it ends within its header", errFrame)
		}
		return message{}, 0, err
	}
	h := d.header[:]
	m = message{
		kind: kind(h[4]), flags: flags(h[5]),
		run: binary.LittleEndian.Uint64(h[6:]), id: binary.LittleEndian.Uint32(h[14:]),
	}
	size := binary.LittleEndian.Uint32(h)
	if size > maxFrame {
		return message{}, 0, fmt.Errorf("%w: %d bytes in one", errFrame, size)
	}
	if m.kind == 0 || m.kind >= kindEnd {
		return message{}, 0, fmt.Errorf("%w: of kind %d", errFrame, m.kind)
	}
	return m, int(size), nil
}

// first reads the first frame of a message, which says how long it will be.
func (d *decoder) first(m *message, key streamKey, n int) (*partial, error) {
	p := &partial{payload: make([]byte, n)}
	if err := d.fill(p.payload); err != nil {
		return nil, err
	}
	size := int64(prefixSize)
	for i := range m.parts {
		size += int64(binary.LittleEndian.Uint32(p.payload[4*i:]))
	}
	more := m.flags&flagMore != 0
	if size > maxMessage || int64(n) > size || (int64(n) == size) == more {
		return nil, fmt.Errorf("%w: %d of %d bytes of a message", errFrame, n, size)
	}
	if d.begin != nil {
		if err := d.begin(m, int(size)); err != nil {
			return nil, err
		}
	}
	if !more {
		return p, nil
	}
	if d.held += size; d.held > maxPartial {
		return nil, fmt.Errorf("%w: too many unfinished messages", errFrame)
	}
	p.size = int(size)
	d.partial[key] = p
	return p, nil
}

// more reads a further frame of a message.
func (d *decoder) more(key streamKey, p *partial, n int, more bool) error {
	have := len(p.payload)
	if n == 0 || have+n > p.size || (have+n == p.size) == more {
		return fmt.Errorf("%w: %d bytes after %d of %d", errFrame, n, have, p.size)
	}
	if have+n > cap(p.payload) { // grows with what arrives, not with what is promised
		grown := make([]byte, have, min(p.size, max(2*cap(p.payload), have+n)))
		copy(grown, p.payload)
		p.payload = grown
	}
	p.payload = p.payload[:have+n]
	if err := d.fill(p.payload[have:]); err != nil {
		return err
	}
	if !more {
		d.held -= int64(p.size)
		delete(d.partial, key)
	}
	return nil
}

func (d *decoder) fill(b []byte) error {
	if _, err := io.ReadFull(d.r, b); err != nil {
		return fmt.Errorf("%w: it ends within its payload: %w", errFrame, err)
	}
	return nil
}

// split finds the parts in a payload.
func (m *message) split(payload []byte) error {
	rest := payload[prefixSize:]
	for i := range m.parts {
		n := int64(binary.LittleEndian.Uint32(payload[4*i:]))
		if n > int64(len(rest)) {
			return fmt.Errorf("%w: a part of %d bytes", errFrame, n)
		}
		if n > 0 {
			m.parts[i] = rest[:n:n]
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errFrame, len(rest))
	}
	return nil
}
