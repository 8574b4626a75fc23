package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

// trigger is what a function made by createFunction says it runs at.
type trigger struct {
	Kind linkspan.FunctionTrigger `json:"kind"`
	// Subscriptions and Debounce are of http, Frequency and AutoStart of schedule,
	// Events of event.
	Subscriptions []string                 `json:"subscriptions"`
	Debounce      json.RawMessage          `json:"debounce"`
	Frequency     string                   `json:"frequency"`
	AutoStart     *bool                    `json:"autoStart"`
	Events        []linkspan.FunctionEvent `json:"events"`
}

// unified reads and checks what only functions made by createFunction have, and
// returns the kind that their trigger makes of them.
func (d *described) unified(def *linkspan.FunctionDefinition, c *checker) linkspan.FunctionKind {
	u := &linkspan.UnifiedFunction{Trigger: linkspan.TriggerNone, Output: d.Output, Checkpoint: d.CheckpointName}
	def.Unified, def.Metadata = u, d.Metadata
	if u.Checkpoint != "" {
		def.Features = []string{"checkpoints"}
	}
	t := trigger{Kind: linkspan.TriggerNone}
	read(c, "trigger", d.Trigger, &t, "an object such as { kind: \"schedule\", frequency: \"every hour\" }")
	d.requires(u, c)
	d.limits(u, c)
	u.Trigger = t.Kind
	switch t.Kind {
	case linkspan.TriggerNone:
	case linkspan.TriggerHTTP:
		def.WebhookSubscriptions = t.Subscriptions
		c.texts("trigger.subscriptions", t.Subscriptions)
		if len(t.Debounce) > 0 && string(t.Debounce) != "null" {
			c.add("trigger.debounce", "requests can't be gathered: remove it, the function runs for each")
		}
	case linkspan.TriggerSchedule:
		def.SyncType, def.Frequency, def.AutoStart = "full", t.Frequency, t.AutoStart == nil || *t.AutoStart
		c.frequency("trigger.frequency", t.Frequency)
		c.models("data.models", def.Models)
		return linkspan.FunctionSync
	case linkspan.TriggerEvent:
		d.events(def, t.Events, c)
	default:
		c.add("trigger.kind", "there is no trigger %q: use \"none\", \"http\", \"schedule\" or \"event\"", shorten(string(t.Kind)))
	}
	if len(def.Models) > 0 {
		c.add("data.models", "only functions with a schedule keep records: add trigger: { kind: \"schedule\", frequency: \"every hour\" }, or remove the models")
	}
	if def.Models = nil; u.Trigger.Kind() == linkspan.FunctionAction && u.Output != "" {
		def.Models = []string{u.Output}
	}
	return u.Trigger.Kind()
}

// events reads the events that a function runs at.
func (*described) events(def *linkspan.FunctionDefinition, events []linkspan.FunctionEvent, c *checker) {
	known := []string{string(linkspan.EventPostConnectionCreation), string(linkspan.EventPreConnectionDeletion), string(linkspan.EventValidateConnection)}
	names := `"` + strings.Join(known, `", "`) + `"`
	if len(events) == 0 {
		c.add("trigger.events", "is empty: name at least one of %s", names)
		return
	}
	for i, e := range events {
		switch {
		case !e.Valid():
			c.add(fmt.Sprintf("trigger.events[%d]", i), "there is no event %q: use %s", shorten(string(e)), names)
		case slices.Contains(events[:i], e):
			c.add(fmt.Sprintf("trigger.events[%d]", i), "%q is there twice", string(e))
		}
	}
	def.Unified.Events, def.Event = events, events[0]
}

// requires reads what the function may do beside computing.
func (d *described) requires(u *linkspan.UnifiedFunction, c *checker) {
	var r struct {
		Connection *bool `json:"connection"`
		Outbound   *bool `json:"outbound"`
		Invoke     *bool `json:"invoke"`
	}
	read(c, "requires", d.Requires, &r, "an object such as { outbound: false, invoke: true }")
	if r.Connection != nil && !*r.Connection {
		c.add("requires.connection", "functions without a connection can't be run: remove it, and invoke the function for a connection")
	}
	u.Outbound, u.Invoke = r.Outbound == nil || *r.Outbound, r.Invoke != nil && *r.Invoke
}

// limits reads how many runs may be under way for a connection.
func (d *described) limits(u *linkspan.UnifiedFunction, c *checker) {
	var l struct {
		Concurrency struct {
			PerConnection json.RawMessage `json:"perConnection"`
		} `json:"concurrency"`
	}
	read(c, "limits", d.Limits, &l, "an object such as { concurrency: { perConnection: 1 } }")
	switch text := string(l.Concurrency.PerConnection); text {
	case "", "null", `"max"`:
	case "1":
		u.PerConnection = 1
	default:
		c.add("limits.concurrency.perConnection", "must be 1 or \"max\", not %s", shorten(text))
	}
}

// checkpointField is where the schema of the checkpoint is in the definition.
func (d *described) checkpointField() string {
	if d.CheckpointName != "" {
		return "data.checkpoint"
	}
	return "checkpoint"
}
