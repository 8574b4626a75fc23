package api

import "time"

// RecordHeaders say whose records a request is about.
type RecordHeaders struct {
	ConnectionID      string `header:"Connection-Id" check:"required,min=1,max=255,pattern=cid"`
	ProviderConfigKey string `header:"Provider-Config-Key" check:"required,min=1,max=255,pattern=pck"`
}

// RecordsQuery selects records of a model, in the order in which they changed.
type RecordsQuery struct {
	Model string `query:"model" check:"required,min=1,max=255"`
	// Variant is empty for the base variant.
	Variant *string `query:"variant" check:"min=1,max=255,pattern=name" doc:"The sync's variant; the base variant unless it is given."`
	Cursor  *string `query:"cursor" check:"min=1,max=1000" doc:"Where to begin: a next_cursor, or the cursor of a record."`
	Limit   int     `query:"limit" check:"min=1,max=10000,default=100"`
	// Filter keeps records whose last action is one of these, in any case.
	Filter        []string   `query:"filter" check:"csv,max=10,each.min=1,each.max=20" doc:"Keeps records that were last added, updated or deleted: a list of these words."`
	ModifiedAfter *time.Time `query:"modified_after" doc:"Keeps records changed after this moment, at most 12 months ago."`
	// Delta is the older name of ModifiedAfter.
	Delta *time.Time `query:"delta" doc:"Older name of modified_after."`
	IDs   []string   `query:"ids" check:"max=100,each.min=1,each.max=256" doc:"Keeps the records with these ids."`
}

// EndpointRecordsQuery is RecordsQuery at the path of a model, which older clients
// call.
type EndpointRecordsQuery struct {
	Variant       *string    `query:"variant" check:"min=1,max=255,pattern=name"`
	Cursor        *string    `query:"cursor" check:"min=1,max=1000"`
	Limit         int        `query:"limit" check:"min=1,max=10000,default=100"`
	Filter        []string   `query:"filter" check:"csv,max=10,each.min=1,each.max=20"`
	ModifiedAfter *time.Time `query:"modified_after"`
	Delta         *time.Time `query:"delta"`
	IDs           []string   `query:"ids" check:"max=100,each.min=1,each.max=256"`
}

// Record is an object that a sync has saved, with "_nango_metadata" beside its own
// fields.
type Record map[string]any

// RecordMetadata is what Linkspan knows of a record: its "_nango_metadata".
type RecordMetadata struct {
	FirstSeenAt    string `json:"first_seen_at"`
	LastModifiedAt string `json:"last_modified_at"`
	// LastAction is ADDED, UPDATED or DELETED.
	LastAction string  `json:"last_action"`
	DeletedAt  *string `json:"deleted_at"`
	PrunedAt   *string `json:"pruned_at"`
	// Cursor is where to go on behind this record.
	Cursor string `json:"cursor"`
}

// Records are a page of records.
type Records struct {
	Records []Record `json:"records"`
	// NextCursor is where the next page begins. Null: there are no more now.
	NextCursor *string `json:"next_cursor"`
}

// PruneRecords says which payloads to empty.
type PruneRecords struct {
	Model   string  `json:"model" check:"required,min=1,max=255"`
	Variant *string `json:"variant,omitempty" check:"min=1,max=255,pattern=name"`
	// UntilCursor is the cursor of the last record to empty.
	UntilCursor string `json:"until_cursor" check:"required,min=1,max=1000"`
	// Limit bounds how many are emptied at once; absent: 1000.
	Limit *int `json:"limit,omitempty" check:"min=1,max=10000"`
}

// PrunedRecords says what was emptied.
type PrunedRecords struct {
	Count int `json:"count"`
	// HasMore asks for the same request again.
	HasMore bool `json:"has_more"`
}
