package function

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

// codeGrace is how long code is kept that no version refers to: longer than any
// deploy takes that has stored it and is not through yet.
const codeGrace = 24 * time.Hour

const (
	// keepVersions is how many of a function's versions are kept, beside the active
	// one: the newest.
	keepVersions = 100
	// keepRemoved is how long a removed function is kept with its versions.
	keepRemoved = 90 * 24 * time.Hour
)

// All returns the environment's functions, oldest first.
func (s *Service) All(ctx context.Context, env linkspan.EnvironmentID) ([]linkspan.Function, error) {
	list, err := s.store.Functions(ctx, nil, env)
	if err != nil {
		return nil, fmt.Errorf("listing functions: %w", err)
	}
	return list, nil
}

// Filter selects functions of an integration.
type Filter struct {
	Integration linkspan.IntegrationID
	// Kind is empty for any.
	Kind linkspan.FunctionKind
	// Search is a part of the name, in any case. Empty: any.
	Search string
	// Limit is at most how many are returned, Offset how many are skipped.
	Limit, Offset int
}

// List returns functions by name, and how many there are of the filter's.
func (s *Service) List(ctx context.Context, env linkspan.EnvironmentID, f Filter) ([]linkspan.Function, int, error) {
	list, total, err := s.store.FunctionPage(ctx, nil, env, f.Integration, f.Kind, f.Search, f.Limit, f.Offset)
	if err != nil {
		return nil, 0, fmt.Errorf("listing functions: %w", err)
	}
	return list, total, nil
}

// Name names a function for people, who may leave the kind out where one
// function alone has the name.
type Name struct {
	IntegrationKey string
	// Kind is empty for any.
	Kind linkspan.FunctionKind
	Name string
}

// Function returns a function as the database has it. Codes: not_found, and
// ambiguous_function when the kind is needed to tell functions apart.
func (s *Service) Function(ctx context.Context, env linkspan.EnvironmentID, n Name) (linkspan.Function, error) {
	return s.function(ctx, nil, env, n)
}

// Match is one of several functions of a name.
type Match struct {
	Type linkspan.FunctionKind `json:"type"`
	Name string                `json:"name"`
}

func (s *Service) function(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, n Name) (linkspan.Function, error) {
	const op = "function.Function"
	list, err := s.store.FunctionsNamed(ctx, tx, env, n.IntegrationKey, n.Name)
	if err != nil {
		return linkspan.Function{}, fmt.Errorf("reading a function: %w", err)
	}
	if n.Kind != "" {
		list = slices.DeleteFunc(list, func(f linkspan.Function) bool { return f.Kind != n.Kind })
	}
	switch len(list) {
	case 0:
		return linkspan.Function{}, missing(op, nil)
	case 1:
		return list[0], nil
	}
	matches := make([]Match, len(list))
	for i := range list {
		matches[i] = Match{list[i].Kind, list[i].Name}
	}
	return linkspan.Function{}, linkspan.E(op, linkspan.KindConflict, "ambiguous_function", nil,
		"The integration %q has several functions named %q.", n.IntegrationKey, n.Name).
		WithHint("Say which one with the type.").WithPayload(map[string]any{"matches": matches})
}

// Source returns a function with the TypeScript it was made of. Codes: those of
// Function; not_found also when the source is not there.
func (s *Service) Source(ctx context.Context, env linkspan.EnvironmentID, n Name) (linkspan.Function, string, error) {
	f, err := s.Function(ctx, env, n)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return f, "", linkspan.E("function.Source", linkspan.KindNotFound, "not_found", err,
			"Function '%s' not found for integration '%s'", n.Name, n.IntegrationKey)
	}
	if err != nil {
		return f, "", err
	}
	source, err := s.text(ctx, env, f.Version.SourceHash)
	if linkspan.KindOf(err) == linkspan.KindNotFound || err == nil && source == "" {
		return f, "", linkspan.E("function.Source", linkspan.KindNotFound, "not_found", err, "Source file for '%s' not found", n.Name)
	}
	return f, source, err
}

// SetEnabled switches a function on or off, and returns it as it is then. Codes:
// those of Function.
func (s *Service) SetEnabled(ctx context.Context, env linkspan.EnvironmentID, n Name, enabled bool) (linkspan.Function, error) {
	var f linkspan.Function
	err := s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) (err error) {
		if f, err = s.function(ctx, tx, env, n); err != nil || f.Enabled == enabled {
			return err
		}
		before := f
		if err := s.store.SetFunctionEnabled(ctx, tx, &f, enabled); err != nil {
			return err
		}
		return s.changed(ctx, tx, env, []linkspan.Function{f}, nil, []linkspan.Function{before})
	})
	if err != nil {
		return linkspan.Function{}, fmt.Errorf("switching a function: %w", err)
	}
	return f, nil
}

