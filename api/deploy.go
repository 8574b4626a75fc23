package api

import (
	"encoding/json"
	"slices"

	"github.com/linkspan/linkspan"
)

// Modes of a deploy: what happens to functions that it does not name.
const (
	// DeployAll removes them from the whole environment.
	DeployAll = "all"
	// DeployIntegration removes them from the integrations that it names.
	DeployIntegration = "integration"
	// DeploySingle leaves them alone.
	DeploySingle = "single"
)

// Deploy is a set of functions to deploy, and the same set to look at before.
// Reconcile, NangoYAMLBody, Debug and Source count when it is deployed only.
type Deploy struct {
	FlowConfigs []DeployFunction `json:"flowConfigs" check:"required,max=10000"`
	// OnEventScriptsByProvider is nil when functions at events are left alone.
	OnEventScriptsByProvider []DeployOnEvent `json:"onEventScriptsByProvider,omitempty" check:"nullable,max=10000"`
	// PostConnectionScriptsByProvider is the older form for the one event
	// post-connection-creation.
	PostConnectionScriptsByProvider []DeployOnEvent `json:"postConnectionScriptsByProvider,omitempty" check:"nullable,max=10000"`
	// Functions are those made by createFunction. Nil: they are left alone, as the
	// others are in a DeployBundle. It is an addition of ours.
	Functions []DeployUnified `json:"functions,omitzero" check:"nullable,max=10000"`
	// DeployMode is all, integration or single. Empty: all, or single with
	// SingleDeployMode.
	DeployMode       string `json:"deployMode,omitempty" check:"enum=all|integration|single"`
	SingleDeployMode *bool  `json:"singleDeployMode,omitempty"`
	Reconcile        bool   `json:"reconcile" check:"required"`
	Debug            bool   `json:"debug"`
	// Integrations are those of the mode integration, also such as no function is
	// deployed to any more. Empty: those of the functions. It is an addition of ours.
	Integrations []string `json:"integrations,omitempty" check:"max=10000,each.min=1,each.max=255"`
	// SDKVersion is the version of the tool that made the bundles.
	SDKVersion string `json:"sdkVersion,omitempty" check:"max=255,pattern=sdk_version"`
	// JSONSchema is the older place of the definitions of all functions.
	JSONSchema    *DeploySchema `json:"jsonSchema,omitempty" check:"nullable"`
	NangoYAMLBody *string       `json:"nangoYamlBody,omitempty" check:"nullable"`
	// Source is repo, unless told otherwise, or standalone.
	Source string `json:"source,omitempty" check:"enum=repo|standalone"`
}

// Check wants integrations with the mode that they count for only, and each name of
// a function once.
func (d *Deploy) Check() []linkspan.Issue {
	issues := checkUnified(d.Functions)
	if len(d.Integrations) > 0 && d.DeployMode != DeployIntegration {
		issues = append(issues, custom("integrations are of the deployMode integration", "integrations"))
	}
	return issues
}

// DeployFunction is one sync or action of a deploy.
type DeployFunction struct {
	SyncName          string   `json:"syncName" check:"required,min=1,max=255,pattern=name"`
	ProviderConfigKey string   `json:"providerConfigKey" check:"required,min=1,max=255,pattern=pck"`
	Type              string   `json:"type" check:"required,enum=action|sync"`
	Models            []string `json:"models" check:"required,each.min=1,each.max=255"`
	// Version is the label of the version. Empty: the one after the last.
	Version string `json:"version,omitempty" check:"max=255"`
	// Runs is a sync's frequency, such as "every hour".
	Runs         *string        `json:"runs" check:"nullable,max=255"`
	AutoStart    bool           `json:"auto_start"`
	TrackDeletes bool           `json:"track_deletes"`
	Attributes   map[string]any `json:"attributes,omitempty"`
	Metadata     DeployMetadata `json:"metadata"`
	// Input names the definition of the input; what is no text is ignored.
	Input    any    `json:"input,omitempty" check:"nullable"`
	SyncType string `json:"sync_type,omitempty" check:"enum=incremental|full"`
	// FileBody is the code.
	FileBody             DeployFile       `json:"fileBody" check:"required"`
	Endpoints            []DeployEndpoint `json:"endpoints,omitempty" check:"max=256"`
	WebhookSubscriptions []string         `json:"webhookSubscriptions,omitempty" check:"max=256,each.max=255"`
	ModelsJSONSchema     *DeploySchema    `json:"models_json_schema,omitempty" check:"nullable"`
	Features             []string         `json:"features,omitempty" check:"max=16,each.enum=checkpoints"`
	// ModelSchema is an older form of the models that nothing reads any more.
	ModelSchema any `json:"model_schema,omitempty" check:"nullable"`
}

// InputName returns the name of the input's definition, or "".
func (f *DeployFunction) InputName() string {
	name, _ := f.Input.(string)
	return name
}

// Check reports what the rules of single fields can't say.
func (f *DeployFunction) Check() []linkspan.Issue {
	var issues []linkspan.Issue
	if f.SyncType == "incremental" && f.TrackDeletes {
		issues = append(issues, linkspan.Issue{
			Code: "custom", Message: "Track deletes is not supported for incremental syncs", Path: []any{"track_deletes"},
		})
	}
	if len(f.InputName()) > 255 {
		issues = append(issues, linkspan.Issue{
			Code: "too_big", Message: "Too big: expected string to have <=255 characters", Path: []any{"input"},
		})
	}
	if f.ModelsJSONSchema != nil && !f.ModelsJSONSchema.defines(append(slices.Clone(f.Models), f.InputName())) {
		issues = append(issues, linkspan.Issue{
			Code: "custom", Message: "models_json_schema is missing definitions for some models or input", Path: []any{"models_json_schema"},
		})
	}
	return issues
}

