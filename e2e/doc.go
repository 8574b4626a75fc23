// Package e2e proves the promises of the product on the running program: it
// boots the real thing on SQLite and on PostgreSQL, in this process or as
// children that it kills, and drives it over HTTP, in part with the published
// npm client (folder node). Folder bench measures it.
package e2e
