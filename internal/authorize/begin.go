package authorize

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
)

const (
	cookiePrefix = "oauth2-"
	secretBytes  = 32
	// maxState bounds what is taken for a state, and for a cookie, in bytes.
	maxState = 128
)

// CookieLifetime is how long the browser keeps the cookie of a Start, in seconds.
const CookieLifetime = int(flowLifetime / 1e9)

// Start is where to send a browser, and what to give it.
type Start struct {
	// URL is the provider's consent page.
	URL string
	// CookieName and CookieValue bind the authorization to this browser. The
	// cookie is HttpOnly, for the path /, and lives for CookieLifetime.
	CookieName, CookieValue string
	// Secure says that browsers reach us by https: the cookie is Secure and
	// SameSite=None then, and SameSite=Lax otherwise.
	Secure bool
}

// Cookie is the cookie to set.
func (st Start) Cookie() *http.Cookie {
	c := &http.Cookie{
		Name: st.CookieName, Value: st.CookieValue, Path: "/", MaxAge: CookieLifetime, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if st.Secure {
		c.Secure, c.SameSite = true, http.SameSiteNoneMode
	}
	return c
}

// Begin checks an authorization that a browser asks for and says where to send
// it. p is of kind access.Session or access.PublicKey. Errors have the codes of
// wire contract §8.3, and of §7 for what the session does not allow; the page
// that waits has been told, and FailedStart makes the page for the popup. Of too
// many attempts nobody is told but the caller.
func (s *Service) Begin(ctx context.Context, p *access.Principal, in Request) (Start, error) {
	if err := s.attempt(p); err != nil {
		return Start{}, err
	}
	pl, err := s.newPlan(ctx, p, in)
	op := s.operation(ctx, pl, in)
	var st Start
	if err == nil {
		st, err = s.start(ctx, pl, op)
	}
	if err != nil {
		err = startError(err)
		s.refuseStart(ctx, pl, in, op, err)
		return Start{}, err
	}
	op.Message(linkspan.Message{Text: "Sent the user to the provider."})
	op.Publish()
	return st, nil
}

// start stores an authorization and makes what the browser needs for it.
func (s *Service) start(ctx context.Context, pl *plan, op *oplog.Op) (Start, error) {
	if pl.provider.Auth.Mode != catalog.ModeOAuth2 {
		return Start{}, invalid("authorize.Begin", CodeAuthMode,
			fmt.Sprintf("The provider %s uses %s: it has no page to log in at.", pl.provider.Name, pl.provider.Auth.Mode))
	}
	client, secret, err := oauth.ClientOf(pl.integration.Secrets, pl.clientID, pl.clientSecret)
	if err != nil {
		return Start{}, err
	}
	if client == "" || secret.IsZero() {
		return Start{}, linkspan.E("authorize.Begin", linkspan.KindInvalid, CodeProviderConfig, nil,
			"The integration %q has no OAuth client: its client ID or client secret is missing.", pl.integration.Key).
			WithHint("Register an app at the provider and enter both in the integration.")
	}
	state, browser := newSecret(), newSecret()
	f := s.newFlow(pl)
	text, err := oauth.AuthorizeURL(oauth.AuthorizeRequest{
		Provider: pl.provider, ClientID: client, RedirectURI: f.RedirectURI, State: state, CodeVerifier: f.CodeVerifier,
		Scopes: pl.scopes(), UserScope: pl.userScope(), ConnectionConfig: pl.config(), Params: pl.params,
	})
	if err != nil {
		return Start{}, fmt.Errorf("making the address of the consent page: %w", err)
	}
	page, err := url.Parse(text)
	if err != nil {
		return Start{}, invalid("authorize.Begin", CodeURLParam, "The address of the provider's consent page can't be formed.")
	}
	f.AuthorizeURL = (&url.URL{Scheme: page.Scheme, Host: page.Host, Path: page.Path}).String()
	row, err := f.row(pl, state, browser, op.ID(), s.now())
	if err != nil {
		return Start{}, err
	}
	if err := s.store.InsertOAuthSession(ctx, nil, &row); err != nil {
		return Start{}, fmt.Errorf("storing an authorization: %w", err)
	}
	s.oauth.PrepareIssuer(oauth.IssuerCheck{Provider: pl.provider, ConnectionConfig: pl.config(), AuthorizeURL: page})
	return Start{
		URL: text, CookieName: cookieName(row.StateHash), CookieValue: browser, Secure: strings.HasPrefix(s.publicURL, "https:"),
	}, nil
}

// startError gives a refusal the code that popups know it by.
func startError(err error) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return err
	}
	c := *e
	switch c.Code {
	case "unknown_provider_config":
		c.Code = CodeProviderConfig
	case "unknown_provider_template":
		c.Code = CodeUnknownConfig
	case "invalid_body":
		c.Code = CodeURLParam
	default:
		return err
	}
	return &c
}

// refuseStart records a refused start and tells the page that waits.
func (s *Service) refuseStart(ctx context.Context, pl *plan, in Request, op *oplog.Op, err error) {
	f := failureOf(err)
	op.Fail(f.code, f.text())
	s.log.WarnContext(ctx, "an authorization was refused before it began", "code", f.code,
		"environment_id", int64(pl.env()), "principal", string(pl.principal.Kind), "operation", string(op.ID()))
	if isKey(in.IntegrationKey) {
		s.tellPopup(ctx, pl.popupID, in.IntegrationKey, pl.name, f)
		return
	}
	s.tellPopup(ctx, pl.popupID, "", pl.name, f)
}

// newSecret returns 32 random bytes as text that every provider and browser
// passes on unchanged.
func newSecret() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func hash(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// cookieName is the cookie of one authorization, so that several may go on in
// one browser.
func cookieName(state [32]byte) string { return cookiePrefix + hex.EncodeToString(state[:8]) }
