package schedule

import (
	"context"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan"
)

// Ref names a sync function and a variant of it.
type Ref struct {
	Name string
	// Variant is empty for the base variant. Status takes "*" as well: all of them.
	Variant string
}

// ParseRef reads "name" or "name::variant" (wire contract §4.7).
func ParseRef(text string) Ref {
	name, variant, _ := strings.Cut(text, "::")
	return Ref{Name: name, Variant: variant}
}

// String is the inverse of ParseRef.
func (r Ref) String() string {
	if r.Variant == "" {
		return r.Name
	}
	return r.Name + "::" + r.Variant
}

// mostShown is how many syncs texts name.
const mostShown = 10

// anyVariant stands for all variants of a sync.
const anyVariant = "*"

func (r Ref) variant() string {
	if r.Variant == "" {
		return linkspan.BaseVariant
	}
	return r.Variant
}

// Selection names syncs of an integration.
type Selection struct {
	Environment    linkspan.EnvironmentID
	IntegrationKey string
	// ConnectionName is empty for all connections.
	ConnectionName string
	// Syncs are empty for all of the integration, in all variants.
	Syncs []Ref
}

// TriggerOptions say from where a sync begins that is asked for.
type TriggerOptions struct {
	// Reset forgets the checkpoint and when the sync last succeeded, so that it
	// begins from the start (features SYNC-08).
	Reset bool
	// Empty removes the records of its models, too. It needs Reset.
	Empty bool
}

// where says in errors which syncs were asked for.
func (s *Selection) where() string {
	if s.ConnectionName == "" {
		return fmt.Sprintf("the integration %q", s.IntegrationKey)
	}
	return fmt.Sprintf("the connection %q of the integration %q", s.ConnectionName, s.IntegrationKey)
}

// target is a sync function that a selection names, in one variant or in all.
type target struct {
	function linkspan.Function
	// variant is empty for all of them.
	variant string
}

// resolved is a selection with what it names.
type resolved struct {
	env         linkspan.EnvironmentID
	integration linkspan.Integration
	// connection is the zero one for all connections.
	connection linkspan.Connection
	targets    []target
}

// resolve finds what a selection names; nothing is changed before all of it is
// known to be there. strict refuses syncs that do not exist. Codes:
// unknown_provider_config, unknown_connection, no_syncs_found.
func (s *Service) resolve(ctx context.Context, op string, sel *Selection, strict bool) (*resolved, error) {
	r := &resolved{env: sel.Environment}
	var err error
	if r.integration, err = s.store.SyncIntegration(ctx, nil, sel.Environment, sel.IntegrationKey); err != nil {
		return nil, unknownIntegration(op, sel.IntegrationKey, err)
	}
	if sel.ConnectionName != "" {
		if r.connection, err = s.store.SyncConnection(ctx, nil, sel.Environment, r.integration.ID, sel.ConnectionName); err != nil {
			return nil, unknownConnection(op, sel.IntegrationKey, sel.ConnectionName, err)
		}
	}
	functions, err := s.store.SyncFunctions(ctx, nil, sel.Environment, r.integration.ID)
	if err != nil {
		return nil, fmt.Errorf("finding syncs: %w", err)
	}
	if len(sel.Syncs) == 0 {
		for i := range functions {
			r.targets = append(r.targets, target{function: functions[i]})
		}
		if strict && len(r.targets) == 0 {
			return nil, linkspan.E(op, linkspan.KindInvalid, "no_syncs_found", nil, "The integration %q has no syncs.", sel.IntegrationKey)
		}
		return r, nil
	}
	missing, err := s.resolveRefs(ctx, r, functions, sel.Syncs)
	if err != nil {
		return nil, err
	}
	if strict && len(missing) > 0 {
		if len(missing) > mostShown { // errors are kept with the operation
			missing = append(missing[:mostShown], "…")
		}
		return nil, linkspan.E(op, linkspan.KindInvalid, "no_syncs_found", nil, "There is no sync %s for %s.", strings.Join(missing, ", "), sel.where()).
			WithHint("Nothing was changed for the other ones.")
	}
	return r, nil
}

// resolveRefs finds syncs by their names and returns those that are missing.
func (s *Service) resolveRefs(ctx context.Context, r *resolved, functions []linkspan.Function, refs []Ref) (missing []string, err error) {
	seen := make(map[Ref]bool, len(refs))
	for _, ref := range refs {
		t := target{variant: ref.variant()}
		if t.variant == anyVariant {
			t.variant = ""
		}
		if seen[Ref{ref.Name, t.variant}] {
			continue
		}
		seen[Ref{ref.Name, t.variant}] = true
		fn := named(functions, ref.Name)
		if fn == nil {
			missing = append(missing, fmt.Sprintf("%q", ref))
			continue
		}
		t.function = *fn
		// Every connection has the base variant; others may be nowhere.
		if t.variant != "" && t.variant != linkspan.BaseVariant {
			ids, err := s.store.SyncIDs(ctx, nil, r.env, fn.ID, t.variant, r.connection.ID)
			if err != nil {
				return nil, fmt.Errorf("finding syncs: %w", err)
			}
			if len(ids) == 0 {
				missing = append(missing, fmt.Sprintf("%q", ref))
				continue
			}
		}
		r.targets = append(r.targets, t)
	}
	return missing, nil
}

func named(functions []linkspan.Function, name string) *linkspan.Function {
	for i := range functions {
		if functions[i].Name == name {
			return &functions[i]
		}
	}
	return nil
}

// found is one sync of one connection.
type found struct {
	integration linkspan.Integration
	connection  linkspan.Connection
	function    linkspan.Function
	id          linkspan.SyncID
}

// one finds one sync. Codes: unknown_provider_config, unknown_connection,
// unknown_sync.
func (s *Service) one(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref Ref) (*found, error) {
	const op = "schedule.one"
	r, err := s.resolve(ctx, op, &Selection{Environment: env, IntegrationKey: integrationKey, ConnectionName: connectionName, Syncs: []Ref{ref}}, true)
	if linkspan.CodeOf(err) == "no_syncs_found" {
		return nil, unknownSync(op, ref)
	}
	if err != nil {
		return nil, err
	}
	if err := s.complete(ctx, r); err != nil {
		return nil, err
	}
	o := &found{integration: r.integration, connection: r.connection, function: r.targets[0].function}
	ids, err := s.store.SyncIDs(ctx, nil, env, o.function.ID, ref.variant(), o.connection.ID)
	if err != nil {
		return nil, fmt.Errorf("finding a sync: %w", err)
	}
	if len(ids) == 0 {
		return nil, unknownSync(op, ref)
	}
	o.id = ids[0]
	return o, nil
}

func unknownIntegration(op, key string, err error) error {
	if linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("reading integration %q: %w", key, err)
	}
	return linkspan.E(op, linkspan.KindNotFound, "unknown_provider_config", err, "There is no integration %q in this environment.", key)
}

func unknownConnection(op, integrationKey, name string, err error) error {
	if linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("reading connection %q of %q: %w", name, integrationKey, err)
	}
	return linkspan.E(op, linkspan.KindNotFound, "unknown_connection", err, "There is no connection %q at the integration %q.", name, integrationKey)
}

func unknownSync(op string, ref Ref) error {
	return linkspan.E(op, linkspan.KindNotFound, "unknown_sync", nil, "There is no sync %q for this connection.", ref)
}
