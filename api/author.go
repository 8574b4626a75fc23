package api

import (
	"encoding/json"
	"time"
)

// CompileFunction is the text of a function to compile.
type CompileFunction struct {
	// Code is TypeScript that imports nothing but what functions find around them.
	Code string `json:"code" check:"required,min=1"`
}

// CompiledFunction is what became of the text of a function.
type CompiledFunction struct {
	BundleSizeBytes int `json:"bundle_size_bytes"`
	// BundledJS is CommonJS with a source map.
	BundledJS  string `json:"bundled_js"`
	CompiledAt Time   `json:"compiled_at"`
}

// CompileProblems is the payload of the error compilation_error.
type CompileProblems struct {
	Errors []CompileProblem `json:"errors"`
}

// CompileProblem is something in the text of a function that has to be corrected.
type CompileProblem struct {
	// File is what the text is called.
	File string `json:"file"`
	// Line and Column count from 1. Absent: the whole text.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	// Excerpt is the line, with a caret below the place.
	Excerpt string `json:"excerpt,omitempty"`
}

// StartDryRun is a function to try with a connection. What it asks of the provider
// is real; what it saves is not stored.
type StartDryRun struct {
	IntegrationID string `json:"integration_id" check:"required,min=1,max=255,pattern=pck"`
	// FunctionType says what the function is.
	FunctionType string `json:"function_type" check:"required,enum=action|sync"`
	// Code is TypeScript that imports nothing but what functions find around them.
	Code         string `json:"code" check:"required,min=1"`
	ConnectionID string `json:"connection_id" check:"required,min=1,max=255,pattern=cid"`
	// Input is what an action is given.
	Input json.RawMessage `json:"input,omitempty"`
	// Metadata takes the place of the connection's.
	Metadata map[string]any `json:"metadata,omitempty"`
	// Checkpoint is where the function goes on.
	Checkpoint map[string]any `json:"checkpoint,omitempty"`
	// LastSyncDate is when the last run is to have begun.
	LastSyncDate *time.Time `json:"last_sync_date,omitempty"`
}

// AuthorJob is a dry run or a deployment that was taken on.
type AuthorJob struct {
	ID string `json:"id"`
	// Status is waiting or running, or success of what is done already.
	Status    string `json:"status"`
	CreatedAt Time   `json:"created_at"`
}

// AuthorJobPath names a dry run or a deployment.
type AuthorJobPath struct {
	ID string `path:"id" check:"required,format=uuid"`
}

