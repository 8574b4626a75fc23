package function

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
)

// findSize is how many answers of Find, ByEvent, ByWebhook and ByEndpoint a replica keeps at hand.
const findSize = 20_000

// findKey is one question: for a function by its name or endpoint, or for those of
// an event.
type findKey struct {
	env         linkspan.EnvironmentID
	integration string
	kind        linkspan.FunctionKind
	name        string
	event       linkspan.FunctionEvent
	// webhook asks for those that take webhooks.
	webhook bool
	// endpoint is a method and a path without slashes around it.
	endpoint linkspan.FunctionEndpoint
}

// found is an answer. It is shared between callers and never changed.
type found struct {
	env       linkspan.EnvironmentID
	functions []linkspan.Function
}

// tags names what an answer was made from. A deploy may touch thousands of
// functions, so its change names the environment alone.
func (f found) tags() []string { return []string{environmentTag(f.env)} }

func environmentTag(env linkspan.EnvironmentID) string {
	return change.Tag(linkspan.ChangeFunctions, strconv.FormatInt(int64(env), 10))
}

// follow makes the cache drop what changes: the functions themselves, and the
// keys of integrations, which are part of the questions.
func (s *Service) follow() {
	s.feed.Subscribe(func(c linkspan.Change) {
		switch c.Kind { //nolint:exhaustive // nothing else is part of an answer
		case linkspan.ChangeLost:
			s.found.Clear()
		case linkspan.ChangeFunctions, linkspan.ChangeIntegration, linkspan.ChangeEnvironment:
			s.found.Invalidate(environmentTag(c.Environment))
		}
	})
}

// Find returns a function, switched on or not, or a not_found error. It is for
// whoever runs it: the answer comes from a cache and is shared, so that nothing
// in it may be changed.
func (s *Service) Find(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, kind linkspan.FunctionKind, name string) (linkspan.Function, error) {
	key := findKey{env: env, integration: integrationKey, kind: kind, name: name}
	answer, err := s.ask(ctx, key, s.findOne)
	if err != nil {
		return linkspan.Function{}, err
	}
	return answer.functions[0], nil
}

func (s *Service) findOne(ctx context.Context, key findKey) (found, error) {
	list, err := s.store.FunctionsNamed(ctx, nil, key.env, key.integration, key.name)
	if err != nil {
		return found{}, fmt.Errorf("finding a function: %w", err)
	}
	for i := range list {
		if list[i].Kind == key.kind {
			return found{key.env, list[i : i+1]}, nil
		}
	}
	return found{}, missing("function.Find", nil)
}

func missing(op string, cause error) error {
	return linkspan.E(op, linkspan.KindNotFound, "not_found", cause, "Function does not exist")
}

// ByEvent returns the integration's functions at an event that are switched on,
// by name; none is no error. The answer is shared like Find's.
func (s *Service) ByEvent(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, e linkspan.FunctionEvent) ([]linkspan.Function, error) {
	answer, err := s.ask(ctx, findKey{env: env, integration: integrationKey, kind: linkspan.FunctionOnEvent, event: e}, s.findEvent)
	return answer.functions, err
}

func (s *Service) findEvent(ctx context.Context, key findKey) (found, error) {
	list, err := s.store.FunctionsOfKind(ctx, nil, key.env, key.integration, linkspan.FunctionOnEvent)
	if err != nil {
		return found{}, fmt.Errorf("finding the functions at an event: %w", err)
	}
	list = slices.DeleteFunc(list, func(f linkspan.Function) bool { return !f.Enabled || !f.Version.Definition.RunsAt(key.event) })
	return found{key.env, list}, nil
}

// ByWebhook returns the integration's functions that take webhooks of its provider
// and are switched on: syncs with subscriptions, and those made by createFunction
// whose trigger is http. The answer is shared like Find's.
func (s *Service) ByWebhook(ctx context.Context, env linkspan.EnvironmentID, integrationKey string) ([]linkspan.Function, error) {
	answer, err := s.ask(ctx, findKey{env: env, integration: integrationKey, webhook: true}, s.findWebhook)
	return answer.functions, err
}

