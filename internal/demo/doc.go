// Package demo is Ticketry, a small ticketing service to connect to: an OAuth 2
// authorization server with a consent page, an API with the forms of pagination,
// limits and failures that real ones have, and signed webhooks. It lives in
// memory, forgets everything when it ends, and knows nothing of the rest of the
// program: to Linkspan it is a third party like any other.
//
//	/                      the board: tickets as a person sees them
//	/settings              the API key and the login, to try the other ways in
//	/oauth/authorize       consent; PKCE with S256 is required
//	/oauth/token           codes (used once, 60 s) and rotating refresh tokens
//	/oauth/revoke          ends a grant (RFC 7009)
//	/.well-known/oauth-authorization-server
//	/api/…                 the API, with an access token
//	/api/keyed/…           the same with the header X-Api-Key
//	/api/basic/…           the same with HTTP Basic
//	/control/faults        failures on request, with the control key
//
// The API:
//
//	GET    /me                    whose credentials these are
//	GET    /tickets               cursor pagination; updated_since, status, limit,
//	                              include_deleted
//	POST   /tickets               subject, description, status, priority, tags …
//	GET    /tickets/{id}
//	PATCH  /tickets/{id}          the fields that are given
//	DELETE /tickets/{id}
//	POST   /tickets/{id}/comments body
//	GET    /comments              offset pagination; ticket_id, updated_since
//	GET    /users                 pages in the Link header
//	GET    /users/{id}
//	GET    /webhook, PUT, DELETE  where changes are announced
//
// A caller gets a failure with the header X-Demo-Fault, such as
// "status=503; times=2; retry-after=1", "delay=500ms" or "truncate=20".
package demo
