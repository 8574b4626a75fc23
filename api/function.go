package api

import "encoding/json"

// Function is a function deployed to an integration.
type Function struct {
	Type         string          `json:"type"`
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	Scopes       []string        `json:"scopes,omitempty"`
	Input        string          `json:"input,omitempty"`
	Returns      []string        `json:"returns,omitempty"`
	JSONSchema   json.RawMessage `json:"json_schema,omitempty"`
	Event        string          `json:"event,omitempty"`
	ID           int64           `json:"id"`
	Enabled      bool            `json:"enabled"`
	LastDeployed Time            `json:"last_deployed"`
	Source       string          `json:"source"`
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
	Page   *int    `query:"page" check:"min=0"`
	Limit  *int    `query:"limit" check:"min=1,max=100"`
}

// ScriptsConfigQuery chooses the form of the reply. Other keys and values are
// ignored.
type ScriptsConfigQuery struct {
	Format *string `query:"format" doc:"The value openai asks for tool definitions under data instead."`
}

// ScriptsConfig lists the functions of one integration.
type ScriptsConfig struct {
	ProviderConfigKey string            `json:"providerConfigKey"`
	Provider          string            `json:"provider"`
	Syncs             []json.RawMessage `json:"syncs"`
	Actions           []json.RawMessage `json:"actions"`
	OnEvents          []json.RawMessage `json:"on-events"`
}
