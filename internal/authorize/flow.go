package authorize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oauth"
)

// flow is what the callback needs to know of the authorization that began. It is
// stored encrypted; the names are stored.
type flow struct {
	AccountID    linkspan.AccountID    `json:"account_id"`
	Reconnect    linkspan.ConnectionID `json:"reconnect,omitempty"`
	RedirectURI  string                `json:"redirect_uri"`
	AuthorizeURL string                `json:"authorize_url"`
	CodeVerifier string                `json:"code_verifier"`
	ClientID     string                `json:"client_id,omitempty"`
	// ClientSecret and RefreshToken are revealed on the way to encryption.
	ClientSecret string            `json:"client_secret,omitempty"`
	RefreshToken string            `json:"refresh_token,omitempty"`
	Base         map[string]any    `json:"base,omitempty"`
	Given        map[string]any    `json:"given,omitempty"`
	Tags         map[string]string `json:"tags"`
	EndUser      *linkspan.EndUser `json:"end_user,omitempty"`
	WebhookURL   *string           `json:"webhook_url,omitempty"`
	Lang         string            `json:"lang,omitempty"`
}

// newFlow remembers a plan for the callback.
func (s *Service) newFlow(pl *plan) *flow {
	f := &flow{
		AccountID: pl.principal.Environment.AccountID, Reconnect: pl.reconnect, RedirectURI: pl.principal.Environment.Settings.CallbackURL,
		CodeVerifier: oauth.NewCodeVerifier(), ClientID: pl.clientID, ClientSecret: pl.clientSecret.Reveal(), RefreshToken: pl.refreshToken.Reveal(),
		Base: pl.base, Given: pl.given, WebhookURL: pl.webhookURL, Lang: pl.lang,
	}
	if f.RedirectURI == "" {
		f.RedirectURI = s.publicURL + callbackPath
	}
	if session := pl.principal.Session; session != nil {
		f.Tags, f.EndUser = session.Tags, session.EndUser
	}
	return f
}

// row is the authorization as it is stored. Of state and browser only the hashes
// are kept.
func (f *flow) row(pl *plan, state, browser string, op linkspan.OperationID, now time.Time) (linkspan.OAuthSession, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return linkspan.OAuthSession{}, fmt.Errorf("encoding an authorization: %w", err)
	}
	row := linkspan.OAuthSession{
		UUID: linkspan.NewUUID(), EnvironmentID: pl.env(), StateHash: hash(state), BrowserHash: hash(browser),
		IntegrationKey: pl.integration.Key, ConnectionName: pl.name, PopupID: pl.popupID, Operation: op,
		Payload: linkspan.NewSecret(string(text)), ExpiresAt: now.UTC().Add(flowLifetime).Truncate(time.Microsecond),
	}
	if pl.principal.Session != nil {
		row.ConnectSessionID = pl.principal.Session.ID
	}
	return row, nil
}

// flowOf is the inverse of row. The flow is never nil.
func flowOf(row linkspan.OAuthSession) (*flow, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(row.Payload.Reveal())))
	dec.UseNumber()
	f := new(flow)
	if err := dec.Decode(f); err != nil {
		// The cause could quote what is secret.
		return new(flow), fmt.Errorf("reading authorization %s: it is not what was stored", row.UUID)
	}
	return f, nil
}

// known are the settings without what redirect and token bring.
func (f *flow) known() map[string]any { return overlay(f.Base, f.Given) }
