package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/internal/demo"
)

// step is one thing that the demo does and checks.
type step struct {
	what string
	do   func(context.Context, *walk) (detail string, err error)
	// silent steps only wait for a webhook, which tells enough.
	silent bool
	// unless says for which walks there is no such step. Nil: for none.
	unless func(*walk) bool
}

// part is some steps under a title.
type part struct {
	title string
	steps []step
}

// walk is what one way through the demo has found so far.
type walk struct {
	// token is that of the connect session.
	token string
	// integration and connection are those of the account that was connected.
	integration, connection string
	// tickets is how many Ticketry had when it was connected.
	tickets int
	// want is what the syncs must have changed by now, got what the webhooks say.
	want, got changes
	// cursor is where the reading of records has come to.
	cursor string
	// open are the ids of tickets that are open and not used by a step yet.
	open []string
	// closed, changed and deleted are the tickets of the steps of that name.
	closed, changed, deleted string

	// came are webhooks that a step has waited for, rows what it has found: both
	// are told after it.
	came []arrival
	rows []string
}

// parts are all of the way that begins with an account that was connected. The
// token is renewed while no sync runs: Ticketry forgets the one before at once.
func (d *demonstration) parts() []part {
	return []part{
		{"Its tickets arrive", []step{
			{what: "First run of the sync, by itself", do: d.stepFirstRun},
			{what: "GET /records", do: d.stepAllRecords},
		}},
		{"Your backend uses the connection", []step{
			{what: "A call through it", do: d.stepCall},
			{what: "Access token renewed", do: d.stepRenew, unless: (*walk).withoutOAuth},
		}},
		{"Write back", []step{
			{what: "Action close-ticket", do: d.stepClose},
			{what: "Sync, triggered", do: d.stepSync},
			{what: "GET /records from the cursor", do: d.stepRecordClosed},
		}},
		{"Something changes at Ticketry", []step{
			{what: "One ticket changed, one deleted", do: d.stepChange},
			{what: "Sync, triggered", do: d.stepSync},
			{what: "GET /records from the cursor", do: d.stepRecordsChanged},
		}},
	}
}

// connectParts connect an account without a person.
func (d *demonstration) connectParts() []part {
	return []part{{"Connect an account", []step{
		{what: "Session, made by your backend", do: d.stepSession},
		{what: "Signed in, access approved", do: d.stepOAuth},
		{what: "Webhook about the connection", do: d.stepConnected, silent: true},
	}}}
}

// otherParts try another way in.
func (d *demonstration) otherParts() []part {
	return []part{{"Another account, with an API key", []step{
		{what: "Connected by a form", do: d.stepKey},
		{what: "Webhook about the connection", do: d.stepConnected, silent: true},
		{what: "Ticket created through it", do: d.stepCreate},
	}}}
}

func (w *walk) withoutOAuth() bool { return w.integration != demo.ProviderOAuth }

// goThrough goes all the way without a person.
func (d *demonstration) goThrough(ctx context.Context) error {
	w := new(walk)
	for _, parts := range [][]part{d.connectParts(), d.parts()} {
		if err := d.follow(ctx, w, parts); err != nil {
			return err
		}
	}
	if err := d.follow(ctx, new(walk), d.otherParts()); err != nil {
		return err
	}
	d.screen.title(joined("All is well", took(time.Since(d.began))))
	d.screen.note("Run " + shellWord(d.Program) + " demo in a terminal to go on by hand.")
	d.screen.line("")
	return nil
}

// follow goes through some parts.
func (d *demonstration) follow(ctx context.Context, w *walk, parts []part) error {
	for _, p := range parts {
		d.screen.section(p.title)
		if err := d.each(ctx, w, p.steps); err != nil {
			return err
		}
	}
	return nil
}

// each does steps until one fails.
func (d *demonstration) each(ctx context.Context, w *walk, steps []step) error {
	for _, s := range steps {
		if s.unless != nil && s.unless(w) {
			continue
		}
		if err := d.do(ctx, w, s); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// do does one step and tells of it.
func (d *demonstration) do(ctx context.Context, w *walk, s step) error {
	slow := fmt.Errorf("no end after %v", d.patience)
	limited, cancel := context.WithTimeoutCause(ctx, d.patience, slow)
	defer cancel()
	began := time.Now()
	stop := d.screen.spin(s.what)
	detail, err := s.do(limited, w)
	stop()
	came, rows := w.came, w.rows
	w.came, w.rows = nil, nil
	switch {
	case err != nil && ctx.Err() == nil:
		d.screen.broken(s.what)
	case err == nil && !s.silent:
		d.screen.done(s.what, joined(detail, took(time.Since(began))))
	}
	for _, a := range came {
		d.screen.arrival(a)
	}
	for _, row := range rows {
		d.screen.row(row)
	}
	if err != nil && errors.Is(context.Cause(limited), slow) && !errors.Is(err, slow) {
		err = fmt.Errorf("%w: %w", slow, err)
	}
	return err
}

// verdict is what a webhook means to who waits.
type verdict int

const (
	another verdict = iota // it is about something else
	counted                // it is one of several
	enough                 // it is the last one
)

// await collects webhooks until one is enough. Those about something else are for
// people, who may do more than the demo. It returns what ended the wait otherwise,
// and what was waited for.
func (d *demonstration) await(ctx context.Context, w *walk, what string, judge func(arrival) (verdict, error)) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, context.Cause(ctx))
		case err := <-d.world.failed:
			return fmt.Errorf("waited for %s: %w", what, err)
		case a := <-d.world.receiver.arrivals:
			v, err := judge(a)
			if v != another || err != nil || !d.Once {
				w.came = append(w.came, a)
			}
			if v == enough || err != nil {
				return err
			}
		}
	}
}
