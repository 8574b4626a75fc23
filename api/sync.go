package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	// variantSeparator stands between the name of a sync and its variant.
	variantSeparator = "::"
	// maxSyncName is the length of the longest name of a sync, and of a variant.
	maxSyncName = 255
)

// SyncRef names a sync in one of its variants. On the wire it is "name",
// "name::variant" or an object of both.
type SyncRef struct {
	Name string
	// Variant is empty for the base variant.
	Variant string
	raw     any
}

// String returns the reference as text.
func (r SyncRef) String() string {
	if r.Variant == "" {
		return r.Name
	}
	return r.Name + variantSeparator + r.Variant
}

// Present tells the server's decoder where the value goes.
func (r *SyncRef) Present(bool) any { return &r.raw }

// OpenAPI describes the type in the OpenAPI document.
func (r SyncRef) OpenAPI() map[string]any {
	name := map[string]any{"type": "string", "pattern": "^[a-zA-Z0-9_-]+$", "minLength": 1, "maxLength": maxSyncName}
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "pattern": "^[a-zA-Z0-9_-]+(::[a-zA-Z0-9_-]+)?$", "minLength": 1},
		map[string]any{
			"type": "object", "required": []string{"name"}, "additionalProperties": false,
			"properties": map[string]any{"name": name, "variant": name},
		},
	}}
}

// MarshalJSON implements json.Marshaler.
func (r SyncRef) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *SyncRef) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &r.raw); err != nil {
		return err
	}
	if !r.resolve() {
		return errors.New("neither the name of a sync nor an object with name and variant")
	}
	return nil
}

// ParseSyncRef reads "name" or "name::variant". It reports false for what no sync
// can be called.
func ParseSyncRef(text string) (SyncRef, bool) {
	name, variant, separated := strings.Cut(text, variantSeparator)
	return SyncRef{Name: name, Variant: variant}, validSyncName(name) && (validSyncName(variant) || !separated)
}

// resolve fills Name and Variant from raw, and reports whether a sync can be
// called so.
func (r *SyncRef) resolve() bool {
	switch raw := r.raw.(type) {
	case string:
		ref, ok := ParseSyncRef(raw)
		r.Name, r.Variant = ref.Name, ref.Variant
		return ok
	case map[string]any:
		known := 1
		variant, varied := raw["variant"]
		if varied {
			known++
		}
		r.Name, _ = raw["name"].(string)
		r.Variant, _ = variant.(string)
		return len(raw) == known && validSyncName(r.Name) && (!varied || validSyncName(r.Variant))
	default:
		return false
	}
}

// validSyncName is the rule that the check tags call name.
func validSyncName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= maxSyncName
}

// checkSyncs resolves references and refuses those that name no sync.
func checkSyncs(syncs []SyncRef) (issues []ErrorIssue) {
	for i := range syncs {
		if !syncs[i].resolve() {
			issues = append(issues, ErrorIssue{Code: "invalid_union", Message: "Invalid input", Path: []any{"syncs", i}})
		}
	}
	return issues
}

// TriggerSync asks for runs of syncs outside their schedules.
type TriggerSync struct {
	// Syncs are those to run. Empty: all of the integration.
	Syncs []SyncRef `json:"syncs" check:"required,max=10000"`
	// ProviderConfigKey is required here or as the header Provider-Config-Key.
	ProviderConfigKey *string `json:"provider_config_key,omitempty" check:"min=1,max=255,pattern=pck"`
	// ConnectionID chooses one connection; the header Connection-Id does so, too.
	// Without it the syncs of all connections run.
	ConnectionID *string          `json:"connection_id,omitempty" check:"min=1,max=255,pattern=cid"`
	Opts         *TriggerSyncOpts `json:"opts,omitempty"`
	// SyncMode and FullResync are older forms of Opts, and don't go with it.
	SyncMode   *string `json:"sync_mode,omitempty" check:"enum=incremental|full_refresh|full_refresh_and_clear_cache"`
	FullResync *bool   `json:"full_resync,omitempty"`
}

// Check refuses references that name no sync.
func (t *TriggerSync) Check() []ErrorIssue { return checkSyncs(t.Syncs) }

// TriggerSyncOpts say from where the runs begin.
type TriggerSyncOpts struct {
	// Reset drops the checkpoint, so that everything is fetched again.
	Reset bool `json:"reset,omitempty"`
	// EmptyCache, with Reset, deletes the records first: all are ADDED again.
	EmptyCache bool `json:"emptyCache,omitempty"`
}

// TriggerSyncHeaders name the integration and the connection where the body does
// not.
type TriggerSyncHeaders struct {
	ProviderConfigKey *string `header:"Provider-Config-Key" check:"blank,max=255,pattern=pck"`
	ConnectionID      *string `header:"Connection-Id" check:"blank,max=255,pattern=cid"`
}

