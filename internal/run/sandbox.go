package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// SandboxConfig is what a Sandbox needs.
type SandboxConfig struct {
	// Host serves what functions ask for.
	Host *host.Service
	// Executor runs them.
	Executor runner.Executor
	// Accounts returns all accounts; functions are told the UUID of theirs.
	Accounts func(ctx context.Context) ([]linkspan.Account, error)
	// Syncs is what functions may start and trigger. Nil: nothing.
	Syncs host.Syncs
	Log   *slog.Logger
}

// Sandbox is the Engine that executes functions in sandboxes.
type Sandbox struct {
	c SandboxConfig

	mu       sync.Mutex
	accounts map[linkspan.AccountID]string
}

var _ Engine = (*Sandbox)(nil)

// NewSandbox returns an Engine.
func NewSandbox(c SandboxConfig) *Sandbox {
	return &Sandbox{c: c, accounts: make(map[linkspan.AccountID]string)}
}

// Execute implements Engine.
func (s *Sandbox) Execute(ctx context.Context, x *Execution) (Done, error) {
	account, err := s.account(ctx, x.Environment.AccountID)
	if err != nil {
		return Done{}, err
	}
	definition := &x.Function.Version.Definition
	session := s.c.Host.Open(host.Info{
		Environment: x.Environment, AccountUUID: account, Kind: x.Function.Kind, Event: x.Event, Function: x.Function.Name, Variant: x.Variant, Sync: x.Sync, Syncs: s.c.Syncs,
		IntegrationKey: x.Function.IntegrationKey, Provider: x.Function.Provider, ConnectionName: x.ConnectionName, ConnectionID: x.ConnectionID,
		Attributes: definition.Attributes, Target: x.Target, Pending: x.Pending, Owner: x.Owner, Op: x.Op, Trigger: x.Trigger, Input: x.Input,
		Webhook: x.Webhook, Request: x.Request, Subscriptions: x.Subscriptions,
	})
	defer session.Close(ctx)
	start, err := session.Start(ctx)
	if err != nil {
		return Done{}, fmt.Errorf("preparing a function: %w", err)
	}
	result, err := s.c.Executor.Run(ctx, runner.Request{
		Environment: int64(x.Environment.ID), Function: x.Function.Version.UUID, Nested: x.Nested, Host: session, Start: start,
		Program: sandbox.Program{Name: programName(&x.Function), Source: x.Code.Bundle},
		Limits:  sandbox.Limits(x.Limits),
	})
	done := Done{Output: result.JSON, Effects: session.Effects()}
	if metadata, ok := session.Metadata(); ok {
		if done.Metadata = metadata; metadata == nil {
			done.Metadata = map[string]any{}
		}
	}
	if err != nil {
		done.Output = nil
		err = s.failure(ctx, x, session, &done, err)
	}
	return done, err
}

// failure puts an error of the executor into the words of the public API.
func (s *Sandbox) failure(ctx context.Context, x *Execution, session *host.Session, done *Done, err error) error {
	if errors.Is(err, runner.ErrBusy) || errors.Is(err, runner.ErrClosed) {
		return linkspan.E("run.Execute", linkspan.KindUnavailable, "", err, "The server has no room for another function at the moment.").
			WithHint("Try again in a few seconds.")
	}
	if lost, ok := errors.AsType[*runner.LostError](err); ok {
		done.Lost = true
		e := &linkspan.RunError{Code: codeRuntime, Message: "The process that executed the function ended before the function did.", Retryable: !done.Effects}
		if lost.Memory {
			e.Message = "The function was stopped because all functions together needed more memory than the server gives them (--functions-memory)."
		}
		return e
	}
	if ctx.Err() == nil && !foreseen(err) {
		s.c.Log.ErrorContext(ctx, "executing a function failed", "error", err, "function", x.Function.UUID, "version", x.Function.Version.UUID)
	}
	return session.RunError(x.Code.Bundle, err)
}

// foreseen reports whether it was the function that failed, rather than what
// executes it.
func foreseen(err error) bool {
	_, threw := errors.AsType[*sandbox.Failure](err)
	_, limited := errors.AsType[*sandbox.LimitError](err)
	_, syntax := errors.AsType[*sandbox.SyntaxError](err)
	return threw || limited || syntax
}

// programName is the function's file as stacks show it.
func programName(f *linkspan.Function) string {
	folder := "actions"
	switch {
	case f.Version.Definition.Unified != nil:
		folder = "functions"
	case f.Kind == linkspan.FunctionSync:
		folder = "syncs"
	case f.Kind == linkspan.FunctionOnEvent:
		folder = "on-events"
	}
	return f.IntegrationKey + "/" + folder + "/" + f.Name + ".js"
}

// account returns an account's UUID. Accounts never change.
func (s *Sandbox) account(ctx context.Context, id linkspan.AccountID) (string, error) {
	s.mu.Lock()
	uuid, known := s.accounts[id]
	s.mu.Unlock()
	if known {
		return uuid, nil
	}
	list, err := s.c.Accounts(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the account of a function: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		s.accounts[list[i].ID] = list[i].UUID
	}
	return s.accounts[id], nil
}
