package bundle

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
)

// checker collects what is wrong in one definition.
type checker struct{ problems []Problem }

// add notes that a member of the definition can't be as it is.
func (c *checker) add(field, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if field != "" {
		text = field + ": " + text
	}
	c.problems = append(c.problems, Problem{Message: sentence(text)})
}

// read reads a member that may be missing into v, which stays as it is when the
// value is of another type.
func read[T any](c *checker, field string, value json.RawMessage, v *T, what string) {
	if len(value) == 0 || string(value) == "null" {
		return
	}
	var got T
	if err := json.Unmarshal(value, &got); err != nil {
		c.add(field, "must be %s, not %s", what, shorten(string(value)))
		return
	}
	*v = got
}

// has reports whether a problem with the member is known.
func (d *described) has(field string) bool {
	return slices.ContainsFunc(d.Flaws, func(f flaw) bool { return f.Field == field })
}

// shorten cuts a value down to what a message can show.
func shorten(text string) string {
	short, cut := firstRunes(text, 60)
	if cut {
		return short + "…"
	}
	return short
}

// text checks a text's length in characters.
func (c *checker) text(field, text string, most int) {
	if n := utf8.RuneCountInString(text); n > most {
		c.add(field, "has %d characters, %d are the most", n, most)
	}
}

func (c *checker) texts(field string, texts []string) {
	for i, t := range texts {
		c.text(fmt.Sprintf("%s[%d]", field, i), t, 255)
	}
}

// sync reads and checks what only syncs have.
func (d *described) sync(def *linkspan.FunctionDefinition, c *checker) {
	def.SyncType = "full"
	read(c, "frequency", d.Frequency, &def.Frequency, "a text such as \"every hour\"")
	read(c, "syncType", d.SyncType, &def.SyncType, "\"full\" or \"incremental\"")
	read(c, "autoStart", d.AutoStart, &def.AutoStart, "true or false")
	read(c, "trackDeletes", d.TrackDeletes, &def.TrackDeletes, "true or false")
	read(c, "webhookSubscriptions", d.WebhookSubscriptions, &def.WebhookSubscriptions, "a list of texts")
	read(c, "endpoints", d.Endpoints, &def.Endpoints, "a list of { method, path }")
	c.texts("webhookSubscriptions", def.WebhookSubscriptions)
	c.frequency("frequency", def.Frequency)
	if def.SyncType != "full" && def.SyncType != "incremental" {
		c.add("syncType", "must be \"full\" or \"incremental\", not %q", shorten(def.SyncType))
	}
	if def.SyncType == "incremental" && def.TrackDeletes {
		c.add("trackDeletes", "only full syncs can find what was deleted: remove it, or call nango.trackDeletesStart and nango.trackDeletesEnd")
	}
	if !d.has("models") {
		if len(def.Models) == 0 {
			c.add("models", "is empty: a sync saves records of at least one model")
		}
		c.models("models", def.Models)
	}
	if n := len(def.Endpoints); n > 0 && n != len(def.Models) {
		c.add("endpoints", "must be as many as models: %d endpoints, %d models", n, len(def.Models))
	}
	c.endpoints("endpoints", def.Endpoints)
}

// frequency checks how often a sync runs.
func (c *checker) frequency(field, text string) {
	if text == "" {
		c.add(field, "is missing: say how often it runs, such as \"every hour\"")
		return
	}
	if _, err := function.ParseFrequency(text); err != nil {
		c.add(field, "%s", err.Error())
	}
}

// models checks the names of models.
func (c *checker) models(field string, names []string) {
	valid := regexp.MustCompile(`^[A-Z][a-zA-Z0-9_-]{1,254}$`)
	for _, name := range names {
		if !valid.MatchString(name) {
			c.add(field+"."+shorten(name), "is no name for a model: begin with a capital, go on with letters, digits, _ and -, at least 2 and at most 255 characters")
		}
	}
}