// SyncSelection names syncs of an integration.
type SyncSelection struct {
	// Syncs are those that are meant. Empty: all of the integration.
	Syncs             []SyncRef `json:"syncs" check:"required,max=256"`
	ProviderConfigKey string    `json:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
	// ConnectionID chooses one connection. Without it all are meant.
	ConnectionID *string `json:"connection_id,omitempty" check:"min=1,max=255,pattern=cid"`
}

// Check refuses references that name no sync.
func (s *SyncSelection) Check() []ErrorIssue { return checkSyncs(s.Syncs) }

// SyncStatusQuery names syncs of an integration.
type SyncStatusQuery struct {
	Syncs             []string `query:"syncs" check:"required,csv,min=1,max=256" doc:"Names, with \"::variant\" for one variant instead of the base one; or * for all in all variants."`
	ProviderConfigKey string   `query:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
	ConnectionID      *string  `query:"connection_id" check:"min=1,max=255,pattern=cid"`

	refs []SyncRef
}

// Refs returns the references. None: all syncs in all variants.
func (q *SyncStatusQuery) Refs() []SyncRef { return q.refs }

// Check reads the references.
func (q *SyncStatusQuery) Check() []ErrorIssue {
	if len(q.Syncs) == 1 && q.Syncs[0] == "*" {
		return nil
	}
	for i, text := range q.Syncs {
		ref, ok := ParseSyncRef(text)
		if !ok {
			return []ErrorIssue{{Code: "custom", Message: fmt.Sprintf("%.300q is no name of a sync", text), Path: []any{"syncs", i}}}
		}
		q.refs = append(q.refs, ref)
	}
	return nil
}

// SyncStatuses lists the state of syncs.
type SyncStatuses struct {
	Syncs []SyncStatus `json:"syncs"`
}

// SyncStatus is where a sync stands.
type SyncStatus struct {
	ID           string `json:"id"`
	ConnectionID string `json:"connection_id"`
	Name         string `json:"name"`
	Variant      string `json:"variant"`
	// Type is INITIAL until a run has succeeded, then INCREMENTAL.
	Type string `json:"type"`
	// Status is RUNNING, PAUSED, STOPPED, SUCCESS or ERROR.
	Status string `json:"status"`
	// Frequency is how often it runs, or null: only when asked to.
	Frequency *string `json:"frequency"`
	// FinishedAt is when the last run ended.
	FinishedAt *Time `json:"finishedAt"`
	// NextScheduledSyncAt is null for syncs that don't run by a schedule now.
	NextScheduledSyncAt *Time `json:"nextScheduledSyncAt"`
	// LatestResult is what the last run that ended changed, by model.
	LatestResult map[string]SyncResult `json:"latestResult"`
	// LatestExecutionStatus is how the last run ended: SUCCESS, ERROR or STOPPED.
	LatestExecutionStatus string `json:"latestExecutionStatus,omitempty"`
	// RecordCount is how many records there are now, by model.
	RecordCount map[string]int64 `json:"recordCount"`
	// Checkpoint is what the sync saved last.
	Checkpoint Optional[json.RawMessage] `json:"checkpoint"`
}

// SyncResult counts changes to records.
type SyncResult struct {
	Added   int64 `json:"added"`
	Updated int64 `json:"updated"`
	Deleted int64 `json:"deleted"`
}

// UpdateSyncFrequency gives a sync of one connection a frequency of its own.
type UpdateSyncFrequency struct {
	SyncName          string  `json:"sync_name" check:"required,min=1,max=255,pattern=name"`
	SyncVariant       *string `json:"sync_variant,omitempty" check:"min=1,max=255,pattern=name"`
	ProviderConfigKey string  `json:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
	ConnectionID      string  `json:"connection_id" check:"required,min=1,max=255,pattern=cid"`
	// Frequency is such as "every 2 hours"; null takes the sync's own again.
	Frequency Optional[string] `json:"frequency" check:"required,nullable,max=255"`
}

// SyncFrequency is how often a sync runs, in its normal form, such as "1h".
type SyncFrequency struct {
	// Frequency is null when the sync runs only when asked to.
	Frequency *string `json:"frequency"`
}

// SyncVariantPath names a variant of a sync.
type SyncVariantPath struct {
	Name    string `path:"name" check:"required,min=1,max=255,pattern=name"`
	Variant string `path:"variant" check:"required,min=1,max=255,pattern=name"`
}

// SyncVariantOwner says of which connection a variant is.
type SyncVariantOwner struct {
	ProviderConfigKey string `json:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
	ConnectionID      string `json:"connection_id" check:"required,min=1,max=255,pattern=cid"`
}

// SyncVariant is a variant that was created.
type SyncVariant struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Variant string `json:"variant"`
}
