// Package catalog holds what is known about third-party APIs: how each one
// authenticates, where it lives, what it wants to be asked on connecting, how it
// limits, pages and verifies.
//
// One YAML file describes one provider (docs/providers.md is the reference of
// the format). The files of the built-in providers are embedded and parsed when
// they are first needed; [Open] reads none of them. A directory of the
// operator's own files can add providers and replace built-in ones, and is
// watched for changes.
//
//	cat, err := catalog.Open(catalog.Options{})
//	github, err := cat.Provider("github")
//	base, err := github.API.BaseURL.ExpandBase(catalog.NewScope(nil))
//
// Values that depend on a connection are written as templates such as
// "https://${connectionConfig.subdomain}.example.com". A [Template] is parsed
// once, and the values it is filled with are never scanned again: a value that
// contains "${" comes out as it is.
//
// The package depends on the standard library, a YAML parser and a regular
// expression engine only, does no network I/O, and is usable on its own.
package catalog
