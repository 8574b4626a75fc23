package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

// DeployBundle is a set of functions made by createFunction. Everything in its
// scope that was deployed this way and that it does not name is removed; one that
// names none stands for a folder that is empty, and removes everything.
type DeployBundle struct {
	ReconciliationScope DeployScope     `json:"reconciliationScope" check:"required"`
	Functions           []DeployUnified `json:"functions" check:"required,max=10000"`
}

// Check wants every name once in its integration, and all in the scope.
func (b *DeployBundle) Check() []linkspan.Issue {
	issues := checkUnified(b.Functions)
	if scope := b.ReconciliationScope.IntegrationID; scope != nil {
		for i := range b.Functions {
			if b.Functions[i].IntegrationID != *scope {
				issues = append(issues, custom("The function is of another integration than the one in the scope", "functions", i, "integrationId"))
			}
		}
	}
	return issues
}

// checkUnified wants every name once in its integration.
func checkUnified(list []DeployUnified) []linkspan.Issue {
	var issues []linkspan.Issue
	seen := make(map[[2]string]bool, len(list))
	for i := range list {
		key := [2]string{list[i].IntegrationID, list[i].Name}
		if seen[key] {
			issues = append(issues, custom("The integration has two functions of this name", "functions", i, "name"))
		}
		seen[key] = true
	}
	return issues
}

func custom(message string, path ...any) linkspan.Issue {
	return linkspan.Issue{Code: "custom", Message: message, Path: path}
}

// DeployScope is the environment, or one integration.
type DeployScope struct {
	Kind          string  `json:"kind" check:"required,enum=environment|integration"`
	IntegrationID *string `json:"integrationId,omitempty" check:"min=1,max=255,pattern=pck"`
}

// Check wants the integration exactly where the scope is one.
func (s *DeployScope) Check() []linkspan.Issue {
	switch {
	case s.Kind == "integration" && s.IntegrationID == nil:
		return []linkspan.Issue{{Code: "invalid_type", Message: "Invalid input: expected string, received undefined", Path: []any{"integrationId"}}}
	case s.Kind == "environment" && s.IntegrationID != nil:
		return []linkspan.Issue{{Code: "unrecognized_keys", Message: `Unrecognized key: "integrationId"`, Path: []any{}}}
	default:
		return nil
	}
}

// DeployUnified is a function made by createFunction.
type DeployUnified struct {
	Name          string `json:"name" check:"required,min=1,max=255,pattern=name"`
	IntegrationID string `json:"integrationId" check:"required,min=1,max=255,pattern=pck"`
	Description   string `json:"description,omitempty" check:"max=2000"`
	// Version is the label of the version, an optional addition of ours.
	Version      string              `json:"version,omitempty" check:"max=255"`
	Trigger      UnifiedTrigger      `json:"trigger" check:"required"`
	Requires     UnifiedRequires     `json:"requires,omitzero"`
	Capabilities UnifiedCapabilities `json:"capabilities" check:"required"`
	Limits       UnifiedLimits       `json:"limits,omitzero"`
	// The refs lead to definitions of JSONSchema: "#/definitions/Name".
	InputSchemaRef      *string      `json:"input_schema_ref" check:"nullable"`
	OutputSchemaRef     *string      `json:"output_schema_ref" check:"nullable"`
	ModelSchemaRefs     []string     `json:"model_schema_refs" check:"required,max=256"`
	MetadataSchemaRef   *string      `json:"metadata_schema_ref" check:"nullable"`
	CheckpointSchemaRef *string      `json:"checkpoint_schema_ref" check:"nullable"`
	JSONSchema          DeploySchema `json:"json_schema" check:"required"`
	FileBody            DeployFile   `json:"fileBody" check:"required"`
}

