// Package webhook tells customers' backends what happened: to connections, in syncs,
// and to actions that ran in the background.
//
// An event and one delivery for each URL are written in the transaction that
// makes the event true (a transactional outbox), so that nothing which happened
// goes untold and nothing is told that did not happen. Each replica runs a
// dispatcher that claims due deliveries under a short lease, posts them signed,
// and plans the next attempt. The promise is "at least once": a receiver
// recognises what it has seen by the message's id, which every attempt carries.
//
// Deliveries do not go through the job queue: how many may be under way to one
// receiver must be decided before a worker is spent on it, or a receiver that
// never answers would hold up all others.
package webhook
