// Package providerdocs serves the documentation pages of providers, which are
// made from their catalogue entries, and the providers' logos.
//
// The pages need no JavaScript and load nothing from other servers.
package providerdocs