// UnifiedTrigger is what a function runs at: its members depend on the kind.
type UnifiedTrigger struct {
	Kind          string   `json:"kind" check:"required,enum=none|http|schedule|event"`
	Subscriptions []string `json:"subscriptions,omitempty" check:"max=256,each.max=255"`
	// Debounce is refused: functions run for each request.
	Debounce  json.RawMessage `json:"debounce,omitempty" check:"nullable"`
	Frequency string          `json:"frequency,omitempty" check:"max=255"`
	AutoStart *bool           `json:"autoStart,omitempty"`
	Events    []string        `json:"events,omitempty" check:"max=16,each.enum=post-connection-creation|pre-connection-deletion|validate-connection"`
}

// Check wants the members of the kind, and no others.
func (t *UnifiedTrigger) Check() []linkspan.Issue {
	members := []struct {
		name, kind string
		is         bool
	}{
		{"subscriptions", "http", t.Subscriptions != nil},
		{"debounce", "http", len(t.Debounce) > 0},
		{"frequency", "schedule", t.Frequency != ""},
		{"autoStart", "schedule", t.AutoStart != nil},
		{"events", "event", t.Events != nil},
	}
	var issues []linkspan.Issue
	for _, m := range members {
		if m.is && m.kind != t.Kind {
			issues = append(issues, linkspan.Issue{Code: "unrecognized_keys", Message: fmt.Sprintf("Unrecognized key: %q", m.name), Path: []any{}})
		}
	}
	switch {
	case t.Kind == "schedule" && t.Frequency == "":
		issues = append(issues, linkspan.Issue{Code: "invalid_type", Message: "Invalid input: expected string, received undefined", Path: []any{"frequency"}})
	case t.Kind == "event" && len(t.Events) == 0:
		issues = append(issues, linkspan.Issue{Code: "too_small", Message: "Too small: expected array to have >=1 items", Path: []any{"events"}})
	case t.Kind == "http" && len(t.Debounce) > 0 && string(t.Debounce) != "null":
		issues = append(issues, custom("Requests can't be gathered: the function runs for each. Remove debounce", "debounce"))
	}
	return issues
}

// UnifiedRequires is what a function needs to run. Unless told otherwise it has a
// connection and makes requests.
type UnifiedRequires struct {
	Connection *bool `json:"connection,omitempty"`
	Outbound   *bool `json:"outbound,omitempty"`
	Invoke     *bool `json:"invoke,omitempty"`
}

// Check refuses functions without a connection.
func (r *UnifiedRequires) Check() []linkspan.Issue {
	if r.Connection != nil && !*r.Connection {
		return []linkspan.Issue{custom("Functions without a connection can't be run: remove connection, and invoke the function for one", "connection")}
	}
	return nil
}

// MakesRequests reports whether the function may call APIs.
func (r *UnifiedRequires) MakesRequests() bool { return r.Outbound == nil || *r.Outbound }

// Invokes reports whether the function may run others.
func (r *UnifiedRequires) Invokes() bool { return r.Invoke != nil && *r.Invoke }

// UnifiedCapabilities repeat what follows from the other members.
type UnifiedCapabilities struct {
	UsesRecords     bool `json:"usesRecords"`
	UsesCheckpoints bool `json:"usesCheckpoints"`
	UsesMetadata    bool `json:"usesMetadata"`
	UsesOutbound    bool `json:"usesOutbound"`
	UsesInvoke      bool `json:"usesInvoke"`
}

// UnifiedLimits bound how many runs are under way.
type UnifiedLimits struct {
	Concurrency UnifiedConcurrency `json:"concurrency,omitzero"`
}

// UnifiedConcurrency is 1 or "max" for each connection.
type UnifiedConcurrency struct {
	PerConnection json.RawMessage `json:"perConnection,omitempty"`
}

// Check wants 1 or "max".
func (c *UnifiedConcurrency) Check() []linkspan.Issue {
	switch string(c.PerConnection) {
	case "", "1", `"max"`:
		return nil
	}
	return []linkspan.Issue{{Code: "invalid_union", Message: `Invalid input: expected 1 or "max"`, Path: []any{"perConnection"}}}
}