// Delete removes a function. Codes: those of Function, and
// function_managed_by_deploy for one that a folder keeps, which would bring it
// back.
func (s *Service) Delete(ctx context.Context, env linkspan.EnvironmentID, n Name) error {
	err := s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		f, err := s.function(ctx, tx, env, n)
		if err != nil {
			return err
		}
		if f.Source == linkspan.SourceRepo {
			return linkspan.E("function.Delete", linkspan.KindInvalid, "function_managed_by_deploy", nil,
				"The function %q is kept in a folder that is deployed.", f.Name).WithHint("Remove it there and deploy.")
		}
		if err := s.store.RemoveFunctions(ctx, tx, env, []linkspan.FunctionID{f.ID}); err != nil {
			return err
		}
		return s.changed(ctx, tx, env, nil, []linkspan.Function{f}, nil)
	})
	if err != nil {
		return fmt.Errorf("deleting a function: %w", err)
	}
	return nil
}

// Versions returns a function and at most limit of its versions, newest first,
// from behind offset others, and how many there are. Codes: those of Function.
func (s *Service) Versions(ctx context.Context, env linkspan.EnvironmentID, n Name, limit, offset int) (linkspan.Function, []linkspan.FunctionVersion, int, error) {
	f, err := s.Function(ctx, env, n)
	if err != nil {
		return f, nil, 0, err
	}
	list, total, err := s.store.FunctionVersions(ctx, nil, env, f.ID, limit, offset)
	if err != nil {
		return f, nil, 0, fmt.Errorf("listing versions of a function: %w", err)
	}
	return f, list, total, nil
}

// Rollback makes an earlier version, or a later one again, the one that runs. It
// makes no new version; the next deploy that changes the function does. Codes:
// those of Function, and not_found for a version that there is not.
func (s *Service) Rollback(ctx context.Context, env linkspan.EnvironmentID, n Name, number int64) (linkspan.Function, error) {
	op := s.ops.Start(linkspan.Operation{
		EnvironmentID: env, Type: linkspan.OperationDeploy, Action: linkspan.ActionDeployCustom, IntegrationKey: n.IntegrationKey,
	})
	f, err := s.rollback(ctx, env, n, number)
	if err != nil {
		op.FailWith(err)
		return linkspan.Function{}, fmt.Errorf("rolling a function back: %w", err)
	}
	op.Describe("", f.Provider, "", "")
	op.Succeed(fmt.Sprintf("The %s %s runs version %d (%s) now", f.Kind, f.Name, f.Version.Number, f.Version.Label))
	return f, nil
}

func (s *Service) rollback(ctx context.Context, env linkspan.EnvironmentID, n Name, number int64) (linkspan.Function, error) {
	var f linkspan.Function
	err := s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) (err error) {
		if f, err = s.function(ctx, tx, env, n); err != nil || f.Version.Number == number {
			return err
		}
		v, err := s.store.FunctionVersion(ctx, tx, env, f.ID, number)
		if linkspan.KindOf(err) == linkspan.KindNotFound {
			return linkspan.E("function.Rollback", linkspan.KindNotFound, "not_found", err,
				"The function %q has no version %d.", f.Name, number).WithHint("The list of its versions has their numbers.")
		}
		if err != nil {
			return err
		}
		before := f
		if err := s.store.SetFunctionVersion(ctx, tx, &f, &v); err != nil {
			return err
		}
		return s.changed(ctx, tx, env, []linkspan.Function{f}, nil, []linkspan.Function{before})
	})
	return f, err
}

// Purge removes versions beyond those that are kept, functions that were removed
// long ago, and code that no version refers to any more: of each at most limit,
// of the versions those of at most limit functions. It returns how many it removed
// of what it removed the most; call it again while that is limit.
func (s *Service) Purge(ctx context.Context, limit int) (int, error) {
	if limit < 1 {
		return 0, errors.New("purging functions: the limit is not positive")
	}
	trimmed, err := s.store.TrimFunctionVersions(ctx, keepVersions, limit)
	if err != nil {
		return 0, fmt.Errorf("purging versions of functions: %w", err)
	}
	removed, err := s.store.PurgeFunctions(ctx, nil, s.now().Add(-keepRemoved), limit)
	if err != nil {
		return 0, fmt.Errorf("purging removed functions: %w", err)
	}
	texts, err := s.store.PurgeFunctionCode(ctx, nil, s.now().Add(-codeGrace), limit)
	if err != nil {
		return 0, fmt.Errorf("purging code: %w", err)
	}
	return max(trimmed, removed, texts), nil
}
