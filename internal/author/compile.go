package author

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// The codes of the Functions API (features FAPI-09).
const (
	codeInvalid     = "invalid_request"
	codeCompilation = "compilation_error"
	codeDryRun      = "dryrun_error"
	codeDeployment  = "deployment_error"
	codeUnavailable = "execution_environment_unavailable"
	codeTimeout     = "timeout"
	codeValidation  = "validation_error"
	codeServer      = "server_error"

	codeNoIntegration = "integration_not_found"
	codeNoConnection  = "connection_not_found"
)

// statusTimeout is what the contract has for codeTimeout.
const statusTimeout = 504

// Problem is something in an author's text that has to be corrected.
type Problem struct {
	// File is what the text is called in messages.
	File string `json:"file"`
	// Line and Column count from 1. 0: the whole text.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	// Excerpt is the line, with a caret below the place.
	Excerpt string `json:"excerpt,omitempty"`
}

// problemsPayload is the payload of codeCompilation.
type problemsPayload struct {
	Errors []Problem `json:"errors"`
}

// maxProblems bounds what is said about one text.
const maxProblems = 50

// compilationError is the error of a text with problems.
func compilationError(problems []bundle.Problem) *linkspan.Error {
	shown := problemsPayload{Errors: []Problem{}}
	for _, p := range problems[:min(len(problems), maxProblems)] {
		shown.Errors = append(shown.Errors, Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message, Excerpt: p.Excerpt})
	}
	message := problems[0].Error()
	if n := len(problems) - 1; n > 0 {
		message += fmt.Sprintf("\n\nThere are %d more.", n)
	}
	return linkspan.E("author.compile", linkspan.KindInvalid, codeCompilation, nil, "%s", message).WithPayload(shown)
}

// Compiled is a text that compiles.
type Compiled struct {
	// Bundle is CommonJS with a source map.
	Bundle string
	At     time.Time
}

// Compile compiles the text of a function and checks its definition. Codes:
// compilation_error, with the places in the payload; invalid_request;
// execution_environment_unavailable; timeout.
func (s *Service) Compile(ctx context.Context, env linkspan.EnvironmentID, code string) (Compiled, error) {
	f, err := s.compile(ctx, env, &subject{code: code, integration: "integration", name: "function", wait: s.limits.CompilerWait})
	if err != nil {
		return Compiled{}, err
	}
	return Compiled{Bundle: f.Code.Bundle, At: s.c.Now()}, nil
}

// subject is what a text is compiled as.
type subject struct {
	code, integration, name string
	kind                    linkspan.FunctionKind // empty: what it says itself
	wait                    time.Duration         // for its turn; 0: as long as compiling may take
}

// compile compiles a text, and reads what it says of itself.
func (s *Service) compile(ctx context.Context, env linkspan.EnvironmentID, t *subject) (*bundle.Function, error) {
	if len(t.code) > MaxCode {
		return nil, linkspan.E("author.compile", linkspan.KindInvalid, codeInvalid, nil, "The code has %d bytes; at most %d are allowed.", len(t.code), MaxCode).
			WithHint("Put data elsewhere, and get it when the function runs.")
	}
	inner, cancel := context.WithTimeout(ctx, s.limits.Compile)
	defer cancel()
	f, problems, err := s.build(inner, env, t)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	s.compiled.Add(1)
	if len(problems) > 0 {
		s.refused.Add(1)
		return nil, compilationError(problems)
	}
	return f, nil
}

func (s *Service) build(ctx context.Context, env linkspan.EnvironmentID, t *subject) (*bundle.Function, []bundle.Problem, error) {
	text, err := s.text(ctx, env, t)
	if errors.Is(err, errTooMuch) {
		return nil, []bundle.Problem{{File: bundle.TextFile, Message: "Compiling the code takes more memory than it may. Split long expressions, and nest less deeply."}}, nil
	}
	if err != nil || len(text.Problems) > 0 {
		return nil, text.Problems, err
	}
	if n := len(text.Bundle); n > maxBundle {
		return nil, []bundle.Problem{{File: bundle.TextFile, Message: fmt.Sprintf("Compiled, the code has %d bytes; %d are the most.", n, maxBundle)}}, nil
	}
	return bundle.DescribeText(ctx, bundle.TextOptions{
		Integration: t.integration, Kind: t.kind, Name: t.name, Source: t.code, Text: text, Version: s.c.Version,
		Describer: executor{pool: s.c.Executor, env: env},
	})
}

// text compiles when it is its turn.
func (s *Service) text(ctx context.Context, env linkspan.EnvironmentID, t *subject) (bundle.Text, error) {
	if err := s.compiling.enter(ctx, env, cmp.Or(t.wait, s.limits.Compile)); err != nil {
		return bundle.Text{}, err
	}
	defer s.compiling.leave(env)
	if s.c.Reserve != nil {
		release, err := s.c.Reserve(ctx, env, CompilerMemory(len(t.code)))
		if err != nil {
			return bundle.Text{}, fmt.Errorf("waiting for memory: %w", err)
		}
		defer release()
	}
	return s.c.Compiler.Compile(ctx, t.code)
}

// errBusy says that too many texts wait to be compiled.
var errBusy = errors.New("too many texts are being compiled")

// unavailable gives errors of compilers and runners their public form.
func unavailable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return linkspan.E("author.compile", linkspan.KindTimeout, codeTimeout, err, "Compiling the code took too long.").WithStatus(statusTimeout).
			WithHint("Try again, or make the code simpler.")
	}
	if _, ok := errors.AsType[*linkspan.Error](err); ok {
		return err
	}
	return linkspan.E("author.compile", linkspan.KindUnavailable, codeUnavailable, err, "The server has no room to compile and read code at the moment.").
		WithHint("Try again in a few seconds.")
}

// executor lets the runners execute what an environment's author wrote.
type executor struct {
	pool runner.Executor
	env  linkspan.EnvironmentID
	// wrap stands between a program and its host. Nil: nothing does.
	wrap func(sandbox.Host) sandbox.Host
}

// Run implements bundle.Describer and trial.Executor.
func (e executor) Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error) {
	h := r.Host
	if e.wrap != nil {
		h = e.wrap(h)
	}
	return e.pool.Run(ctx, runner.Request{Environment: int64(e.env), Program: r.Program, Start: r.Start, Limits: r.Limits, Host: h})
}

// runError is a failure as it is stored with a job.
func runError(err error) *linkspan.RunError {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Code == "" {
		return &linkspan.RunError{Code: codeServer, Message: "The server failed at this; its log says why."}
	}
	out := &linkspan.RunError{Code: e.Code, Message: e.Msg}
	if e.Hint != "" {
		out.Message += " " + e.Hint
	}
	payload := e.Payload
	if payload == nil && len(e.Issues) > 0 {
		payload = map[string]any{"errors": e.Issues}
	}
	if payload != nil {
		if text, err := json.Marshal(payload); err == nil {
			out.Payload = text
		}
	}
	return out
}