// Check compares the members that say the same twice, and follows the refs.
func (f *DeployUnified) Check() []linkspan.Issue {
	var issues []linkspan.Issue
	c := &f.Capabilities
	for _, pair := range []struct {
		name      string
		says, has bool
	}{
		{"usesOutbound", c.UsesOutbound, f.Requires.MakesRequests()},
		{"usesRecords", c.UsesRecords, len(f.ModelSchemaRefs) > 0},
		{"usesMetadata", c.UsesMetadata, f.MetadataSchemaRef != nil},
		{"usesCheckpoints", c.UsesCheckpoints, f.CheckpointSchemaRef != nil},
		{"usesInvoke", c.UsesInvoke, f.Requires.Invokes()},
	} {
		if pair.says != pair.has {
			issues = append(issues, custom(fmt.Sprintf("%s must be %t, as the rest of the function has it", pair.name, pair.has), "capabilities", pair.name))
		}
	}
	refs := []struct {
		path []any
		ref  *string
	}{
		{[]any{"input_schema_ref"}, f.InputSchemaRef},
		{[]any{"output_schema_ref"}, f.OutputSchemaRef},
		{[]any{"metadata_schema_ref"}, f.MetadataSchemaRef},
		{[]any{"checkpoint_schema_ref"}, f.CheckpointSchemaRef},
	}
	for i := range f.ModelSchemaRefs {
		refs = append(refs, struct {
			path []any
			ref  *string
		}{[]any{"model_schema_refs", i}, &f.ModelSchemaRefs[i]})
	}
	for _, r := range refs {
		if r.ref != nil {
			issues = append(issues, f.checkRef(*r.ref, r.path)...)
		}
	}
	if len(f.ModelSchemaRefs) > 0 && f.Trigger.Kind != "schedule" {
		issues = append(issues, custom("Only functions with a schedule keep records: remove the models, or set the trigger's kind to schedule", "model_schema_refs"))
	}
	return issues
}

func (f *DeployUnified) checkRef(ref string, path []any) []linkspan.Issue {
	if !isRef(ref) {
		return []linkspan.Issue{{Code: "invalid_format", Message: "Invalid string: must match pattern /^#\\/definitions\\/[a-zA-Z0-9_-]+$/", Path: path}}
	}
	if !f.JSONSchema.defines([]string{RefName(&ref)}) {
		return []linkspan.Issue{custom("json_schema has no definition of that name", path...)}
	}
	return nil
}

// isRef reports whether a text leads to a definition. It is asked of millions of them
// in the largest bundles.
func isRef(ref string) bool {
	name, ok := strings.CutPrefix(ref, definitions)
	return ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// definitions is what leads to a definition.
const definitions = "#/definitions/"

// RefName returns the name of the definition that a ref leads to, and "" for none.
func RefName(ref *string) string {
	if ref == nil {
		return ""
	}
	return strings.TrimPrefix(*ref, definitions)
}

// RefTo returns the ref that leads to a definition; nil for none.
func RefTo(name string) *string {
	if name == "" {
		return nil
	}
	return new(definitions + name)
}

// ModelNames returns the names of the models.
func (f *DeployUnified) ModelNames() []string {
	names := slices.Clone(f.ModelSchemaRefs)
	for i := range names {
		names[i] = RefName(&names[i])
	}
	return names
}

// DeployBundleReply says what a bundle changed, or would change.
type DeployBundleReply struct {
	Created   []BundleFunction `json:"created"`
	Updated   []BundleFunction `json:"updated"`
	Unchanged []BundleFunction `json:"unchanged"`
	Deleted   []BundleFunction `json:"deleted"`
}

// BundleFunction names a function.
type BundleFunction struct {
	IntegrationID string `json:"integrationId"`
	Name          string `json:"name"`
}
