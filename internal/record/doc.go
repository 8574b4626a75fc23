// Package record is the cache of the objects that syncs read from providers: it
// finds out what changed, deletes what is gone, and lists changes in an order
// that a reader can follow without missing any (features §11, §13).
//
// Records live in streams, one for each model of a connection in each variant.
// Whoever writes to a stream holds its row until the transaction ends, and gives
// every record that it changes a position above all earlier ones. So positions
// rise in the order of commits: a reader that has seen everything up to a
// position finds whatever is committed later behind it. Records that are saved
// as they were keep their positions, which a keyed hash of their canonical JSON
// decides.
//
// To delete what a provider does not have any more, a window notes which records
// were seen while it is open. At its end those go that existed before it began
// and were not seen. What changed in between has a position behind its beginning
// and stays; only records saved unchanged need a note.
package record
