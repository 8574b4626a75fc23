// Package egress builds every client that calls out. What an end user, a
// customer or a third party can name as a target is hostile until checked: a
// [Guard] checks the scheme, the port and the way the host is written, resolves
// the name itself, checks every address it resolves to and dials one of exactly
// those addresses, so that a name cannot point elsewhere between the check and
// the connection. Redirects are checked hop by hop and lose whatever could be
// a credential when they leave the origin.
//
// Refused are loopback, private, link-local and otherwise special addresses in
// every notation. An operator can allow private networks; the addresses where
// cloud platforms serve machine credentials stay refused even then.
package egress
