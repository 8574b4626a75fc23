package function

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
)

// Limits of a deploy.
const (
	// MaxFunctions is how many functions one deploy may name, and an environment
	// have.
	MaxFunctions = 10_000
	// MaxCode bounds a bundle, and a source, in bytes.
	MaxCode = 20 << 20
	// maxDigits bounds a number in a schema. JavaScript writes none that is longer.
	maxDigits = 400
	// maxIssues bounds what is said about one deploy.
	maxIssues = 100
)

// Mode says what happens to functions that a deploy does not name.
type Mode string

// The modes.
const (
	// ModeAll removes them from the whole environment.
	ModeAll Mode = "all"
	// ModeIntegration removes them from the integrations that the deploy names.
	ModeIntegration Mode = "integration"
	// ModeSingle leaves them alone.
	ModeSingle Mode = "single"
)

// Deployment is a set of functions to deploy to an environment.
type Deployment struct {
	Functions []Deployable
	// Mode says which functions are removed when they are not named. Only those of
	// the same source are.
	Mode Mode
	// Integrations are those of ModeIntegration, by their keys. Nil: those of
	// Functions.
	Integrations []string
	// KeepOnEvents leaves functions at events that are not named where they are.
	KeepOnEvents bool
	// KeepUnified leaves functions made by createFunction that are not named where
	// they are, KeepOthers those that were made otherwise.
	KeepUnified, KeepOthers bool
	// Reconcile allows removing at all.
	Reconcile bool
	// Source says who keeps the functions. Empty: SourceRepo.
	Source linkspan.FunctionSource
	// SDKVersion is that of the tool that made the bundles.
	SDKVersion string
	// Refuse is asked about each function that is there and would be deployed again, or
	// replaced by one of its name.
	// Its error ends the deploy, before anything is changed. Nil: all may be.
	Refuse func(now *linkspan.Function) error
}

// Deployable is one function of a deployment.
type Deployable struct {
	IntegrationKey string
	Kind           linkspan.FunctionKind
	Name           string
	// Version is the label of the version. Empty: the one after the last.
	Version    string
	Definition linkspan.FunctionDefinition
	Code       linkspan.FunctionCode
	// Path leads to it in the request, for the issues of an invalid one.
	Path []any
}

// identity names a function in an environment.
type identity struct {
	integration string
	kind        linkspan.FunctionKind
	name        string
}

func identityOf(f *linkspan.Function) identity { return identity{f.IntegrationKey, f.Kind, f.Name} }

func (d *Deployable) identity() identity { return identity{d.IntegrationKey, d.Kind, d.Name} }

// prepared is a deployable with what it is compared and stored by.
type prepared struct {
	*Deployable

	definition           linkspan.FunctionDefinition // in canonical form
	comparable           string                      // of the definition
	codeHash, sourceHash string
}

// issues gathers what is wrong with a deployment.
type issues struct{ list []linkspan.Issue }

func (p *issues) add(d *Deployable, code, message string, below ...any) {
	if len(p.list) < maxIssues {
		p.list = append(p.list, linkspan.Issue{Code: code, Message: message, Path: append(slices.Clip(append([]any{}, d.Path...)), below...)})
	}
}

func (p *issues) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &linkspan.Error{Kind: linkspan.KindInvalid, Code: "invalid_body", Op: "function.Deploy", Issues: p.list}
}

// prepare checks everything about a deployment that needs no database, and
// brings its functions into the form in which they are compared. Errors have the
// code invalid_body and issues.
func prepare(d *Deployment) ([]prepared, error) {
	if len(d.Functions) > MaxFunctions {
		return nil, linkspan.E("function.Deploy", linkspan.KindInvalid, "invalid_body", nil,
			"The deploy has %d functions; %d is the limit.", len(d.Functions), MaxFunctions)
	}
	if d.Mode != ModeAll && d.Mode != ModeIntegration && d.Mode != ModeSingle {
		return nil, linkspan.E("function.Deploy", linkspan.KindInvalid, "invalid_body", nil, "The mode of the deploy is all, integration or single.")
	}
	var problems issues
	seen := make(map[identity]bool, len(d.Functions))
	out := make([]prepared, len(d.Functions))
	for i := range d.Functions {
		f := &d.Functions[i]
		if seen[f.identity()] {
			problems.add(f, "custom", fmt.Sprintf("The %s %q of the integration %q is there twice", f.Kind, f.Name, f.IntegrationKey))
		}
		seen[f.identity()] = true
		f.check(&problems)
		p, err := f.prepare(d.SDKVersion)
		if err != nil {
			problems.add(f, "custom", err.Error(), f.schemaField())
		}
		out[i] = p
	}
	return out, problems.err()
}

// check reports what is wrong with a function itself.
func (d *Deployable) check(problems *issues) {
	def := &d.Definition
	if !d.Kind.Valid() {
		problems.add(d, "invalid_value", `Invalid option: expected one of "sync"|"action"|"on-event"`, "type")
	}
	if !validName(d.Name) {
		problems.add(d, "invalid_format", "Invalid string: must match pattern /^[a-zA-Z0-9_-]+$/", d.nameField())
	}
	d.checkCode(problems)
	if d.Kind == linkspan.FunctionOnEvent && !def.Event.Valid() {
		problems.add(d, "invalid_value", `Invalid option: expected one of "post-connection-creation"|"pre-connection-deletion"|"validate-connection"`, "event")
	}
	if d.Kind == linkspan.FunctionSync && def.Frequency != "" {
		if _, err := ParseFrequency(def.Frequency); err != nil {
			problems.add(d, "invalid_format", err.Error(), d.frequencyField()...)
		}
	}
	if def.SyncType == "incremental" && def.TrackDeletes {
		problems.add(d, "custom", "Track deletes is not supported for incremental syncs", "track_deletes")
	}
}

