package server

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

// maxClockSkew is how far the clock of a browser may be off.
const maxClockSkew = 2 * time.Hour

// connectTelemetry writes an event of Connect UI under its session's operation.
func (s *Server) connectTelemetry(w http.ResponseWriter, r *http.Request) error {
	body, err := httpx.DecodeBody[api.ConnectEvent](r)
	if err != nil {
		return err
	}
	if time.Since(body.Timestamp).Abs() > maxClockSkew {
		return httpx.Invalid("invalid_body", "custom", "The timestamp is more than two hours away from the server's clock", "timestamp")
	}
	p, err := s.cfg.Access.SessionByToken(r.Context(), body.Token.Reveal())
	if err != nil {
		return err
	}
	note(r, p)
	if err := s.cfg.Limiter.ApplyBrowser(w, p.AccountID); err != nil {
		return err
	}
	if !s.cfg.Authorize.CountEvent(p.Session) {
		return linkspan.E("server.connectTelemetry", linkspan.KindRateLimited, "too_many_request", nil, "The connect session has sent too many events.")
	}
	s.record(p.Session, &body)
	return httpx.WriteNoContent(w)
}

// cliTelemetry takes what the published CLI tells of each command, and forgets
// it: nobody has use for it here.
func (s *Server) cliTelemetry(w http.ResponseWriter, _ *http.Request) error {
	return httpx.WriteNoContent(w)
}

func (s *Server) record(session *linkspan.ConnectSession, e *api.ConnectEvent) {
	if session.Operation == "" || s.cfg.Note == nil {
		return
	}
	m := linkspan.Message{
		OperationID: session.Operation, EnvironmentID: session.EnvironmentID, Type: "log", Source: "user", Level: "info", Text: eventText(e.Event),
	}
	switch e.Event {
	case "view:unknown_error", "view:credentials_error", "popup:blocked_by_browser", "popup:closed_early":
		m.Level = "warn"
	}
	meta := map[string]string{"event": e.Event}
	if e.Dimensions != nil && e.Dimensions.Integration != nil {
		meta["integration"] = *e.Dimensions.Integration
	}
	m.Meta, _ = json.Marshal(meta) // texts can't fail
	s.cfg.Note(m)
}

// eventText says in words what happened in Connect UI.
func eventText(event string) string {
	switch event {
	case "open":
		return "Connect UI was opened."
	case "view:list":
		return "The user saw the list of integrations."
	case "view:integration":
		return "The user saw an integration."
	case "view:unknown_error":
		return "The user saw an unexpected error."
	case "view:credentials_error":
		return "The user saw that the credentials were refused."
	case "view:success":
		return "The user saw that the account is connected."
	case "click:integration":
		return "The user chose an integration."
	case "click:doc":
		return "The user opened the guide."
	case "click:doc_section":
		return "The user opened the part of the guide about a field."
	case "click:connect":
		return "The user began to connect."
	case "click:close":
		return "The user closed Connect UI."
	case "click:finish":
		return "The user finished."
	case "click:outside":
		return "The user clicked outside of Connect UI, which closed it."
	case "popup:blocked_by_browser":
		return "The browser blocked the provider's window."
	case "popup:closed_early":
		return "The provider's window was closed before it was done."
	default:
		return "Connect UI reported an event."
	}
}
