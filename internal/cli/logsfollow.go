package cli

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/api"
)

// How what happens is followed.
//
// The server lists operations by when they began. A short one is stored only when
// it has ended, so it may appear behind others that began later. Each look
// therefore goes back from the newest moment that is known: every one a little,
// every second one twice as far, every fourth four times as far, and so on. What
// took long to appear is found after a time in proportion to that, and the work is
// about the same however much happens.
const (
	followEvery = time.Second
	followLook  = 10 * time.Second
	// followFar is longer than operations take that are not stored when they begin.
	followFar = 16 * time.Minute
	// followKeep is how long an operation is known that has ended.
	followKeep = 2 * followFar
	// followSettle is how many looks later an operation that has ended is read once
	// more: messages may be stored after it.
	followSettle = 2
	// followLate is how long before the newest moment something may have ended that
	// is stored after that.
	followLate = 2 * time.Second
)

// follower shows operations that appear, and what is new of them.
type follower struct {
	*logs
	known map[string]*followed
	// newest is the latest moment that the server named, by its clock; begun is the
	// one before which operations had ended that are not to be shown.
	newest, begun time.Time
	// reached is what was newest when all before it had been looked for. It stays
	// behind when looks fail: the next one that doesn't begins there.
	reached time.Time
	look    uint
	// away means that the last look found no server.
	away bool
}

// followed is an operation that was shown.
type followed struct {
	created time.Time
	status  string
	// messages are those that were shown; after is the last of them.
	messages map[int64]bool
	after    int64
	// endedFor counts the looks since it ended; done: all of it was shown.
	endedFor int
	ended    bool
	done     bool
}

func newFollower(l *logs) *follower {
	return &follower{logs: l, known: make(map[string]*followed)}
}

// run shows what was found, and what happens until ctx ends.
func (f *follower) run(ctx context.Context, found []api.Operation) error {
	if err := f.begin(ctx, found); err != nil {
		return err
	}
	return f.every(ctx, f.once)
}

// begin shows what was found. What had ended before is not shown.
func (f *follower) begin(ctx context.Context, found []api.Operation) error {
	for i := range found {
		f.notice(&found[i])
	}
	if err := f.now(ctx); err != nil {
		return err
	}
	if f.reached = f.newest; !f.newest.IsZero() {
		f.begun = f.newest.Add(-followLate)
	}
	return f.showNew(ctx, found)
}

// watch shows one operation until it has ended.
func (f *follower) watch(ctx context.Context, op api.OperationDetail) error {
	if err := f.reveal(op); err != nil {
		return err
	}
	return f.every(ctx, func(ctx context.Context) (bool, error) {
		err := f.goOn(ctx)
		return f.known[op.ID].done, err
	})
}

// every looks again and again until ctx ends or there is nothing more to come.
func (f *follower) every(ctx context.Context, look func(context.Context) (bool, error)) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if done, err := f.try(ctx, look); err != nil || done {
			return err
		}
	}
}

// try looks once. That the server is away is said, and no failure.
func (f *follower) try(ctx context.Context, look func(context.Context) (bool, error)) (done bool, err error) {
	done, err = look(ctx)
	away, isAway := errors.AsType[*awayError](err)
	switch {
	case ctx.Err() != nil || err != nil && !isAway:
		return done, err
	case isAway && !f.away:
		_, why := described(away)
		f.status.println("No answer, trying again: ", printable(why))
	case !isAway && f.away:
		f.status.println("The server answers again.")
	}
	f.away = isAway
	return done && !isAway, f.status.err
}

// once looks for what is new. It is never done.
func (f *follower) once(ctx context.Context) (bool, error) {
	if err := f.goOn(ctx); err != nil {
		return false, err
	}
	f.look++
	if f.filtered() {
		if err := f.now(ctx); err != nil {
			return false, err
		}
	}
	q := f.query
	if from := f.from(); !from.IsZero() && (q.From == nil || from.After(*q.From)) {
		q.From = &from
	}
	var found []api.Operation
	err := f.each(ctx, q, func(op api.Operation) bool {
		if f.known[op.ID] == nil && (op.EndedAt == nil || !op.EndedAt.Before(f.begun)) {
			found = append(found, op)
		}
		return true
	})
	if err != nil {
		return false, err
	}
	for i := range found {
		f.notice(&found[i])
	}
	reached := f.newest
	slices.Reverse(found)
	if err := f.showNew(ctx, found); err != nil {
		return false, err
	}
	f.reached = reached
	f.forget()
	return false, nil
}