func (s *Service) findWebhook(ctx context.Context, key findKey) (found, error) {
	answer := found{env: key.env}
	for _, kind := range []linkspan.FunctionKind{linkspan.FunctionSync, linkspan.FunctionAction} {
		list, err := s.store.FunctionsOfKind(ctx, nil, key.env, key.integration, kind)
		if err != nil {
			return found{}, fmt.Errorf("finding the functions that take webhooks: %w", err)
		}
		for i := range list {
			if list[i].Enabled && list[i].Version.Definition.TakesWebhooks() {
				answer.functions = append(answer.functions, list[i])
			}
		}
	}
	return answer, nil
}

// ByEndpoint returns the function of an integration that declares a method and a
// path under /v1, switched on or not, or a not_found error. Slashes around paths
// make no difference: authors write them with and without. The answer is shared
// like Find's.
func (s *Service) ByEndpoint(ctx context.Context, env linkspan.EnvironmentID, integrationKey, method, path string) (linkspan.Function, error) {
	key := findKey{env: env, integration: integrationKey, endpoint: plainEndpoint(linkspan.FunctionEndpoint{Method: method, Path: path})}
	answer, err := s.ask(ctx, key, s.findEndpoint)
	if err != nil {
		return linkspan.Function{}, err
	}
	return answer.functions[0], nil
}

func (s *Service) findEndpoint(ctx context.Context, key findKey) (found, error) {
	for _, kind := range []linkspan.FunctionKind{linkspan.FunctionAction, linkspan.FunctionSync} {
		list, err := s.store.FunctionsOfKind(ctx, nil, key.env, key.integration, kind)
		if err != nil {
			return found{}, fmt.Errorf("finding the function of an endpoint: %w", err)
		}
		for i := range list {
			if slices.ContainsFunc(list[i].Version.Definition.Endpoints, func(e linkspan.FunctionEndpoint) bool { return plainEndpoint(e) == key.endpoint }) {
				return found{key.env, []linkspan.Function{list[i]}}, nil // a copy: the rest need not stay in memory
			}
		}
	}
	return found{}, missing("function.ByEndpoint", nil)
}

// plainEndpoint is an endpoint as it is compared. GET may be left out.
func plainEndpoint(e linkspan.FunctionEndpoint) linkspan.FunctionEndpoint {
	return linkspan.FunctionEndpoint{Method: strings.ToUpper(cmp.Or(e.Method, http.MethodGet)), Path: strings.Trim(e.Path, "/")}
}

// ask answers from the cache, or has the answer looked up.
func (s *Service) ask(ctx context.Context, key findKey, lookUp func(context.Context, findKey) (found, error)) (found, error) {
	if err := s.feed.Check(); err != nil {
		return found{}, err
	}
	if answer, ok := s.found.Peek(key); ok { // spares the hot path Load's closure
		return answer, nil
	}
	return s.found.Load(ctx, key, func(ctx context.Context) (found, error) { return lookUp(ctx, key) })
}

// VersionCode returns the texts of a version. Those of versions in use come from
// a cache.
func (s *Service) VersionCode(ctx context.Context, env linkspan.EnvironmentID, v linkspan.FunctionVersion) (linkspan.FunctionCode, error) {
	bundle, err := s.text(ctx, env, v.CodeHash)
	if err != nil {
		return linkspan.FunctionCode{}, err
	}
	source, err := s.text(ctx, env, v.SourceHash)
	return linkspan.FunctionCode{Bundle: bundle, Source: source}, err
}

func (s *Service) text(ctx context.Context, env linkspan.EnvironmentID, hash string) (string, error) {
	text, err := s.code.load(ctx, codeKey{env, hash}, func(ctx context.Context) (string, error) {
		return s.store.FunctionCode(ctx, nil, env, hash)
	})
	if err != nil {
		return "", fmt.Errorf("reading the code of a function: %w", err)
	}
	return text, nil
}
