// Package oauth speaks OAuth 2 (RFC 6749) with the token endpoints of
// providers, the way their catalogue entries say. It keeps no state: what it
// obtains is returned, and storing it is package connect's business.
package oauth
