package connect

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// cooldown is how long after a failed refresh none is tried.
	cooldown = 30 * time.Second
	// exhaustedAfter is on how many different days refreshes may fail without
	// a success between before no more are tried.
	exhaustedAfter = 4
)

// Codes of failed refreshes in the public API.
const (
	// CodeRefreshFailed means that the provider gave no new token.
	CodeRefreshFailed = "refresh_token_external_error"
	// CodeRefreshBackoff means that the last refresh failed a moment ago.
	CodeRefreshBackoff = "connection_refresh_backoff"
	// CodeRefreshExhausted means that refreshes failed on four days.
	CodeRefreshExhausted = "connection_refresh_exhausted"
	// CodeRefreshInterrupted means that a process died, or lost its database,
	// after it had sent a refresh token and before the new one was stored.
	CodeRefreshInterrupted = "refresh_interrupted"
)

// Reasons in RefreshState of failures that say nothing against the present
// credentials.
const (
	reasonTransient = "temporarily_unavailable"
	reasonMalformed = "malformed_response"
	// reasonUnsettled means that a refresh was interrupted after the refresh
	// token had been sent, and that the provider has not said since whether it
	// still takes that token.
	reasonUnsettled = "refresh_interrupted_unsettled"
)

// RefreshError says that a connection has no credentials that work and that
// refreshing them failed now or before. It wraps the linkspan.Error to answer
// with, whose payload tells more, and carries the connection, whose details
// belong into the answer too.
type RefreshError struct {
	Err *linkspan.Error
	// Target is the connection with the refresh state after the failure.
	Target *upstream.Target
}

// Error implements error.
func (e *RefreshError) Error() string { return e.Err.Error() }

// Unwrap returns the linkspan.Error.
func (e *RefreshError) Unwrap() error { return e.Err }

// ConnectionError is one entry of a connection's errors in the public API.
type ConnectionError struct {
	Type  string               `json:"type"`
	LogID linkspan.OperationID `json:"log_id"`
}

// Errors returns what is wrong with a connection, for the public API. It is
// never nil.
func Errors(c *linkspan.Connection) []ConnectionError {
	if c.Refresh.FailedAt.IsZero() {
		return []ConnectionError{}
	}
	return []ConnectionError{{Type: "auth", LogID: c.Refresh.Operation}}
}

// blocked reports whether a failure of before forbids a refresh now.
func blocked(st linkspan.RefreshState, now time.Time) bool {
	return st.Exhausted || !st.FailedAt.IsZero() && within(st.FailedAt, now, cooldown)
}

// within reports whether at and now are less than d apart. Another replica may
// have noted at, by a clock that is ahead: what lies far in the future of this
// one's must not hold anything up until then.
func within(at, now time.Time, d time.Duration) bool { return now.Sub(at).Abs() < d }

// keepsCredentials reports whether the last failure leaves the present
// credentials as good as they were.
func keepsCredentials(st linkspan.RefreshState) bool {
	return st.Reason == reasonTransient || st.Reason == reasonMalformed || st.Reason == reasonUnsettled
}

// wasInterrupted reports whether a refresh with the present credentials was
// interrupted after the refresh token had been sent.
func wasInterrupted(st linkspan.RefreshState) bool {
	return st.Reason == CodeRefreshInterrupted || st.Reason == reasonUnsettled
}

// blockedError is the answer while a failure of before forbids a refresh.
func blockedError(t *upstream.Target, now time.Time) *RefreshError {
	st := t.Connection.Refresh
	payload := map[string]any{"reason": st.Reason, "log_id": st.Operation}
	if st.Exhausted {
		return &RefreshError{Target: t, Err: linkspan.E("connect.Fresh", linkspan.KindUpstream, CodeRefreshExhausted, nil,
			"The refresh limit has been reached for this connection. %s", st.Message).
			WithStatus(http.StatusFailedDependency).WithPayload(payload).
			WithHint("Ask the user to connect again, or import new credentials.")}
	}
	left := min(cooldown, cooldown-now.Sub(st.FailedAt)).Round(time.Second)
	return &RefreshError{Target: t, Err: linkspan.E("connect.Fresh", linkspan.KindUpstream, CodeRefreshBackoff, nil,
		"The last refresh of this connection failed a moment ago and is not tried again for %s. %s", max(left, time.Second), st.Message).
		WithStatus(http.StatusFailedDependency).WithPayload(payload)}
}

// failed is the state after one more failure.
//
// A failure without an answer does not count towards exhaustion: four days
// without network on our side must not cost users their connections.
func failed(st linkspan.RefreshState, f *oauth.Failure, interrupted bool, op linkspan.OperationID, now time.Time) linkspan.RefreshState {
	next := linkspan.RefreshState{
		FailedAt: now, FailedDays: st.FailedDays, Exhausted: st.Exhausted,
		Reason: reason(f, interrupted), Message: explain(f, interrupted), Operation: op,
	}
	if f.Answered() && (st.FailedDays == 0 || day(st.FailedAt) != day(now)) {
		next.FailedDays++
	}
	next.Exhausted = next.FailedDays >= exhaustedAfter
	return next
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func reason(f *oauth.Failure, interrupted bool) string {
	switch {
	case interrupted && f.Class == oauth.Permanent:
		return CodeRefreshInterrupted
	case interrupted:
		return reasonUnsettled
	case f.Class == oauth.Transient:
		return reasonTransient
	case f.Class == oauth.Malformed:
		return reasonMalformed
	default:
		return f.Code
	}
}

// explain says in safe words what happened.
func explain(f *oauth.Failure, interrupted bool) string {
	text := f.Message
	if f.Description != "" {
		text += " It says: " + f.Description
	}
	if !interrupted {
		return text
	}
	if f.Class == oauth.Permanent {
		return "An earlier refresh was interrupted after it had been sent and before its answer was stored. " +
			"The provider has probably exchanged the refresh token then, and the new one is lost. Please connect the account again. " + text
	}
	return "An earlier refresh was interrupted after it had been sent and before its answer was stored. " + text
}

// failureError is the answer to whoever waited for a refresh that failed.
func failureError(t *upstream.Target, f *oauth.Failure, interrupted bool) *RefreshError {
	st := t.Connection.Refresh
	payload := map[string]any{
		"reason": f.Code, "class": f.Class.String(), "provider_status": f.Status, "log_id": st.Operation,
	}
	if f.Description != "" {
		payload["provider_message"] = f.Description
	}
	e := linkspan.E("connect.Fresh", linkspan.KindUpstream, CodeRefreshFailed, f, "%s", st.Message).WithStatus(http.StatusBadRequest)
	if interrupted && f.Class == oauth.Permanent {
		e = linkspan.E("connect.Fresh", linkspan.KindUpstream, CodeRefreshInterrupted, f, "%s", st.Message).
			WithStatus(http.StatusFailedDependency)
	}
	if f.Class == oauth.Permanent {
		e = e.WithHint("Ask the user to connect again, or import new credentials.")
	}
	return &RefreshError{Target: t, Err: e.WithPayload(payload)}
}

// asFailure returns the failure in err; anything else is one without an answer.
func asFailure(err error) *oauth.Failure {
	if f, ok := errors.AsType[*oauth.Failure](err); ok {
		return f
	}
	return &oauth.Failure{
		Class: oauth.Transient, Code: "internal_error", Err: err,
		Message: fmt.Sprintf("The refresh failed for an internal reason (%s).", linkspan.KindOf(err)),
	}
}
