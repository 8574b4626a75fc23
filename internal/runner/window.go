package runner

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// The windows of one run: bytes that the sender may have under way before the
// receiver is done with some. Messages longer than half a window count as half.
const (
	windowBodies int64 = 64 << 20 // calls and, apart from them, answers longer than smallMessage
	windowNotes  int64 = 1 << 20  // all notes
)

// Which window a credit is for.
const (
	creditBodies uint32 = iota
	creditNotes
)

// weigh returns what a message of n bytes takes of a window.
func weigh(n int, window int64) int64 { return min(int64(n), window/2) }

// weighBody is weigh for calls and answers: short ones take nothing.
func weighBody(n int) int64 {
	if n <= smallMessage {
		return 0
	}
	return weigh(n, windowBodies)
}

// window is the sender's end.
type window struct {
	free *semaphore.Weighted
	used atomic.Int64
}

func newWindow(size int64) *window { return &window{free: semaphore.NewWeighted(size)} }

// take waits until n bytes of the window are free.
func (w *window) take(ctx context.Context, n int64) error {
	if n == 0 {
		return nil
	}
	if err := w.free.Acquire(ctx, n); err != nil {
		return err
	}
	w.used.Add(n)
	return nil
}

// giveBack frees n bytes, at the word of the other side.
func (w *window) giveBack(n int64) error {
	if w.used.Add(-n) < 0 {
		return fmt.Errorf("%w: a credit for what was not sent", errFrame)
	}
	w.free.Release(n)
	return nil
}

// debt is the receiver's end: what it holds and has not given back.
type debt struct{ held, limit int64 }

func (d *debt) add(n int64) error {
	if d.held += n; d.held > d.limit {
		return fmt.Errorf("%w: more under way than the window allows", errFrame)
	}
	return nil
}

// credit makes the message that gives n bytes of a window back.
func credit(run uint64, which uint32, n int64) message {
	m := message{kind: kindCredit, run: run, id: which}
	m.parts[0] = binary.LittleEndian.AppendUint32(nil, uint32(n))
	return m
}

func parseCredit(m message) (int64, error) {
	if len(m.parts[0]) != 4 || m.id > creditNotes {
		return 0, fmt.Errorf("%w: a credit", errFrame)
	}
	return int64(binary.LittleEndian.Uint32(m.parts[0])), nil
}
