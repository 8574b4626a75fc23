package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

// The sizes of pages that callers do not choose.
const (
	defaultOperations = 50
	defaultMessages   = 100
)

func (s *Server) listOperations(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.OperationsQuery](r)
	if err != nil {
		return err
	}
	limit := defaultOperations
	if q.Limit != nil {
		limit = *q.Limit
	}
	f := linkspan.OperationFilter{
		EnvironmentID:  environmentOf(r).ID,
		IntegrationKey: deref(q.Integration),
		ConnectionName: deref(q.Connection),
		From:           deref(q.From),
		To:             deref(q.To),
		Before:         linkspan.OperationID(deref(q.Before)),
		Limit:          limit + 1, // one more tells whether there is a next page
	}
	for _, t := range q.Type {
		f.Types = append(f.Types, linkspan.OperationType(t))
	}
	for _, st := range q.Status {
		f.States = append(f.States, linkspan.OperationState(st))
	}
	ops, err := s.cfg.Operations.Operations(r.Context(), nil, f)
	if err != nil {
		return err
	}
	page := api.Operations{Data: make([]api.Operation, 0, len(ops))}
	for i := range ops {
		if i == limit {
			page.NextCursor = new(string(ops[i-1].ID))
			break
		}
		page.Data = append(page.Data, operation(&ops[i]))
	}
	return httpx.WriteJSON(w, http.StatusOK, page)
}

func (s *Server) getOperation(w http.ResponseWriter, r *http.Request) error {
	path, err := httpx.DecodePath[api.OperationPath](r)
	if err != nil {
		return err
	}
	q, err := httpx.DecodeQuery[api.OperationQuery](r)
	if err != nil {
		return err
	}
	env, id := environmentOf(r).ID, linkspan.OperationID(path.OperationID)
	op, err := s.cfg.Operations.Operation(r.Context(), nil, env, id)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return linkspan.E("server.getOperation", linkspan.KindNotFound, "not_found", err, "There is no operation %s.", id).
			WithHint("Operations appear a moment after they begin, and are kept for 15 days.")
	}
	if err != nil {
		return err
	}
	limit := defaultMessages
	if q.Limit != nil {
		limit = *q.Limit
	}
	msgs, err := s.cfg.Operations.Messages(r.Context(), nil, env, id, deref(q.After), limit+1)
	if err != nil {
		return err
	}
	reply := api.OperationReply{Data: api.OperationDetail{Operation: operation(&op), Messages: make([]api.OperationMessage, 0, len(msgs))}}
	for i := range msgs {
		if i == limit {
			reply.NextCursor = new(msgs[i-1].ID)
			break
		}
		reply.Data.Messages = append(reply.Data.Messages, message(&msgs[i]))
	}
	return httpx.WriteJSON(w, http.StatusOK, reply)
}

func operation(op *linkspan.Operation) api.Operation {
	out := api.Operation{
		ID:          string(op.ID),
		Type:        string(op.Type),
		Action:      string(op.Action),
		Status:      string(op.State),
		Message:     op.Message,
		Integration: pointer(op.IntegrationKey),
		Provider:    pointer(op.Provider),
		Connection:  pointer(op.ConnectionName),
		Error:       (*api.OperationError)(op.Error),
		Request:     (*api.OperationRequest)(op.Request),
		Response:    (*api.OperationResponse)(op.Response),
		Meta:        op.Meta,
		CreatedAt:   api.At(op.CreatedAt),
		StartedAt:   api.MaybeAt(op.StartedAt),
		EndedAt:     api.MaybeAt(op.EndedAt),
		ExpiresAt:   api.MaybeAt(op.ExpiresAt),
	}
	if !op.EndedAt.IsZero() && !op.StartedAt.IsZero() {
		out.DurationMS = new(op.EndedAt.Sub(op.StartedAt).Milliseconds())
	}
	return out
}

func message(m *linkspan.Message) api.OperationMessage {
	out := api.OperationMessage{
		ID:        m.ID,
		Type:      m.Type,
		Source:    m.Source,
		Level:     m.Level,
		Message:   m.Text,
		Request:   (*api.OperationRequest)(m.Request),
		Response:  (*api.OperationResponse)(m.Response),
		Error:     (*api.OperationError)(m.Error),
		Meta:      m.Meta,
		CreatedAt: api.At(m.CreatedAt),
		EndedAt:   api.MaybeAt(m.EndedAt),
	}
	if m.Retry != nil {
		out.Retry = &api.OperationRetry{Attempt: m.Retry.Attempt, Max: m.Retry.Max, Waited: m.Retry.WaitedMS}
	}
	return out
}
