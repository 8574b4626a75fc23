// Package oplog records operations: the high-level things that happened and
// that customers look up later, with messages under them (features OBS-01 to
// OBS-07). Recording never waits for the database: finished operations go into
// a bounded buffer which one writer empties in batches. When the buffer is full
// records are dropped and counted, because a log must not stop the calls it
// logs.
package oplog

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	defaultBuffer     = 16384
	defaultBatch      = 512
	defaultFlushEvery = 250 * time.Millisecond
	// saveTimeout bounds one write, finalTimeout the writes of the last flush.
	saveTimeout  = 10 * time.Second
	finalTimeout = 10 * time.Second
	// saveTries is how often one batch is tried before it is dropped.
	saveTries = 3
)

// Store keeps operations and messages.
type Store interface {
	// SaveOperations writes both in bulk. An operation that exists already is
	// overwritten: a later write carries its end.
	SaveOperations(ctx context.Context, tx linkspan.Tx, ops []linkspan.Operation, msgs []linkspan.Message) error
}

// Options tune a Log. The zero value is right for production.
type Options struct {
	// Buffer is how many records may wait to be written; 0 means 16,384.
	Buffer int
	// Batch is how many records one write takes at most; 0 means 512.
	Batch int
	// FlushEvery is how long a record waits at most; 0 means 250 ms.
	FlushEvery time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Log collects operations and writes them behind. A nil *Log is valid and
// records nothing.
type Log struct {
	store Store
	log   *slog.Logger
	opts  Options

	mu   sync.Mutex
	ops  []linkspan.Operation
	msgs []linkspan.Message
	// frontOps and frontMsgs are older than ops and msgs: the writer empties
	// them batch by batch, then takes the others whole, so that no record is
	// moved more than once.
	frontOps  []linkspan.Operation
	frontMsgs []linkspan.Message
	// saving is how many records are being written; they count as waiting.
	saving int
	// wake tells the writer that a batch is full.
	wake chan struct{}

	dropped atomic.Int64
	written atomic.Int64
}

// New returns a log that writes to store once Run runs.
func New(store Store, log *slog.Logger, o Options) *Log {
	if o.Buffer <= 0 {
		o.Buffer = defaultBuffer
	}
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.FlushEvery <= 0 {
		o.FlushEvery = defaultFlushEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Log{store: store, log: log, opts: o, wake: make(chan struct{}, 1)}
}

// Dropped returns how many records were lost since the start, because the
// buffer was full or the database refused them.
func (l *Log) Dropped() int64 {
	if l == nil {
		return 0
	}
	return l.dropped.Load()
}

// Written returns how many records were written since the start.
func (l *Log) Written() int64 {
	if l == nil {
		return 0
	}
	return l.written.Load()
}

// Waiting returns how many records wait in the buffer.
func (l *Log) Waiting() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting()
}

// waiting is Waiting with l.mu held.
func (l *Log) waiting() int {
	return len(l.frontOps) + len(l.frontMsgs) + len(l.ops) + len(l.msgs) + l.saving
}

// Run writes what is recorded until ctx ends, then writes the rest within ten
// seconds and returns.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(l.opts.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			final, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalTimeout)
			defer cancel()
			l.flush(final)
			return nil
		case <-tick.C:
		case <-l.wake:
		}
		l.flush(ctx)
	}
}

// add puts records into the buffer, or counts them as dropped.
func (l *Log) add(op *linkspan.Operation, msgs []linkspan.Message) {
	l.mu.Lock()
	waiting := l.waiting()
	n := len(msgs)
	if op != nil {
		n++
	}
	if waiting+n > l.opts.Buffer {
		l.mu.Unlock()
		l.dropped.Add(int64(n))
		return
	}
	if op != nil {
		l.ops = append(l.ops, *op)
	}
	l.msgs = append(l.msgs, msgs...)
	l.mu.Unlock()
	if waiting+n >= l.opts.Batch {
		select {
		case l.wake <- struct{}{}:
		default: // the writer is told already
		}
	}
}

// flush writes everything that waits, a batch at a time. What an unreachable
// database did not take goes back into the buffer, where it waits for better
// times while there is room; what the database refused is dropped.
func (l *Log) flush(ctx context.Context) {
	for {
		ops, msgs := l.take()
		if len(ops)+len(msgs) == 0 {
			return
		}
		n := int64(len(ops) + len(msgs))
		err := l.save(ctx, ops, msgs)
		if err == nil {
			l.settle(nil, nil)
			l.written.Add(n)
			continue
		}
		if transient(err) && ctx.Err() == nil {
			l.settle(ops, msgs)
			l.log.WarnContext(ctx, "writing operations failed; it is tried again", "error", err, "records", n)
			return
		}
		l.settle(nil, nil)
		l.dropped.Add(n)
		l.log.ErrorContext(ctx, "writing operations failed; they are dropped", "error", err, "records", n)
		return
	}
}

// transient reports whether the same write may succeed later.
func transient(err error) bool {
	k := linkspan.KindOf(err)
	return k == linkspan.KindUnavailable || k == linkspan.KindTimeout
}

// settle ends a write and puts what it did not write back in front.
func (l *Log) settle(ops []linkspan.Operation, msgs []linkspan.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saving = 0
	if len(ops) > 0 {
		l.frontOps = slices.Concat(ops, l.frontOps)
	}
	if len(msgs) > 0 {
		l.frontMsgs = slices.Concat(msgs, l.frontMsgs)
	}
}

// take removes at most one batch from the front of the buffer. When the same
// operation waits twice, only its newest state is kept: one bulk statement may
// not touch a row twice.
func (l *Log) take() (ops []linkspan.Operation, msgs []linkspan.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.frontOps) == 0 {
		l.frontOps, l.ops = l.ops, nil
	}
	if len(l.frontMsgs) == 0 {
		l.frontMsgs, l.msgs = l.msgs, nil
	}
	ops, l.frontOps = cut(l.frontOps, l.opts.Batch)
	msgs, l.frontMsgs = cut(l.frontMsgs, l.opts.Batch)
	ops = newestOnly(ops)
	l.saving = len(ops) + len(msgs)
	return ops, msgs
}

// cut splits off at most n elements from the front.
func cut[T any](s []T, n int) (front, rest []T) {
	n = min(n, len(s))
	if n == len(s) {
		return s, nil // let go of what held them
	}
	return s[:n:n], s[n:]
}

func newestOnly(ops []linkspan.Operation) []linkspan.Operation {
	last := make(map[linkspan.OperationID]int, len(ops))
	for i := range ops {
		last[ops[i].ID] = i
	}
	if len(last) == len(ops) {
		return ops
	}
	out := ops[:0]
	for i := range ops {
		if last[ops[i].ID] == i {
			out = append(out, ops[i])
		}
	}
	return out
}

// save writes one batch. The end of ctx does not break off a write that has
// begun, whose batch would be lost; it only ends the waiting between tries.
func (l *Log) save(ctx context.Context, ops []linkspan.Operation, msgs []linkspan.Message) error {
	var err error
	for try := range saveTries {
		if err = l.saveOnce(ctx, ops, msgs); err == nil {
			return nil
		}
		wait := time.NewTimer(time.Duration(100<<try) * time.Millisecond)
		select {
		case <-wait.C:
		case <-ctx.Done():
			// The process is stopping: one last try without further waiting.
			wait.Stop()
			return l.saveOnce(ctx, ops, msgs)
		}
	}
	return err
}

func (l *Log) saveOnce(ctx context.Context, ops []linkspan.Operation, msgs []linkspan.Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return l.store.SaveOperations(ctx, nil, ops, msgs)
}
