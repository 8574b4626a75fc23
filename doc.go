// Package linkspan is the vocabulary of the product: its entities, their ids,
// the error type every package speaks, and the states entities move through.
// It imports the standard library only, so that every other package may
// import it.
//
// The terms are the field's own. A provider is a third-party API of the
// catalogue. An integration is a provider set up in one environment (OAuth
// client, scopes). A connection is one end user's authorised account at an
// integration. An operation is one high-level thing that happened and that the
// customer can look up later.
package linkspan