// filtered reports whether there may be operations that are not asked for.
func (f *follower) filtered() bool {
	q := f.query
	return f.function != "" || len(q.Type)+len(q.Status) > 0 || q.Integration != nil || q.Connection != nil
}

// now learns what the newest moment is, whatever is asked for.
func (f *follower) now(ctx context.Context) error {
	page, err := f.page(ctx, api.OperationsQuery{Limit: new(1)})
	for i := range page.Data {
		f.notice(&page.Data[i])
	}
	return err
}

// from is how far back this look goes: as far as any does after looks that failed,
// one of which may have been to go that far.
func (f *follower) from() time.Time {
	switch {
	case f.reached.IsZero():
		return f.reached
	case f.away:
		return f.reached.Add(-followFar)
	default:
		return f.reached.Add(-min(followLook<<min(bits.TrailingZeros(f.look), 10), followFar))
	}
}

// notice keeps the newest moment.
func (f *follower) notice(op *api.Operation) {
	for _, at := range []*api.Time{&op.CreatedAt, op.EndedAt} {
		if at != nil && at.After(f.newest) {
			f.newest = at.Time
		}
	}
}

// showNew shows operations for the first time.
func (f *follower) showNew(ctx context.Context, found []api.Operation) error {
	for chunk := range slices.Chunk(found, operationsPage) {
		all, err := f.details(ctx, chunk)
		if err != nil {
			return err
		}
		for _, op := range all {
			if err := f.reveal(op); err != nil {
				return err
			}
		}
	}
	return nil
}

// reveal shows what is new of an operation.
func (f *follower) reveal(op api.OperationDetail) error {
	k := f.known[op.ID]
	fresh := k == nil
	if fresh {
		k = &followed{created: op.CreatedAt.Time, messages: make(map[int64]bool)}
		f.known[op.ID] = k
	}
	op.Messages = slices.DeleteFunc(op.Messages, func(m api.OperationMessage) bool { return k.messages[m.ID] })
	for _, m := range op.Messages {
		k.messages[m.ID] = true
		k.after = max(k.after, m.ID)
	}
	changed := k.status != op.Status
	k.status, k.ended = op.Status, op.EndedAt != nil
	f.notice(&op.Operation)
	if !fresh && !changed && len(op.Messages) == 0 {
		return nil
	}
	if f.asJSON || fresh {
		return f.show(op)
	}
	f.showMore(op, changed)
	return f.out.err
}

// showMore writes messages of an operation whose head was written, and the head
// again when it stands differently.
func (f *follower) showMore(op api.OperationDetail, changed bool) {
	if f.last != op.ID && len(op.Messages) > 0 {
		f.out.println(f.out.paint(styleDim, "… "+printable(strings.TrimSpace(op.Type+" "+op.Action+"  "+about(op.Operation))+"  "+op.ID)))
		f.last = op.ID
	}
	for _, m := range op.Messages {
		f.message(m)
	}
	if changed {
		f.head(op.Operation)
	}
}

// maxOpen bounds how many operations that go on are looked at each time.
const maxOpen = 4 * maxAtOnce

// goOn looks at operations that had not ended, and once more at those that have.
// Of very many each has its turn.
func (f *follower) goOn(ctx context.Context) error {
	var open []string
	for id, k := range f.known {
		if k.done {
			continue
		}
		if k.ended {
			if k.endedFor++; k.endedFor < followSettle {
				continue
			}
		}
		open = append(open, id)
	}
	slices.Sort(open)
	if n := len(open); n > maxOpen {
		at := int(f.look) * maxOpen % n
		open = slices.Concat(open[at:], open[:at])[:maxOpen]
	}
	for _, id := range open {
		if err := f.again(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// again shows what is new of an operation that was shown.
func (f *follower) again(ctx context.Context, id string) error {
	k := f.known[id]
	after, last := k.after, k.ended
	if last {
		after = 0 // what was stored late may have an earlier number
	}
	op, err := f.detail(ctx, id, after)
	if err != nil {
		return err
	}
	k.done = last
	return f.reveal(op)
}

// forget drops operations that no look finds any more.
func (f *follower) forget() {
	for id, k := range f.known {
		if k.done {
			k.messages = nil
			if k.created.Before(f.newest.Add(-followKeep)) {
				delete(f.known, id)
			}
		}
	}
}