func (d *Deployable) checkCode(problems *issues) {
	for _, part := range []struct{ field, text string }{{"js", d.Code.Bundle}, {"ts", d.Code.Source}} {
		if len(part.text) > MaxCode {
			problems.add(d, "too_big", fmt.Sprintf("Too big: the code of %q has %d bytes, %d is the limit", d.Name, len(part.text), MaxCode), "fileBody", part.field)
		}
	}
	if strings.TrimSpace(d.Code.Bundle) == "" {
		problems.add(d, "too_small", fmt.Sprintf("The code of %q is empty", d.Name), "fileBody", "js")
	}
}

// nameField is what the name is called in the request.
func (d *Deployable) nameField() string {
	if d.Kind == linkspan.FunctionOnEvent || d.Definition.Unified != nil {
		return "name"
	}
	return "syncName"
}

// schemaField is what the schema is called in the request.
func (d *Deployable) schemaField() string {
	if d.Definition.Unified != nil {
		return "json_schema"
	}
	return "models_json_schema"
}

// frequencyField is where the frequency is in the request.
func (d *Deployable) frequencyField() []any {
	if d.Definition.Unified != nil {
		return []any{"trigger", "frequency"}
	}
	return []any{"runs"}
}

// validName reports whether s is a name of wire contract §3.
func validName(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool {
		return r >= utf8.RuneSelf || !isAlphanumeric(byte(r)) && r != '_' && r != '-'
	})
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// prepare works out what a function is compared and stored by.
func (d *Deployable) prepare(sdkVersion string) (prepared, error) {
	p := prepared{Deployable: d, definition: d.Definition, codeHash: hashText(d.Code.Bundle), sourceHash: hashText(d.Code.Source)}
	var err error
	if p.definition.Schema, err = canonicalSchema(d.Definition.Schema); err != nil {
		return p, err
	}
	if p.definition.Attributes, err = canonicalAttributes(d.Definition.Attributes); err != nil {
		return p, err
	}
	if p.definition.SDKVersion == "" {
		p.definition.SDKVersion = sdkVersion
	}
	p.comparable, err = comparableDefinition(p.definition)
	return p, err
}

func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// comparableDefinition is equal for equal definitions. The tool that made a
// bundle is no part of what the function is: the code tells whether that changed.
func comparableDefinition(d linkspan.FunctionDefinition) (string, error) {
	d.SDKVersion = ""
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encoding a definition: %w", err)
	}
	return string(text), nil
}

// canonicalSchema brings a schema into one form, so that how a tool writes it makes
// no new version: its keys sorted, its definitions side by side.
func canonicalSchema(schema json.RawMessage) (json.RawMessage, error) {
	if len(schema) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(schema))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, errors.New("the JSON Schema is no JSON")
	}
	document, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("the JSON Schema is no object")
	}
	if n, ok := excessiveNumber(document); ok {
		return nil, fmt.Errorf("the JSON Schema has the number %.40s, which is none in JavaScript", n)
	}
	hoistDefinitions(document)
	return json.Marshal(document)
}

// excessiveNumber finds a number that calculating with exactly takes long, or for
// ever.
func excessiveNumber(value any) (json.Number, bool) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if n, found := excessiveNumber(element); found {
				return n, true
			}
		}
	case map[string]any:
		for _, member := range v {
			if n, found := excessiveNumber(member); found {
				return n, true
			}
		}
	case json.Number:
		f, err := v.Float64()
		tiny := f == 0 && strings.ContainsAny(strings.SplitN(strings.ToLower(string(v)), "e", 2)[0], "123456789")
		return v, err != nil || tiny || len(v) > maxDigits
	}
	return "", false
}

// canonicalAttributes returns attributes as they are when they are read from the
// database.
func canonicalAttributes(attributes map[string]any) (map[string]any, error) {
	if len(attributes) == 0 {
		return nil, nil //nolint:nilnil // no attributes are nil
	}
	text, err := json.Marshal(attributes)
	if err != nil {
		return nil, fmt.Errorf("encoding attributes: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("decoding attributes: %w", err)
	}
	return out, nil
}

// nextLabel is the label of a version that nobody named: the last number in the
// label before, plus one; or how many versions there are then.
func nextLabel(last linkspan.FunctionVersion) string {
	if last.Label == "" {
		return "1"
	}
	start := len(last.Label)
	for start > 0 && last.Label[start-1] >= '0' && last.Label[start-1] <= '9' {
		start--
	}
	n, err := strconv.ParseUint(last.Label[start:], 10, 63)
	if err != nil { // no number there, or one beyond all measure
		return strconv.FormatInt(last.Number+1, 10)
	}
	return last.Label[:start] + strconv.FormatUint(n+1, 10)
}
