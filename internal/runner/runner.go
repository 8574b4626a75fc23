package runner

import (
	"context"
	"errors"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// Request is what to run.
type Request struct {
	// Environment is whom the queue is fair to.
	Environment int64
	// Function identifies the deployed version: what quarantine and the estimate of
	// memory go by. Empty: the program itself.
	Function string
	// Program is sent to a child once and kept there.
	Program sandbox.Program
	// Start is the JSON that the prelude's start gets.
	Start []byte
	// Limits bound the run.
	Limits sandbox.Limits
	// Host serves the run's calls, in this process. It is not used after Run returned.
	Host sandbox.Host
	// Nested says that a run that is being executed asked for this one and waits for
	// it: it does not queue, or parents would wait for places that they hold.
	Nested bool
}

// Executor runs programs.
type Executor interface {
	// Run executes the request. Errors are those of [sandbox.Engine.Run], *LostError
	// and ErrBusy.
	Run(ctx context.Context, r Request) (sandbox.Result, error)
}

// LostError says that a run ended for no fault of its own. The process that
// executed it is gone: it died, or was killed because another run could not be
// stopped. Or all runs of the process took too much memory and this one the most.
type LostError struct {
	// Memory says that it was for memory.
	Memory bool
	// Started says that the run had reached its host: running it again might repeat
	// what it did.
	Started bool
}

// Error implements error.
func (e *LostError) Error() string {
	if e.Memory {
		return "the function was stopped because the functions beside it left it no memory"
	}
	if e.Started {
		return "the process that executed the function ended before the function did"
	}
	return "the process that executed the function ended before the function did anything"
}

var (
	// ErrBusy says that the queue is full, or that a run waited in it for too long.
	ErrBusy = errors.New("too many functions are running")
	// ErrClosed says that the pool takes no more runs.
	ErrClosed = errors.New("functions are no longer run: the server is stopping")
)

// local executes in this process.
type local struct{ engine *sandbox.Engine }

// NewLocal returns an Executor that runs everything in this process, at once: for
// the command line and for tests. A run that can't be stopped goes on until the
// process ends.
func NewLocal(engine *sandbox.Engine) Executor { return local{engine} }

// Run implements Executor.
func (l local) Run(ctx context.Context, r Request) (sandbox.Result, error) {
	return l.engine.Run(ctx, sandbox.Request{Program: r.Program, Start: r.Start, Limits: r.Limits, Host: r.Host})
}
