package author

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// Imports returns the sources that a deployed function imports, directly or through
// others, by their places in a folder of functions, as far as its code has them.
func Imports(f *linkspan.Function, code linkspan.FunctionCode) map[string]string {
	return bundle.Imported(code, f.IntegrationKey, f.Name)
}

// Templates returns those for integrations of a provider, in the order of the
// library.
func (s *Service) Templates(provider string) []Template {
	if s.c.Templates == nil {
		return nil
	}
	return slices.DeleteFunc(s.c.Templates(), func(t Template) bool { return t.Provider != provider })
}

// TemplateDeployment is a template to deploy to an integration.
type TemplateDeployment struct {
	IntegrationKey string
	Template       string
	// Kind is empty where one template alone has the name.
	Kind linkspan.FunctionKind
}

// DeployTemplate deploys a function of the library at once. A newer template takes
// the place of an older one. Codes: integration_not_found, template_not_found,
// ambiguous_function, template_already_deployed, invalid_request, deployment_error.
func (s *Service) DeployTemplate(ctx context.Context, env linkspan.Environment, d TemplateDeployment) (linkspan.AuthorJob, error) {
	var none linkspan.AuthorJob
	i, err := s.integration(ctx, env.ID, d.IntegrationKey)
	if err != nil {
		return none, err
	}
	t, err := s.template(&i, d)
	if err != nil {
		return none, err
	}
	done, err := s.deployFunction(ctx, env.ID, &function.Deployment{
		Mode: function.ModeSingle, Source: linkspan.SourceCatalog, SDKVersion: bundle.SDKVersion(s.c.Version),
		Functions: []function.Deployable{{IntegrationKey: i.Key, Kind: t.Kind, Name: t.Name, Version: t.Version, Definition: t.Definition, Code: t.Code}},
		Refuse:    func(now *linkspan.Function) error { return refuseTemplate(now, t) },
	})
	if err != nil {
		return none, undeployed(err)
	}
	result, err := json.Marshal(deployedOf(&done))
	if err != nil {
		return none, fmt.Errorf("encoding what was deployed: %w", err)
	}
	log := newJournal(int(s.limits.Notes))
	for _, f := range done.Functions {
		log.line(s.c.Now(), "info", fmt.Sprintf("Deployed the template %s, version %s.", f.Name, f.Version.Label), nil)
	}
	j := linkspan.AuthorJob{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Kind: linkspan.AuthorDeployment, State: linkspan.RunSucceeded,
		IntegrationKey: i.Key, FunctionName: t.Name, FunctionKind: t.Kind,
		Result: linkspan.NewSecret(string(result)), Output: linkspan.NewSecret(log.text()),
	}
	if err := s.c.Store.InsertAuthorJob(ctx, nil, &j, room); err != nil {
		return none, fmt.Errorf("storing a deployment: %w", err)
	}
	s.succeeded.Add(1)
	return j, nil
}

// template finds a template for an integration.
func (s *Service) template(i *linkspan.Integration, d TemplateDeployment) (*Template, error) {
	found := slices.DeleteFunc(s.Templates(i.Provider), func(t Template) bool { return t.Name != d.Template || d.Kind != "" && t.Kind != d.Kind })
	switch len(found) {
	case 0:
		return nil, linkspan.E("author.template", linkspan.KindNotFound, "template_not_found", nil, "There is no template %q for integrations of %s.", d.Template, i.Provider).
			WithHint("GET /providers/%s/templates lists those that there are.", i.Provider)
	case 1:
		return &found[0], nil
	}
	matches := make([]function.Match, len(found))
	for n := range found {
		matches[n] = function.Match{Type: found[n].Kind, Name: found[n].Name}
	}
	return nil, linkspan.E("author.template", linkspan.KindConflict, "ambiguous_function", nil, "There are several templates named %q.", d.Template).
		WithHint("Say which one with function_type.").WithPayload(map[string]any{"matches": matches})
}

// refuseTemplate says why a template must not take a function's place.
func refuseTemplate(now *linkspan.Function, t *Template) error {
	const op = "author.refuseTemplate"
	switch {
	case now.Source != linkspan.SourceCatalog:
		return linkspan.E(op, linkspan.KindInvalid, codeInvalid, nil,
			"The integration has a function %q of the type %s of its own, which is no template.", now.Name, now.Kind).WithHint("Delete it first.")
	case now.Version.CodeHash == hash(t.Code.Bundle):
		return linkspan.E(op, linkspan.KindConflict, "template_already_deployed", nil, "The template %q is deployed already.", t.Name)
	}
	return nil
}