// DeployMetadata is what a function says of itself.
type DeployMetadata struct {
	Scopes      []string `json:"scopes,omitempty" check:"max=256,each.max=255"`
	Description string   `json:"description,omitempty" check:"max=2000"`
}

// DeployFile is the code of a function.
type DeployFile struct {
	// JS is the bundle, a CommonJS module.
	JS string `json:"js" check:"required"`
	// TS is the TypeScript it was made of.
	TS string `json:"ts" check:"required"`
}

// DeploySchema is JSON Schema, draft 7, of models by their names.
type DeploySchema struct {
	_ struct{} `check:"loose"`

	Definitions map[string]json.RawMessage `json:"definitions" check:"required"`
}

// defines reports whether every name that is not empty has a definition.
func (s *DeploySchema) defines(names []string) bool {
	for _, name := range names {
		if _, ok := s.Definitions[name]; name != "" && !ok {
			return false
		}
	}
	return true
}

// DeployEndpoint is a method and path under /v1: as method and path, or in the
// older form as the one method that holds the path.
type DeployEndpoint struct {
	Method string `json:"method,omitempty" check:"enum=GET|POST|PUT|PATCH|DELETE|PROPFIND|REPORT"`
	Path   string `json:"path,omitempty" check:"min=1,max=2048"`
	Group  string `json:"group,omitempty" check:"nullable,min=1,max=64"`

	Get    string `json:"GET,omitempty" check:"min=1,max=2048"`
	Post   string `json:"POST,omitempty" check:"min=1,max=2048"`
	Put    string `json:"PUT,omitempty" check:"min=1,max=2048"`
	Patch  string `json:"PATCH,omitempty" check:"min=1,max=2048"`
	Delete string `json:"DELETE,omitempty" check:"min=1,max=2048"`
}

// Resolve returns the method and the path, whichever form they have; "" when
// there is none.
func (e *DeployEndpoint) Resolve() (method, path string) {
	if e.Method != "" || e.Path != "" {
		return e.Method, e.Path
	}
	for _, old := range [][2]string{{"GET", e.Get}, {"POST", e.Post}, {"PUT", e.Put}, {"PATCH", e.Patch}, {"DELETE", e.Delete}} {
		if old[1] != "" {
			return old[0], old[1]
		}
	}
	return "", ""
}

// Check wants a method and a path.
func (e *DeployEndpoint) Check() []linkspan.Issue {
	if method, path := e.Resolve(); method == "" || path == "" {
		return []linkspan.Issue{{Code: "invalid_union", Message: "Invalid input", Path: []any{}}}
	}
	return nil
}

// DeployOnEvent holds the functions at events of one integration.
type DeployOnEvent struct {
	ProviderConfigKey string         `json:"providerConfigKey" check:"required,min=1,max=255,pattern=pck"`
	Scripts           []DeployScript `json:"scripts" check:"required,max=10000"`
}

// DeployScript is a function at an event.
type DeployScript struct {
	Name string `json:"name" check:"required,min=1,max=255,pattern=name"`
	// Event is post-connection-creation unless told; the older form has none.
	Event    string     `json:"event,omitempty" check:"enum=post-connection-creation|pre-connection-deletion|validate-connection"`
	FileBody DeployFile `json:"fileBody" check:"required"`
	// Description, Scopes, Version, Features and ModelsJSONSchema are optional
	// additions of ours.
	Description      string        `json:"description,omitempty" check:"max=2000"`
	Scopes           []string      `json:"scopes,omitempty" check:"max=256,each.max=255"`
	Version          string        `json:"version,omitempty" check:"max=255"`
	Features         []string      `json:"features,omitempty" check:"max=16,each.enum=checkpoints"`
	ModelsJSONSchema *DeploySchema `json:"models_json_schema,omitempty" check:"nullable"`
}

// DeployConfirmation is what a deploy would change. All lists are there, empty
// ones too.
type DeployConfirmation struct {
	NewSyncs              []DeploySync      `json:"newSyncs"`
	UpdatedSyncs          []DeploySync      `json:"updatedSyncs"`
	DeletedSyncs          []DeploySync      `json:"deletedSyncs"`
	NewActions            []DeployAction    `json:"newActions"`
	UpdatedActions        []DeployAction    `json:"updatedActions"`
	DeletedActions        []DeployAction    `json:"deletedActions"`
	NewOnEventScripts     []DeployEventName `json:"newOnEventScripts"`
	UpdatedOnEventScripts []DeployEventName `json:"updatedOnEventScripts"`
	DeletedOnEventScripts []DeployEventName `json:"deletedOnEventScripts"`
	// DeletedModels are those whose records no sync fills any more.
	DeletedModels []string `json:"deletedModels"`
}

// DeploySync is a sync that a deploy would change.
type DeploySync struct {
	Name              string `json:"name"`
	ProviderConfigKey string `json:"providerConfigKey"`
	// Connections counts those of the integration.
	Connections int  `json:"connections"`
	AutoStart   bool `json:"auto_start"`
}

// DeployAction is an action that a deploy would change.
type DeployAction struct {
	Name              string `json:"name"`
	ProviderConfigKey string `json:"providerConfigKey"`
}

// DeployEventName is a function at an event that a deploy would change.
type DeployEventName struct {
	ProviderConfigKey string `json:"providerConfigKey"`
	Name              string `json:"name"`
	Event             string `json:"event"`
}

// DeployedFunction is a function that was deployed, changed or not.
type DeployedFunction struct {
	Name              string   `json:"name"`
	Version           string   `json:"version"`
	Models            []string `json:"models"`
	ProviderConfigKey string   `json:"providerConfigKey"`
	Type              string   `json:"type"`
}
