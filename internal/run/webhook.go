package run

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/schedule"
)

const (
	// mostStored bounds what the runs of one webhook store, in bytes: each has its own
	// copy, and they are written in one transaction.
	mostStored = 256 << 20
	// mostWebhookRuns bounds how many there are.
	mostWebhookRuns = 10_000
)

// WebhookEvent is what a provider tells of, for the connections that it is about.
type WebhookEvent struct {
	Environment    linkspan.EnvironmentID
	IntegrationKey string
	// Connections are of the integration. Those that are there twice count once.
	Connections []linkspan.Connection
	// Type is what subscriptions name.
	Type string
	// Payload is JSON that onWebhook is given, and the body of the request unless that
	// has one.
	Payload json.RawMessage
	// Request is what functions made by createFunction are given.
	Request HTTPRequest
}

// HTTPRequest is a request that a function takes.
type HTTPRequest struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	// Headers have names in lower case.
	Headers map[string]string `json:"headers"`
	// Query has a text or a list of texts for each name.
	Query map[string]any  `json:"query"`
	Body  json.RawMessage `json:"body"`
}

// webhookInput is the input of a row that takes a webhook.
type webhookInput struct {
	// Payload is of syncs, Request and Subscriptions are of functions made by
	// createFunction.
	Payload       json.RawMessage `json:"payload,omitempty"`
	Request       json.RawMessage `json:"request,omitempty"`
	Body          json.RawMessage `json:"body,omitempty"`
	Subscriptions []string        `json:"subscriptions,omitempty"`
}

// give puts what a function takes into its execution.
func (w *webhookInput) give(x *Execution) {
	if w != nil {
		x.Webhook, x.Request, x.Subscriptions, x.Input = w.Payload, w.Request, w.Subscriptions, nil
	}
}

// Webhook has functions take what a provider tells of: for each connection every
// sync that subscribes to it runs its onWebhook, and every function made by
// createFunction whose trigger is http runs, each once however many of its
// subscriptions it is for (features WHF-01 to WHF-05). They run in the background:
// they must begin within five minutes and are not tried again when they fail. It
// returns how many runs there will be. All of them are stored or none. Errors: of
// KindTooLarge.
func (s *Service) Webhook(ctx context.Context, e WebhookEvent) (int, error) {
	runs, err := s.webhookRuns(ctx, &e)
	if err != nil || len(runs) == 0 {
		return 0, err
	}
	if err := s.store.InsertRuns(ctx, nil, runs); err != nil {
		return 0, fmt.Errorf("storing the runs of a webhook of %q: %w", e.IntegrationKey, err)
	}
	for _, r := range runs {
		s.operation(r, linkspan.StateWaiting).Publish()
	}
	s.RunsDue()
	return len(runs), nil
}

// webhookRuns makes the rows of a webhook.
func (s *Service) webhookRuns(ctx context.Context, e *WebhookEvent) ([]*linkspan.Run, error) {
	connections, err := e.connections()
	if err != nil {
		return nil, err
	}
	functions, err := s.functions.ByWebhook(ctx, e.Environment, e.IntegrationKey)
	if err != nil {
		return nil, fmt.Errorf("finding the functions of a webhook: %w", err)
	}
	var (
		runs   []*linkspan.Run
		stored int
	)
	for i := range functions {
		fn := &functions[i]
		subscriptions, ok := fn.Version.Definition.Takes(e.Type)
		if !ok {
			continue
		}
		input, err := e.input(fn, subscriptions)
		if err != nil {
			return nil, err
		}
		size := len(input.Reveal())
		if int64(size) > s.limits.Input {
			return nil, linkspan.E("run.Webhook", linkspan.KindTooLarge, "", nil, "A webhook may be %d bytes long; this one has %d.", s.limits.Input, size)
		}
		if stored += size * len(connections); stored > mostStored || len(runs)+len(connections) > mostWebhookRuns {
			return nil, linkspan.E("run.Webhook", linkspan.KindTooLarge, "", nil,
				"The webhook is for too many functions and connections: it may have %d runs, which store %d bytes in all.", mostWebhookRuns, mostStored)
		}
		for _, c := range connections {
			r := s.newRun(fn, c, linkspan.EventWebhook)
			r.Input, r.ExpiresAt = input, s.now().Add(s.limits.WebhookQueue)
			runs = append(runs, r)
		}
	}
	return runs, nil
}

