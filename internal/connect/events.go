package connect

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/job"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/webhook"
)

// Webhooks tells the customer's backend what happened to connections, in the
// transaction in which it happens; *webhook.Service does.
type Webhooks interface {
	AddAuth(ctx context.Context, tx linkspan.Tx, e webhook.AuthEvent) error
}

// Jobs plans work for later, in the transaction that gives rise to it;
// *job.Client does.
type Jobs interface {
	EnqueueAt(ctx context.Context, tx linkspan.Tx, at time.Time, a job.Args) error
}

// authMode is the provider's kind of credentials, or "" when there is no such
// provider any more.
func (s *Service) authMode(provider string) string {
	p, err := s.providers.Provider(provider)
	if err != nil {
		return ""
	}
	return string(p.Auth.Mode)
}

func authOperation(created bool) webhook.Operation {
	if created {
		return webhook.Creation
	}
	return webhook.Override
}

// failureOf says in a caller's words why an authorization was refused.
func failureOf(err error) webhook.Failure {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return webhook.Failure{Type: string(linkspan.KindInternal), Description: "The connection could not be made for an internal reason."}
	}
	f := webhook.Failure{Type: e.Code, Description: e.Msg}
	if f.Type == "" {
		f.Type = string(e.Kind)
	}
	if f.Description == "" && len(e.Issues) > 0 {
		f.Description = e.Issues[0].Message
	}
	return f
}

// PopupSuccess is the message that tells a waiting page of its connection (wire
// contract §6.4).
func PopupSuccess(integrationKey, name string) string {
	return popupText(struct {
		Type           string `json:"message_type"`
		IntegrationKey string `json:"provider_config_key"`
		Name           string `json:"connection_id"`
		Pending        bool   `json:"is_pending"`
	}{"success", integrationKey, name, false})
}

// PopupError is the message that tells a waiting page why there is no
// connection: one of the types of wire contract §8.3, and a text for people.
func PopupError(integrationKey, name, errorType, description string) string {
	return popupText(struct {
		Type           string `json:"message_type"`
		IntegrationKey string `json:"provider_config_key"`
		Name           string `json:"connection_id"`
		ErrorType      string `json:"error_type"`
		ErrorText      string `json:"error_desc"`
	}{"error", integrationKey, name, errorType, description})
}

func popupText(message any) string {
	text, _ := json.Marshal(message) // texts and truth values always encode
	return string(text)
}

// popupType is the type of wire contract §8.3 for one of our codes.
func popupType(code string) string {
	switch code {
	case "connection_test_failed", "connection_validation_failed":
		return "connection_validation_failed"
	case "invalid_connection", "unknown_connection":
		return "connection_not_found"
	case "unknown_provider_config":
		return "provider_config_err"
	case "unknown_provider":
		return "unknown_config_key"
	case "unsupported_provider", "invalid_auth_mode":
		return "auth_mode_err"
	default:
		return "unknown_err"
	}
}

// webhookRefreshFailed is the error type of webhooks about refreshes (wire contract
// §14.4). The API's own errors call the same CodeRefreshFailed.
const webhookRefreshFailed = "token_refresh_error"

// refreshNews says what the customer's backend is told about one more failed
// refresh, or nil: the first of a row is news, another refusal is, and the end of
// all attempts. In which way a provider can't answer is not: that may change with
// every attempt.
func refreshNews(before, after linkspan.RefreshState, interrupted bool, f *oauth.Failure) *webhook.Failure {
	switch {
	case after.Exhausted && !before.Exhausted:
		return &webhook.Failure{Type: CodeRefreshExhausted, Description: "The refresh limit has been reached for this connection. " + after.Message}
	case !before.FailedAt.IsZero() && (after.Reason == before.Reason || f.Class != oauth.Permanent):
		return nil
	case interrupted && f.Class == oauth.Permanent:
		return &webhook.Failure{Type: CodeRefreshInterrupted, Description: after.Message}
	default:
		return &webhook.Failure{Type: webhookRefreshFailed, Description: after.Message}
	}
}

// lossNews is refreshNews for new credentials that could not be stored.
func lossNews(before, after linkspan.RefreshState) *webhook.Failure {
	if !before.FailedAt.IsZero() && before.Reason == after.Reason {
		return nil
	}
	return &webhook.Failure{Type: CodeRefreshInterrupted, Description: after.Message}
}
