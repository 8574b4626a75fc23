package oauth

import (
	"context"
	"net/url"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/egress"
)

// IssuerCheck is what tells which authorization server a redirect comes from.
type IssuerCheck struct {
	Provider *catalog.Provider
	// ConnectionConfig fills the template of the issuer, as the caller gave it
	// and without what the redirect brought.
	ConnectionConfig map[string]any
	// AuthorizeURL is where the user was sent.
	AuthorizeURL *url.URL
	// Callback holds the parameters of the redirect. [Client.PrepareIssuer]
	// does not need them.
	Callback url.Values
}

// PrepareIssuer starts to look up what the authorization server says about
// itself, so that CheckIssuer need not wait once the user comes back. It returns
// at once; when too much is being looked up already it does nothing.
func (c *Client) PrepareIssuer(in IssuerCheck) {
	if in.Provider.Auth.Authorize.Issuer == nil {
		c.issuers.prepare(originOf(in.AuthorizeURL))
	}
}

// CheckIssuer refuses a redirect that comes from another authorization server
// than the one the user was sent to (RFC 9207): with its answer mixed up, our
// code would go to the wrong token endpoint.
//
// What the provider's file says of the issuer must be there exactly. Without
// that, metadata of the server (RFC 8414, OpenID Connect Discovery) that
// announce the parameter make it compulsory and say its value. Without both, an
// issuer that is given must be of the origin of the consent page or of the token
// endpoint. The error has the code callback_err.
func (c *Client) CheckIssuer(ctx context.Context, in IssuerCheck) error {
	given := in.Callback["iss"]
	if len(given) > 1 {
		return issuerError("The redirect from the provider names its issuer more than once.")
	}
	want, err := c.expectedIssuer(ctx, in)
	switch {
	case err != nil:
		return err
	case want != "" && len(given) == 0:
		return issuerError("The redirect does not say which authorization server it comes from, as this provider's do.")
	case want != "" && given[0] != want:
		return issuerError("The redirect comes from another authorization server than the one that was asked.")
	case want == "" && len(given) == 1 && !plausibleIssuer(in, given[0]):
		return issuerError("The redirect comes from another authorization server than the one that was asked.")
	}
	return nil
}

// expectedIssuer returns the issuer that must be given, or "" for none.
func (c *Client) expectedIssuer(ctx context.Context, in IssuerCheck) (string, error) {
	if issuer := in.Provider.Auth.Authorize.Issuer; issuer != nil {
		text, err := issuer.ExpandOrError(templateVars(in.ConnectionConfig))
		if err != nil {
			return "", linkspan.E("oauth.CheckIssuer", linkspan.KindInvalid, "url_param_err", err,
				"The provider's issuer can't be filled from the connection's settings.")
		}
		return text, nil
	}
	m, err := c.issuers.find(ctx, originOf(in.AuthorizeURL))
	if err != nil {
		return "", err
	}
	return m.announced(in.AuthorizeURL), nil
}

// plausibleIssuer reports whether an issuer that nothing is known of belongs to
// the server that was asked, or to the one that will get the code.
func plausibleIssuer(in IssuerCheck, issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	if egress.SameOrigin(u, in.AuthorizeURL) {
		return true
	}
	token, err := in.Provider.Auth.Token.URL.Expand(templateVars(in.ConnectionConfig))
	return err == nil && egress.SameOrigin(u, token)
}

func issuerError(message string) error {
	return linkspan.E("oauth.CheckIssuer", linkspan.KindForbidden, "callback_err", nil, "%s", message).
		WithHint("Start again from the beginning. If it happens again, somebody may be tampering with the connection.")
}
