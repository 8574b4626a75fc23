package api

import "encoding/json"

// Function is a function deployed to an integration. Which fields it has depends
// on its type.
type Function struct {
	// Type is sync, action or on-event.
	Type        string   `json:"type"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	// Input names the definition in JSONSchema of what it takes.
	Input string `json:"input,omitempty"`
	// Returns names the models of a sync, or the output of an action.
	Returns []string `json:"returns,omitzero"`
	// JSONSchema holds definitions; null: unknown. Functions at events have none.
	JSONSchema Optional[json.RawMessage] `json:"json_schema,omitzero"`
	// Runs, AutoStart and TrackDeletes are of syncs.
	Runs         Optional[string] `json:"runs,omitzero"`
	AutoStart    *bool            `json:"auto_start,omitempty"`
	TrackDeletes *bool            `json:"track_deletes,omitempty"`
	// Event is of functions at events.
	Event string `json:"event,omitempty"`
	// Trigger is of functions made by createFunction, which have one type or another
	// because of it: none, http, schedule or event. Events are those of the last.
	Trigger      string   `json:"trigger,omitempty"`
	Events       []string `json:"events,omitempty"`
	ID           int64    `json:"id"`
	Enabled      bool     `json:"enabled"`
	LastDeployed Time     `json:"last_deployed"`
	// Source is repo, catalog or standalone.
	Source string `json:"source"`
	// Version is the label of the version that runs.
	Version string `json:"version"`
}

// Functions is a page of functions.
type Functions struct {
	Data       []Function `json:"data"`
	Pagination Pagination `json:"pagination"`
}

// Pagination says where in a list a page is.
type Pagination struct {
	Total int `json:"total"`
	// Page counts from 0.
	Page  int `json:"page"`
	Limit int `json:"limit"`
}

// FunctionsQuery selects functions.
type FunctionsQuery struct {
	Type   *string `query:"type" check:"enum=sync|action|on-event"`
	Search *string `query:"search" check:"max=255"`
	Page   *int    `query:"page" check:"min=0,max=1000000"`
	Limit  *int    `query:"limit" check:"min=1,max=100" doc:"20 unless told."`
}

// FunctionPath names a function.
type FunctionPath struct {
	UniqueKey string `path:"unique_key" check:"required,min=1,max=255,pattern=pck"`
	Name      string `path:"name" check:"required,min=1,max=255,pattern=name"`
}

// FunctionQuery tells functions of one name apart.
type FunctionQuery struct {
	Type *string `query:"type" check:"enum=sync|action|on-event" doc:"Needed when the integration has functions of several types under the name."`
}

// DeleteFunctionQuery says which function to delete.
type DeleteFunctionQuery struct {
	Type string `query:"type" check:"required,enum=sync|action"`
}

// UpdateFunction switches a function on or off.
type UpdateFunction struct {
	Enabled bool `json:"enabled" check:"required"`
}

// FunctionCode is the source of a function. It comes without the data envelope.
type FunctionCode struct {
	Type string `json:"type"`
	// Code is TypeScript.
	Code string `json:"code"`
	// Files are the sources that Code imports, directly or through others, by their
	// places in a folder of functions, such as models.ts, as far as the server has them.
	Files map[string]string `json:"files,omitempty"`
}

// FunctionVersion is what one deploy made of a function.
type FunctionVersion struct {
	// Version counts the versions of the function from 1.
	Version int64 `json:"version"`
	// Label is the name that people gave it, such as 1.0.0.
	Label string `json:"label"`
	// Active says that it is the one that runs.
	Active     bool   `json:"active"`
	SDKVersion string `json:"sdk_version,omitempty"`
	CreatedAt  Time   `json:"created_at"`
}

// FunctionVersions is a page of versions, newest first.
type FunctionVersions struct {
	Data       []FunctionVersion `json:"data"`
	Pagination Pagination        `json:"pagination"`
}

// FunctionVersionsQuery selects versions of a function.
type FunctionVersionsQuery struct {
	Type  *string `query:"type" check:"enum=sync|action|on-event" doc:"Needed when the integration has functions of several types under the name."`
	Page  *int    `query:"page" check:"min=0,max=1000000"`
	Limit *int    `query:"limit" check:"min=1,max=100" doc:"20 unless told."`
}

// RollbackFunction makes an earlier version the one that runs.
type RollbackFunction struct {
	// Version is the number of the version, from the list of versions.
	Version int64 `json:"version" check:"required,min=1"`
}

// ScriptsConfigQuery chooses the form of the reply. Other keys and values are
// ignored.
type ScriptsConfigQuery struct {
	Format *string `query:"format" doc:"The value openai asks for tool definitions under data instead."`
}

// ScriptsConfig lists the functions of one integration.
type ScriptsConfig struct {
	ProviderConfigKey string   `json:"providerConfigKey"`
	Provider          string   `json:"provider"`
	Syncs             []Script `json:"syncs"`
	Actions           []Script `json:"actions"`
	OnEvents          []Script `json:"on-events"`
}

// Script is a function in the older, longer form.
type Script struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description"`
	// Runs and SyncType are of syncs.
	Runs                 Optional[string]          `json:"runs,omitzero"`
	SyncType             string                    `json:"sync_type,omitempty"`
	TrackDeletes         bool                      `json:"track_deletes"`
	AutoStart            bool                      `json:"auto_start"`
	Attributes           map[string]any            `json:"attributes"`
	Scopes               []string                  `json:"scopes"`
	Version              string                    `json:"version"`
	Source               string                    `json:"source"`
	IsPublic             bool                      `json:"is_public"`
	PreBuilt             bool                      `json:"pre_built"`
	Endpoints            []ScriptEndpoint          `json:"endpoints"`
	Input                string                    `json:"input,omitempty"`
	Returns              []string                  `json:"returns"`
	Enabled              bool                      `json:"enabled"`
	LastDeployed         Time                      `json:"last_deployed"`
	WebhookSubscriptions []string                  `json:"webhookSubscriptions"`
	JSONSchema           Optional[json.RawMessage] `json:"json_schema"`
	SDKVersion           Optional[string]          `json:"sdk_version"`
	// Models is an older form of JSONSchema and always empty.
	Models   []any    `json:"models"`
	Features []string `json:"features"`
	// Event is of functions at events.
	Event string `json:"event,omitempty"`
	// Trigger and Events are as in a Function.
	Trigger string   `json:"trigger,omitempty"`
	Events  []string `json:"events,omitempty"`
}

// ScriptEndpoint is a method and path under /v1.
type ScriptEndpoint struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Group  string `json:"group,omitempty"`
}

// Tool is a function as a language model is told of it.
type Tool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Parameters is JSON Schema of the input: always an object with properties
	// and required.
	Parameters json.RawMessage `json:"parameters"`
}
