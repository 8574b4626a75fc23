// Package oauth speaks OAuth 2 (RFC 6749, 7636, 9207) with the authorization
// servers of providers, the way their catalogue entries say: the addresses of
// consent pages, the exchange of codes, refreshes, and whose answer it is. It
// stores nothing: what it obtains is returned, and keeping it is package
// connect's business. It only remembers for a while what servers announce.
package oauth
