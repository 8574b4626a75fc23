// Package store keeps the product's state in SQLite or PostgreSQL. It is the
// only package that contains SQL for it; features see its methods through the
// small interfaces they declare themselves.
//
// One hand-written SQL text serves both databases. The rules that make this
// work, held by tests:
//
//   - Placeholders are $1, $2 … and may repeat. A placeholder used in two typed
//     contexts is cast once.
//   - Times are integers: microseconds since 1970, UTC. No SQL reads the clock
//     except through dialect.now.
//   - JSON is text, bound as a string; nothing queries inside it. Lists and
//     pairs are passed as one JSON parameter through dialect.list and
//     dialect.pairs.
//   - Casts are written cast(x as y). What only one database can do is in
//     dialect.go and the two drivers beside it.
//   - A returning clause names its columns. Nothing depends on the case folding
//     of like; text to search is lower-cased in Go.
//
// # Transactions
//
// Every method takes a linkspan.Tx: nil means that the method runs on its own,
// otherwise it takes part in that transaction. On SQLite there is one writer,
// so code inside a transaction must pass it on; a second transaction begun
// inside one is refused instead of waiting for itself forever.
//
// # Changes
//
// A method that changes what caches hold notes a linkspan.Change. The
// transaction writes the notes as the last thing before it commits, numbered
// by a single row that every such transaction locks: numbers have no gaps and
// rise in commit order, so a reader that saw number n has seen everything
// before it.
//
// # Secrets
//
// Store seals secret columns on their way in and opens them on their way out,
// bound to table, column and the row's UUID or natural key. Methods of DB alone
// never see plain secrets.
package store
