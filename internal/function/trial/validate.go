package trial

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/function/call"
)

// The codes of violations (features TEST-01).
const (
	codeInput  = "invalid_action_input"
	codeOutput = "invalid_action_output"
	codeRecord = "invalid_sync_record"
)

// checks are the compiled schemas of a function.
type checks struct {
	action *function.Contract
	models map[string]*function.Shape
}

func newChecks(f *Function) (*checks, error) {
	if f.Kind == linkspan.FunctionAction {
		c := function.NewContract(&f.Definition)
		if c.Problem != nil {
			return nil, linkspan.E("trial.Run", linkspan.KindInvalid, "invalid_schema", c.Problem, "Input and output of the function %s can't be validated.", f.Name)
		}
		return &checks{action: c}, nil
	}
	c := &checks{models: make(map[string]*function.Shape)}
	for _, name := range f.Definition.Models {
		shape, err := function.NewShape(f.Definition.Schema, name)
		if err != nil {
			return nil, linkspan.E("trial.Run", linkspan.KindInvalid, "invalid_schema", err, "Records of the model %q can't be validated.", name)
		}
		c.models[name] = shape
	}
	return c, nil
}

// checkInput returns what is wrong with the input.
func (h *host) checkInput() (*Failure, error) {
	if h.checks == nil || h.checks.action == nil {
		return nil, nil //nolint:nilnil // nothing is checked
	}
	return violation(h.checks.action.Input.Refuse(h.o.Input, codeInput, "The input is not what the action takes."))
}

// checkOutput returns what is wrong with the output.
func (h *host) checkOutput(output json.RawMessage) (*Failure, error) {
	if h.checks == nil || h.checks.action == nil {
		return nil, nil //nolint:nilnil // nothing is checked
	}
	return violation(h.checks.action.Output.Refuse(output, codeOutput, "The output is not what the action says it returns."))
}

// checkRecords refuses records that are not what their model says. The first one
// ends the trial.
func (h *host) checkRecords(model string, records []json.RawMessage) error {
	if h.checks == nil {
		return nil
	}
	for i, r := range records {
		failure, err := violation(h.checks.models[model].Refuse(r, codeRecord,
			fmt.Sprintf("The record at index %d is not what the model %q says.", i, call.Clip(model, call.MaxModel))))
		if err != nil {
			return err
		}
		if failure == nil {
			continue
		}
		h.mu.Lock()
		if h.refused == nil {
			h.refused = failure
		}
		h.mu.Unlock()
		return call.Failure{Code: failure.Code, Message: failure.Message, Payload: failure.Payload}.Err()
	}
	return nil
}

// violation makes a failure of the refusal of a value.
func violation(err error) (*Failure, error) {
	if err == nil {
		return nil, nil //nolint:nilnil // nothing is wrong
	}
	e, ok := errors.AsType[*linkspan.RunError](err)
	if !ok {
		return nil, err
	}
	return &Failure{Code: e.Code, Message: e.Message, Payload: e.Payload, Run: e}, nil
}