// connections returns each of the event's once. Those of somebody else's are a
// mistake of whoever found them, and get nothing.
func (e *WebhookEvent) connections() ([]*linkspan.Connection, error) {
	seen := make(map[linkspan.ConnectionID]bool, len(e.Connections))
	var list []*linkspan.Connection
	for i := range e.Connections {
		c := &e.Connections[i]
		if c.EnvironmentID != e.Environment || c.IntegrationKey != e.IntegrationKey {
			return nil, fmt.Errorf("a webhook of %q of the environment %d came for a connection of %q of the environment %d", e.IntegrationKey, e.Environment, c.IntegrationKey, c.EnvironmentID)
		}
		if !seen[c.ID] {
			seen[c.ID], list = true, append(list, c)
		}
	}
	return list, nil
}

// input is what a function is given, as it is stored.
func (e *WebhookEvent) input(fn *linkspan.Function, subscriptions []string) (linkspan.Secret, error) {
	w := webhookInput{Payload: json.RawMessage(cmp.Or(string(e.Payload), "null"))}
	if fn.Version.Definition.Unified != nil {
		r := e.Request
		r.Body = json.RawMessage(cmp.Or(string(r.Body), string(e.Payload), "null"))
		r.Method, r.Path = cmp.Or(r.Method, "POST"), cmp.Or(r.Path, "/")
		if r.Headers == nil {
			r.Headers = map[string]string{}
		}
		if r.Query == nil {
			r.Query = map[string]any{}
		}
		text, err := json.Marshal(r)
		if err != nil {
			return linkspan.Secret{}, fmt.Errorf("encoding the request of a webhook: %w", err)
		}
		w = webhookInput{Request: text, Body: r.Body, Subscriptions: subscriptions}
	}
	text, err := json.Marshal(w)
	if err != nil {
		return linkspan.Secret{}, fmt.Errorf("encoding a webhook: %w", err)
	}
	return linkspan.NewSecret(string(text)), nil
}

// beginWebhook finds what a run begins with that takes a webhook.
func (s *Service) beginWebhook(ctx context.Context, j *job, r *linkspan.Run) error {
	j.webhook = &webhookInput{}
	if err := json.Unmarshal([]byte(r.Input.Reveal()), j.webhook); err != nil {
		return &linkspan.RunError{Code: codeInternal, Message: "The stored webhook can't be read."}
	}
	j.input = j.webhook.Body
	if !r.TakesWebhook() {
		return nil
	}
	if s.syncs == nil {
		return &linkspan.RunError{Code: codeInternal, Message: "This server runs no syncs."}
	}
	fence := linkspan.RunFence{Run: r.ID, Attempt: r.Attempt, StartedAt: r.StartedAt}
	if err := s.store.HoldRun(ctx, nil, fence); err != nil {
		return fmt.Errorf("beginning to take a webhook: %w", err)
	}
	sy, err := s.syncs.Webhook(ctx, nil, r)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return &linkspan.RunError{Code: codeGone, Message: "The sync was deleted before it took the webhook."}
	}
	if err != nil {
		return err
	}
	j.sync = &host.Sync{UUID: sy.UUID, Run: fence, Models: j.fn.Version.Definition.Models, LastSync: sy.SucceededAt}
	return nil
}

// holdWebhookSync takes the sync of a run that has taken a webhook, before the run
// itself is taken: in this order everybody takes them. What the run has changed is
// then read with its end.
func (d *dispatcher) holdWebhookSync(ctx context.Context, tx linkspan.Tx, r *linkspan.Run) error {
	r.Sync = &linkspan.RunSync{Variant: linkspan.BaseVariant}
	if d.syncs == nil {
		return nil
	}
	sy, err := d.syncs.Webhook(ctx, tx, r)
	if err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("finding the sync that took a webhook: %w", err)
	}
	r.Sync.ID = sy.ID
	return nil
}

// webhookEnded has the schedule told of the end of a run that took a webhook, in the
// transaction that stores it.
func (d *dispatcher) webhookEnded(ctx context.Context, tx linkspan.Tx, o *outcome) error {
	if d.syncs == nil {
		return nil
	}
	e := schedule.End{Run: &o.run, StartedAt: o.run.StartedAt}
	if o.job != nil {
		e.Function = o.job.fn
	}
	if err := d.syncs.WebhookEnded(ctx, tx, e); err != nil {
		return fmt.Errorf("noting the end of a webhook: %w", err)
	}
	return nil
}
