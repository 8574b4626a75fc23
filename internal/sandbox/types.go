package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Program is the CommonJS bundle of one function. The SHA-256 of both members
// identifies it: the same program is compiled once.
type Program struct {
	// Name appears in stacks, such as "github/actions/create-issue.js".
	Name string
	// Source is evaluated with module, exports and require in scope.
	Source string
}

// Limits bound one run.
type Limits struct {
	Memory int64         // bytes of the sandbox, the snapshot included; 0: 128 MiB
	CPU    time.Duration // of computing between two waits for the host; 0: none
	Wall   time.Duration // of the run; 0: none
	Calls  int           // host calls at the same time, more of them wait; 0: 64
	Output int64         // bytes of the result; 0: none
	Notes  int64         // bytes of notes, then they are dropped; 0: none
}

// Call is what a program asks of the host.
type Call struct {
	Name string
	JSON []byte // valid JSON; nil when there are no parameters
	Body []byte // raw bytes beside the JSON; nil: none
	Text bool   // the body was a string
}

// Reply is what the host answers.
type Reply struct {
	JSON []byte // JSON; nil for undefined
	Body []byte // raw bytes beside the JSON; nil: none
	Text bool   // the body becomes a string

	// Taken is called when the program has the answer, or does not want it any
	// more; nil: nobody waits for that. It is not called when the run ends before.
	Taken func()
}

// CallError is the error of a host call as the program sees it.
type CallError struct {
	JSON []byte // an object with "code" and "message"
}

// Error implements error.
func (e *CallError) Error() string { return "host call: " + string(e.JSON) }

// Host serves the calls of one run.
type Host interface {
	// Call answers one call. It runs on a goroutine of its own and must return soon
	// after the context ended: a run ends after all its calls have. Errors other
	// than *CallError reach the program as "internal_error", without their text.
	Call(ctx context.Context, c Call) (Reply, error)
	// Note takes what needs no answer, in order and before the run ends. It is
	// called while the program waits for it. When Limits.Notes is reached, the last
	// one has the name NotesDropped.
	Note(c Call)
}

// NotesDropped is the name of the note that says that no more will come.
const NotesDropped = "notes_dropped"

// Request is what to run.
type Request struct {
	Program Program
	Start   []byte // JSON that the prelude's start gets
	Limits  Limits
	Host    Host
}

// Result is what the program returned.
type Result struct {
	JSON  []byte // nil for undefined
	Body  []byte
	Text  bool
	Usage Usage
}

// Usage says what a run took.
type Usage struct {
	CPU    time.Duration // of computing
	Wall   time.Duration
	Memory int64 // bytes at the peak, the snapshot included
	Calls  int   // host calls
	Hot    bool  // started from a hot image
}

// Failure says that the program threw.
type Failure struct {
	// JSON is an object with "name", "message", "stack", "kind" and what the prelude
	// adds to it.
	JSON  []byte
	Usage Usage
}

// Error implements error.
func (e *Failure) Error() string {
	var f struct{ Name, Message string }
	if err := json.Unmarshal(e.JSON, &f); err != nil {
		return "the program failed"
	}
	return fmt.Sprintf("the program failed: %s: %s", f.Name, f.Message)
}

// What a LimitError can say.
const (
	LimitMemory   = "memory"   // the sandbox needed more memory
	LimitCPU      = "cpu"      // it computed too long without waiting
	LimitWall     = "wall"     // it took too long
	LimitOutput   = "output"   // its result is too large
	LimitStalled  = "stalled"  // it waits for something that never comes
	LimitPressure = "pressure" // all sandboxes together needed more memory than they may: it was the largest
	LimitStuck    = "stuck"    // it did not stop: its goroutine still runs, the process has to end
)

// LimitError says that a run was stopped.
type LimitError struct {
	Limit string
	Usage Usage
}

// Error implements error.
func (e *LimitError) Error() string {
	switch e.Limit {
	case LimitStalled:
		return "the program waits for something that never happens"
	case LimitPressure:
		return "the program was stopped because all of them together needed too much memory"
	case LimitStuck:
		return "the program could not be stopped"
	default:
		return "the program reached its limit of " + e.Limit
	}
}

// SyntaxError says why a program does not compile.
type SyntaxError struct {
	Name         string // of the program
	Message      string
	Line, Column int // from 1; 0 when unknown
}

// Error implements error.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Name, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Message)
}

const (
	defaultMemory = 128 << 20
	defaultCalls  = 64
)

func (l Limits) withDefaults() Limits {
	if l.Memory == 0 {
		l.Memory = defaultMemory
	}
	if l.Calls == 0 {
		l.Calls = defaultCalls
	}
	return l
}