// AuthorError says why a dry run or a deployment failed.
type AuthorError struct {
	// Code is compilation_error, dryrun_error, deployment_error, validation_error,
	// timeout, execution_environment_unavailable, integration_not_found,
	// connection_not_found, invalid_request or server_error.
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// DryRun is a dry run and what came of it.
type DryRun struct {
	ID string `json:"id"`
	// Status is waiting, running, success or failed.
	Status        string `json:"status"`
	IntegrationID string `json:"integration_id"`
	FunctionType  string `json:"function_type"`
	CreatedAt     Time   `json:"created_at"`
	UpdatedAt     Time   `json:"updated_at"`
	StartedAt     *Time  `json:"started_at,omitempty"`
	CompletedAt   *Time  `json:"completed_at,omitempty"`
	DurationMS    *int64 `json:"duration_ms,omitempty"`
	// Output is what the function logged, a line each; while it runs, so far.
	Output string `json:"output,omitempty"`
	// Result is what an action returned. Of a sync it counts and shows what it saved,
	// by model, and is where it got to: the first records of each kind.
	Result json.RawMessage `json:"result,omitempty"`
	Error  *AuthorError    `json:"error,omitempty"`
}

// DryRunSync is the result of a dry run of a sync.
type DryRunSync struct {
	Models map[string]DryRunModel `json:"models"`
	// Checkpoint is the one at the end; null: none.
	Checkpoint json.RawMessage `json:"checkpoint"`
}

// DryRunModel counts what a sync did to the records of a model.
type DryRunModel struct {
	Saved   int           `json:"saved"`
	Updated int           `json:"updated"`
	Deleted int           `json:"deleted"`
	Records DryRunRecords `json:"records"`
}

// DryRunRecords are the first records of each kind of change.
type DryRunRecords struct {
	Saved   []json.RawMessage `json:"saved"`
	Updated []json.RawMessage `json:"updated"`
	Deleted []json.RawMessage `json:"deleted"`
}

// StartDeployment is a function, or a template, to deploy. Make it with
// FunctionDeployment.Start or TemplateDeployment.Start.
type StartDeployment struct{ variant any }

// Variant returns the FunctionDeployment or the TemplateDeployment, by value.
func (d *StartDeployment) Variant() any { return d.variant }

// MarshalJSON implements json.Marshaler.
func (d StartDeployment) MarshalJSON() ([]byte, error) { return json.Marshal(d.variant) }

// Discriminator tells the server's decoder how the kinds are told apart.
func (*StartDeployment) Discriminator() (key string, variants map[string]any) {
	return "type", map[string]any{"function": FunctionDeployment{}, "template": TemplateDeployment{}}
}

// SetVariant takes the decoded deployment.
func (d *StartDeployment) SetVariant(v any) { d.variant = deref(v) }

// FunctionDeployment is the text of a function to deploy by itself.
type FunctionDeployment struct {
	// Type is function.
	Type          string `json:"type" check:"required,enum=function"`
	IntegrationID string `json:"integration_id" check:"required,min=1,max=255,pattern=pck"`
	FunctionName  string `json:"function_name" check:"required,min=1,max=255,pattern=name"`
	FunctionType  string `json:"function_type" check:"required,enum=action|sync"`
	// Code is TypeScript that imports nothing but what functions find around them.
	Code string `json:"code" check:"required,min=1"`
	// Version is the label of the version. Absent: the one that the code names, or the
	// one after the last.
	Version *string `json:"version,omitempty" check:"min=1,max=255"`
	// AllowDestructive allows to replace a function that was deployed by itself before.
	// Functions that are kept in a folder are never replaced.
	AllowDestructive *bool `json:"allow_destructive,omitempty"`
}

// Start returns the body of a request.
func (d FunctionDeployment) Start() StartDeployment {
	d.Type = "function"
	return StartDeployment{d}
}

// TemplateDeployment is a function of the library to deploy.
type TemplateDeployment struct {
	// Type is template.
	Type          string `json:"type" check:"required,enum=template"`
	IntegrationID string `json:"integration_id" check:"required,min=1,max=255,pattern=pck"`
	// Template is the name of one of the provider's templates.
	Template string `json:"template" check:"required,min=1,max=255,pattern=name"`
	// FunctionType is needed when the provider has templates of several types under
	// the name.
	FunctionType *string `json:"function_type,omitempty" check:"enum=sync|action|on-event"`
}

// Start returns the body of a request.
func (d TemplateDeployment) Start() StartDeployment {
	d.Type = "template"
	return StartDeployment{d}
}

// Deployment is a deployment and what came of it.
type Deployment struct {
	ID string `json:"id"`
	// Status is waiting, running, success or failed.
	Status        string `json:"status"`
	IntegrationID string `json:"integration_id"`
	FunctionName  string `json:"function_name"`
	FunctionType  string `json:"function_type"`
	CreatedAt     Time   `json:"created_at"`
	UpdatedAt     Time   `json:"updated_at"`
	StartedAt     *Time  `json:"started_at,omitempty"`
	CompletedAt   *Time  `json:"completed_at,omitempty"`
	DurationMS    *int64 `json:"duration_ms,omitempty"`
	// Deployed says that the function is deployed.
	Deployed          bool              `json:"deployed"`
	DeployedFunctions []DeployedVersion `json:"deployed_functions,omitempty"`
	Output            string            `json:"output,omitempty"`
	Error             *AuthorError      `json:"error,omitempty"`
}

// DeployedVersion is a function that was deployed, and the label of its version.
type DeployedVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// InvokeFunction says which function to run for a connection.
type InvokeFunction struct {
	IntegrationID string `json:"integration_id" check:"required,min=1,max=255,pattern=pck"`
	ConnectionID  string `json:"connection_id" check:"required,min=1,max=255,pattern=cid"`
	// Name is that of an action, or of a function that is invoked.
	Name string `json:"name" check:"required,min=1,max=255,pattern=name"`
	// Input is what the function is given.
	Input json.RawMessage `json:"input,omitempty"`
	// InvocationType says whether to wait for the function: wait answers with what it
	// returns, no_wait at once with an id.
	InvocationType string `json:"invocation_type" check:"required,enum=wait|no_wait"`
	// Options has no members yet.
	Options *InvokeOptions `json:"options,omitempty"`
}

// InvokeOptions has no members yet.
type InvokeOptions struct{}

// Template is a function of the library, in the shape of a deployed one.
type Template struct {
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
}
