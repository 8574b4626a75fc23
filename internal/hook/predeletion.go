package hook

import (
	"context"
	"net/http"
	"net/url"
)

// preDeletionHooks are the hooks of hooks.pre_deletion (provider semantics §2.2).
func preDeletionHooks() map[string]action {
	return map[string]action{
		"hubspotPreConnectionDeletion":  hubspotDeletion,
		"intercomPreConnectionDeletion": intercomDeletion,
		"linearPreConnectionDeletion":   linearDeletion,
	}
}

// hubspotDeletion revokes the refresh token, unless the connection's metadata
// says not to. The token alone identifies the caller.
func hubspotDeletion(ctx context.Context, r *run) error {
	token := r.t.Credentials.RefreshToken
	if skip, _ := r.t.Connection.Metadata["skipTokenRevocation"].(bool); skip || token.IsZero() {
		return nil
	}
	_, err := r.must(ctx, call{
		method: http.MethodDelete, base: "https://api.hubapi.com", anonymous: true,
		endpoint: "/oauth/v1/refresh-tokens/" + url.PathEscape(token.Reveal()),
	})
	return err
}

// intercomDeletion uninstalls the app, in the region of the connection.
func intercomDeletion(ctx context.Context, r *run) error {
	_, err := r.must(ctx, post("/auth/uninstall", map[string]string{}))
	return err
}

// linearDeletion revokes the access token that the call is made with.
func linearDeletion(ctx context.Context, r *run) error {
	_, err := r.must(ctx, call{
		method: http.MethodPost, endpoint: "/oauth/revoke", contentType: "application/x-www-form-urlencoded",
	})
	return err
}
