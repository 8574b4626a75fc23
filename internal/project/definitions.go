package project

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// Definitions are those of an integration's functions, in the shape that the
// published CLI writes (features FN-05).
type Definitions struct {
	ProviderConfigKey string                              `json:"providerConfigKey"`
	Actions           []ActionDefinition                  `json:"actions"`
	Syncs             []SyncDefinition                    `json:"syncs"`
	OnEventScripts    map[linkspan.FunctionEvent][]string `json:"onEventScripts"`
}

// definition is what actions and syncs have in common.
type definition struct {
	Type        string   `json:"type"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Version     string   `json:"version"`
	Scopes      []string `json:"scopes"`
	// Input names a definition of JSONSchema: an action's input, a sync's metadata.
	Input string `json:"input"`
	// Output names an action's output or a sync's models.
	Output     []string        `json:"output"`
	UsedModels []string        `json:"usedModels"`
	JSONSchema json.RawMessage `json:"json_schema"`
	Features   []string        `json:"features"`
}

// ActionDefinition describes an action.
type ActionDefinition struct {
	definition
	Endpoint *linkspan.FunctionEndpoint `json:"endpoint"`
}

// SyncDefinition describes a sync.
type SyncDefinition struct {
	definition
	AutoStart            bool                        `json:"auto_start"`
	Endpoints            []linkspan.FunctionEndpoint `json:"endpoints"`
	Runs                 string                      `json:"runs"`
	SyncType             string                      `json:"sync_type"`
	TrackDeletes         bool                        `json:"track_deletes"`
	WebhookSubscriptions []string                    `json:"webhookSubscriptions"`
}

// Define collects the definitions of functions by integration, in the order of
// the functions.
func Define(functions []bundle.Function) []Definitions {
	all := []Definitions{}
	for _, f := range functions {
		at := slices.IndexFunc(all, func(d Definitions) bool { return d.ProviderConfigKey == f.Integration })
		if at < 0 {
			at = len(all)
			all = append(all, Definitions{
				ProviderConfigKey: f.Integration, Actions: []ActionDefinition{}, Syncs: []SyncDefinition{},
				OnEventScripts: map[linkspan.FunctionEvent][]string{
					linkspan.EventPostConnectionCreation: {}, linkspan.EventPreConnectionDeletion: {}, linkspan.EventValidateConnection: {},
				},
			})
		}
		all[at].put(f)
	}
	return all
}

// put adds a function.
func (d *Definitions) put(f bundle.Function) {
	def := f.Definition
	one := definition{
		Type: string(f.Kind), Name: f.Name, Description: def.Description, Version: f.Version, Scopes: list(def.Scopes),
		Input: def.Input, Output: list(def.Models), JSONSchema: def.Schema, Features: list(def.Features),
	}
	if f.Kind == linkspan.FunctionSync {
		one.Input = metadataOf(f)
	}
	if one.JSONSchema == nil {
		one.JSONSchema = json.RawMessage(`{"definitions":{}}`)
	}
	one.UsedModels = list(slices.DeleteFunc(append(slices.Clone(def.Models), one.Input), func(name string) bool { return name == "" }))
	switch f.Kind {
	case linkspan.FunctionSync:
		d.Syncs = append(d.Syncs, SyncDefinition{
			definition: one, AutoStart: def.AutoStart, Endpoints: list(def.Endpoints), Runs: def.Frequency, SyncType: def.SyncType,
			TrackDeletes: def.TrackDeletes, WebhookSubscriptions: list(def.WebhookSubscriptions),
		})
	case linkspan.FunctionAction:
		a := ActionDefinition{definition: one}
		if len(def.Endpoints) > 0 {
			a.Endpoint = &def.Endpoints[0]
		}
		d.Actions = append(d.Actions, a)
	case linkspan.FunctionOnEvent:
		for _, e := range eventsOf(f) {
			d.OnEventScripts[e] = append(d.OnEventScripts[e], f.Name)
		}
	}
}

// eventsOf returns the events that a function runs at.
func eventsOf(f bundle.Function) []linkspan.FunctionEvent {
	if f.Definition.Unified != nil {
		return f.Definition.Unified.Events
	}
	return []linkspan.FunctionEvent{f.Definition.Event}
}

// metadataOf names the definition of what the metadata of a function's connections
// holds, or "". The input of what createSync makes is that.
func metadataOf(f bundle.Function) string {
	if f.Kind == linkspan.FunctionSync {
		return cmp.Or(f.Definition.Metadata, f.Definition.Input)
	}
	return f.Definition.Metadata
}

// list is a list that is [] in JSON when it is empty.
func list[T any](of []T) []T {
	if of == nil {
		return []T{}
	}
	return of
}

// DefinitionsFile returns where the definitions of a folder are written, with
// slashes: where the published CLI does it, if it laid the folder out.
func DefinitionsFile(dir string) string {
	if Published(dir) {
		return publishedFolder + "/nango.json"
	}
	return OwnFolder + "/functions.json"
}

// WriteDefinitions writes the definitions of functions into their folder and
// returns the file, with slashes.
func WriteDefinitions(dir string, functions []bundle.Function) (string, error) {
	file := DefinitionsFile(dir)
	text, err := pretty(Define(functions))
	if err != nil {
		return "", fmt.Errorf("writing the definitions: %w", err)
	}
	if err := put(filepath.Join(dir, filepath.FromSlash(file)), text); err != nil {
		return "", fmt.Errorf("writing %s: %w", file, err)
	}
	return file, nil
}

// pretty is JSON for people.
func pretty(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// put writes a file that can be made again, and the folders above it.
func put(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // what is derived from sources is as open as they are
		return err
	}
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, text) {
		return nil // who watches the file is left alone
	}
	return replace(name, text, 0o644)
}

// WriteBundles writes each function's bundle into a folder, as
// <integration>_<folder>_<name>.cjs, removes those of functions that are gone,
// and returns how many there are.
func WriteBundles(dir string, functions []bundle.Function) (int, error) {
	written := make(map[string]bool, len(functions))
	for _, f := range functions {
		name := strings.ReplaceAll(strings.TrimSuffix(f.File, filepath.Ext(f.File)), "/", "_") + ".cjs"
		if err := put(filepath.Join(dir, name), []byte(f.Code.Bundle)); err != nil {
			return 0, fmt.Errorf("writing the bundle %s: %w", name, err)
		}
		written[name] = true
	}
	if err := removeBundles(dir, written); err != nil {
		return 0, fmt.Errorf("removing bundles of functions that are gone: %w", err)
	}
	return len(written), nil
}

// removeBundles removes the bundles of a folder that were not written now. Files of
// other names are somebody else's: the folder may be any.
func removeBundles(dir string, written map[string]bool) error {
	ours := regexp.MustCompile(`^.+_(?:syncs|actions|on-events|functions)_[a-zA-Z0-9_-]+\.cjs$`)
	there, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, old := range there {
		if name := old.Name(); old.Type().IsRegular() && !written[name] && ours.MatchString(name) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
		}
	}
	return err
}