// action reads and checks what only actions have.
func (d *described) action(def *linkspan.FunctionDefinition, c *checker) {
	var one *linkspan.FunctionEndpoint
	read(c, "endpoint", d.Endpoint, &one, "{ method, path }")
	read(c, "endpoints", d.Endpoints, &def.Endpoints, "a list of { method, path }")
	if one != nil {
		def.Endpoints = append([]linkspan.FunctionEndpoint{*one}, def.Endpoints...)
	}
	c.endpoints("endpoint", def.Endpoints)
	for member, name := range map[string]string{"input": def.Input, "output": first(def.Models)} {
		if name == "" {
			c.add(member, "is missing: give a zod schema, z.void() for nothing")
		}
	}
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// endpoints checks paths under which older clients call.
func (c *checker) endpoints(field string, endpoints []linkspan.FunctionEndpoint) {
	methods := "GET POST PUT PATCH DELETE"
	for _, e := range endpoints {
		if !strings.Contains(" "+methods+" ", " "+e.Method+" ") || e.Method == "" {
			c.add(field, "%q is no method: use one of %s", shorten(e.Method), methods)
		}
		if !strings.HasPrefix(e.Path, "/") {
			c.add(field, "the path %q must begin with a slash", shorten(e.Path))
		}
		c.text(field+".group", e.Group, 64)
	}
}

// onEvent reads and checks what only functions at events have.
func (d *described) onEvent(def *linkspan.FunctionDefinition, c *checker) {
	events := fmt.Sprintf("%q, %q or %q", linkspan.EventPostConnectionCreation, linkspan.EventPreConnectionDeletion, linkspan.EventValidateConnection)
	read(c, "event", d.Event, &def.Event, events)
	if def.Event == "" {
		c.add("event", "is missing: use %s", events)
	} else if !def.Event.Valid() {
		c.add("event", "there is no event %q: use %s", shorten(string(def.Event)), events)
	}
}

// Limits of checkpoints (features CHK-01).
const (
	maxCheckpointFields = 16
	maxCheckpointKey    = 255
)

// checkpoint checks that a checkpoint is a flat object.
func (c *checker) checkpoint(field string, schema json.RawMessage) {
	if len(schema) == 0 || string(schema) == "null" {
		return
	}
	var s struct {
		Type       any                        `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(schema, &s); err != nil || s.Type != "object" {
		c.add(field, "must be an object, such as z.object({ cursor: z.string() })")
		return
	}
	if n := len(s.Properties); n > maxCheckpointFields {
		c.add(field, "has %d members, %d are the most", n, maxCheckpointFields)
	}
	for name, property := range s.Properties {
		c.text(field+"."+shorten(name), name, maxCheckpointKey)
		var p struct {
			Type  any   `json:"type"`
			Const any   `json:"const"`
			Enum  []any `json:"enum"`
		}
		// What has no type is a mixture or anything at all.
		if err := json.Unmarshal(property, &p); err != nil || !flat(p.Type) {
			c.add(field+"."+shorten(name), "must be a string, a number or a boolean: checkpoints are flat")
		}
	}
}

func flat(typ any) bool {
	return typ == "string" || typ == "number" || typ == "integer" || typ == "boolean"
}

// together checks what functions of one integration must not share. Of two that
// do, the one that comes later in the alphabet is taken for the wrong one.
func (p *Project) together() {
	type key struct{ integration, what string }
	models, endpoints, names := map[key]string{}, map[key]string{}, p.names()
	kept := p.Functions[:0]
	for _, f := range p.Functions {
		e := entry{file: f.File, integration: f.Integration, kind: f.Kind, name: f.Name}
		before := len(p.Problems)
		if other := names[[2]string{f.Integration, f.Name}]; f.Definition.Unified != nil && other != "" {
			p.Problems = append(p.Problems, e.problem("The function %s of the same integration has that name as well: rename one.", other))
		}
		if f.Kind == linkspan.FunctionSync {
			field := "models"
			if f.Definition.Unified != nil {
				field = "data.models"
			}
			for _, m := range f.Definition.Models {
				if other := claimed(models, key{f.Integration, m}, f.File); other != "" {
					p.Problems = append(p.Problems, e.problem("%s.%s: the sync %s of the same integration has a model of that name: rename one.", field, m, other))
				}
			}
		}
		for _, at := range f.Definition.Endpoints {
			if other := claimed(endpoints, key{f.Integration, at.Method + " " + at.Path}, f.File); other != "" {
				p.Problems = append(p.Problems, e.problem("endpoint: %s %s is taken by %s of the same integration: change one.", at.Method, at.Path, other))
			}
		}
		if len(p.Problems) == before {
			kept = append(kept, f)
		}
	}
	p.Functions = kept
}

// names returns the files of functions that were not made by createFunction, by
// integration and name: those that were can't share their names, as they have but
// one for all kinds.
func (p *Project) names() map[[2]string]string {
	names := make(map[[2]string]string)
	for _, f := range p.Functions {
		if f.Definition.Unified == nil {
			names[[2]string{f.Integration, f.Name}] = f.File
		}
	}
	return names
}

// claimed puts a file's claim on a name down, and returns whose it is already.
func claimed[K comparable](claims map[K]string, name K, file string) string {
	if other, taken := claims[name]; taken {
		return other
	}
	claims[name] = file
	return ""
}
