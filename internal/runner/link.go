package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// highWater is how many bytes a link buffers before senders wait.
const highWater = 1 << 20

// link sends and receives messages. Senders append to a buffer that one goroutine
// writes, so that a system call carries many messages when there are many.
type link struct {
	conn io.ReadWriteCloser

	mu    sync.Mutex
	buf   []byte
	room  chan struct{} // closed and replaced when the buffer was taken
	err   error
	kick  chan struct{} // capacity 1: there is something to write
	ended chan struct{} // closed by end
}

func newLink(conn io.ReadWriteCloser) *link {
	return &link{conn: conn, room: make(chan struct{}), kick: make(chan struct{}, 1), ended: make(chan struct{})}
}

// end closes the connection; sends fail with cause from then on.
func (l *link) end(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = cause
	l.buf = nil
	close(l.ended)
	_ = l.conn.Close() // nobody is left who could do anything about it
}

// write writes what senders append, until the link ends.
func (l *link) write() error {
	var spare []byte
	for {
		select {
		case <-l.kick:
		case <-l.ended:
			return l.cause()
		}
		l.mu.Lock()
		full := l.buf
		l.buf = spare[:0]
		close(l.room)
		l.room = make(chan struct{})
		l.mu.Unlock()
		if len(full) > 0 {
			if _, err := l.conn.Write(full); err != nil {
				return fmt.Errorf("writing frames: %w", err)
			}
		}
		if spare = full; cap(spare) > highWater {
			spare = nil
		}
	}
}

func (l *link) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// post sends a short message without waiting: what readers use, which must never
// wait for the other side. How much is posted is bounded by what was received.
func (l *link) post(m message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.append(m.appendWhole)
	}
}

// append needs mu.
func (l *link) append(to func([]byte) []byte) {
	l.buf = to(l.buf)
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// errTooLarge says that a message has more than maxMessage bytes.
var errTooLarge = errors.New("too large to pass on")

// send sends a message, and waits while the other side is slow.
func (l *link) send(ctx context.Context, m message) error {
	switch n := m.size(); {
	case n <= chunkSize:
		return l.sendFrame(ctx, m.appendWhole)
	case n > maxMessage:
		return errTooLarge
	}
	for frame := range m.chunks {
		// A message that was begun must be finished: what is cut off is the link.
		if err := l.sendFrame(context.WithoutCancel(ctx), frame); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) sendFrame(ctx context.Context, to func([]byte) []byte) error {
	for {
		l.mu.Lock()
		if l.err != nil {
			defer l.mu.Unlock()
			return l.err
		}
		if len(l.buf) < highWater {
			l.append(to)
			l.mu.Unlock()
			return nil
		}
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-l.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
