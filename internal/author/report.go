package author

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/function/trial"
)

const (
	// shownRecords is how many records of each kind of change are shown, and
	// shownRecord how long one may be, in bytes.
	shownRecords = 10
	shownRecord  = 16 << 10
)

// syncResult is what a sync did in a dry run.
type syncResult struct {
	Models     map[string]modelResult `json:"models"`
	Checkpoint json.RawMessage        `json:"checkpoint"`
}

// modelResult counts the changes of a model's records, and shows the first.
type modelResult struct {
	Saved   int          `json:"saved"`
	Updated int          `json:"updated"`
	Deleted int          `json:"deleted"`
	Records modelRecords `json:"records"`
}

type modelRecords struct {
	Saved   []json.RawMessage `json:"saved"`
	Updated []json.RawMessage `json:"updated"`
	Deleted []json.RawMessage `json:"deleted"`
}

// failurePayload says how the function itself failed.
type failurePayload struct {
	// Code is what a run of the deployed function would have failed with.
	Code     string                   `json:"code"`
	Name     string                   `json:"name,omitempty"`
	Payload  json.RawMessage          `json:"payload,omitempty"`
	Upstream *linkspan.UpstreamAnswer `json:"upstream,omitempty"`
	Stack    []string                 `json:"stack,omitempty"`
}

// report puts the outcome of a trial into the job.
func (w *worked) report(r *trial.Result, session *host.Session) error {
	w.log.line(w.s.c.Now(), "info", fmt.Sprintf("The %s took %v, of which it computed %v, with %d requests and %d MB of memory.",
		w.job.FunctionKind, r.Usage.Wall.Round(time.Millisecond), r.Usage.CPU.Round(time.Millisecond), r.Requests, r.Usage.Memory>>20), nil)
	result := r.Output
	if w.job.FunctionKind == linkspan.FunctionSync {
		var err error
		if result, err = json.Marshal(syncResultOf(r)); err != nil {
			return fmt.Errorf("encoding what a sync did: %w", err)
		}
	}
	if int64(len(result)) > w.s.limits.Output {
		w.log.line(w.s.c.Now(), "warn", fmt.Sprintf("The result has %d bytes, more than is kept: it is left out.", len(result)), nil)
		result = nil
	}
	w.job.Result = linkspan.NewSecret(string(result))
	if r.Failure == nil {
		return nil
	}
	return failed(r.Failure, session)
}

func syncResultOf(r *trial.Result) syncResult {
	out := syncResult{Models: make(map[string]modelResult, len(r.Models)), Checkpoint: r.Checkpoint}
	if len(out.Checkpoint) == 0 {
		out.Checkpoint = json.RawMessage("null")
	}
	for model, c := range r.Models {
		out.Models[model] = modelResult{
			Saved: len(c.Saved), Updated: len(c.Updated), Deleted: len(c.Deleted) + len(c.Unseen),
			Records: modelRecords{Saved: shown(c.Saved), Updated: shown(c.Updated), Deleted: shown(c.Deleted)},
		}
	}
	return out
}

// shown are the first records; long ones are left out.
func shown(list []json.RawMessage) []json.RawMessage {
	out := []json.RawMessage{}
	for _, r := range list[:min(len(list), shownRecords)] {
		if len(r) > shownRecord {
			r = json.RawMessage(fmt.Sprintf(`{"truncated":true,"bytes":%d}`, len(r)))
		}
		out = append(out, r)
	}
	return out
}

// failed is the error of a dry run whose function failed.
func failed(f *trial.Failure, session *host.Session) error {
	code := codeDryRun
	switch f.Code {
	case "execution_timeout", "function_runtime_timed_out":
		code = codeTimeout
	case "invalid_action_input", "invalid_action_output", "invalid_sync_record":
		code = codeValidation
	}
	p := failurePayload{Code: f.Code, Name: f.Name, Payload: session.RedactJSON(f.Payload), Stack: make([]string, len(f.Stack))}
	for i, frame := range f.Stack {
		p.Stack[i] = session.Redact(frame)
	}
	if u := f.Upstream; u != nil {
		p.Upstream = &linkspan.UpstreamAnswer{Status: u.Status, Headers: make(map[string]string, len(u.Headers)), Body: session.RedactJSON(u.Body)}
		for name, value := range u.Headers {
			p.Upstream.Headers[name] = session.Redact(value)
		}
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding how a function failed: %w", err)
	}
	return &linkspan.RunError{Code: code, Message: session.Redact(f.Error()), Payload: payload}
}
