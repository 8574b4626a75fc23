package linkspan

// RecordStreamRow is a stream as it is stored.
type RecordStreamRow struct {
	RecordStream

	ID   int64
	UUID string
	// Last is the position of the newest change, and Pruned up to where all
	// payloads were emptied.
	Last, Pruned RecordPosition
	// Live is how many records are not deleted.
	Live int64
	// Clock is what the database's clock showed when the row was read.
	Clock RecordPosition
	// Windows are read only when the row is locked.
	Windows []RecordWindow
}

// RecordWindow is a time during which it is noted which records of a stream were
// seen, so that the others can be deleted in the end (features DEL-02).
type RecordWindow struct {
	ID int64
	// Run is the one that the window ends with. Zero: it lasts until a run ends it.
	Run RunID
	// Began is the position of the newest record that existed before it.
	Began RecordPosition
}

// RecordRow is a record with what only the cache knows of it.
type RecordRow struct {
	Record

	// Size is how large the payload is as it is stored, in bytes.
	Size int
	// Hash tells whether the payload changed.
	Hash [32]byte
	// Run is the one that changed it last. Zero: none did.
	Run RunID
}

// RecordMove is the deletion of a record: from where it was in the order of
// changes to where it is then.
type RecordMove struct{ From, To RecordPosition }

// RecordFilter selects records of a stream. All conditions must hold.
type RecordFilter struct {
	// After is the position that they come after.
	After RecordPosition
	// Actions are those that count, and IDs the records that do. Empty: all.
	Actions []RecordAction
	IDs     []string
	// Limit bounds how many there are, and Bytes about how large their payloads
	// are together; the first one is returned however large it is.
	Limit, Bytes int
	// Walk bounds how many are looked at to find those with the Actions. Zero: all.
	Walk int
}
