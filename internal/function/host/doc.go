// Package host serves what functions ask for: it is the other half of the nango
// object (features §18). A Session belongs to one run; it is the run's
// [sandbox.Host].
//
// Nothing that comes out of a sandbox is believed. Each call is decoded into a
// type of its own, checked and bounded, and acts on the environment of the run
// and no other. A function works with the connection it runs for; where it names
// another one, as the public contract lets it (features SDK-02, SDK-06), that one
// is looked up in the same environment.
//
// Secrets that a function was given, by the connection, the integration or a
// variable, are taken out of whatever it logs and of the errors it ends with.
package host
