package author_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// anIntegration is one of the provider code.
type anIntegration struct{}

func (anIntegration) Get(_ context.Context, _ linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	return linkspan.Integration{Key: key, Provider: "code"}, nil
}

// InsertAuthorJob implements author.Store.
func (s *jobs) InsertAuthorJob(_ context.Context, _ linkspan.Tx, j *linkspan.AuthorJob, _ int) error {
	s.finished = append(s.finished, *j)
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// What there is decides whether a template may be deployed.
func TestTemplatesOverOthers(t *testing.T) {
	t.Parallel()
	library := []author.Template{
		{Provider: "code", Kind: linkspan.FunctionSync, Name: "issues", Code: linkspan.FunctionCode{Bundle: "new"}},
		{Provider: "code", Kind: linkspan.FunctionSync, Name: "both", Code: linkspan.FunctionCode{Bundle: "new"}},
		{Provider: "code", Kind: linkspan.FunctionAction, Name: "both", Code: linkspan.FunctionCode{Bundle: "new"}},
		{Provider: "other", Kind: linkspan.FunctionSync, Name: "theirs", Code: linkspan.FunctionCode{Bundle: "new"}},
	}
	at := func(source linkspan.FunctionSource, text string) *linkspan.Function {
		return &linkspan.Function{Source: source, Version: linkspan.FunctionVersion{CodeHash: hashOf(text)}}
	}
	for name, c := range map[string]struct {
		now      *linkspan.Function
		template string
		kind     linkspan.FunctionKind
		code     string // empty: it is deployed
	}{
		"nothing":                 {template: "issues"},
		"an older one":            {now: at(linkspan.SourceCatalog, "old"), template: "issues"},
		"the same":                {now: at(linkspan.SourceCatalog, "new"), template: "issues", code: "template_already_deployed"},
		"a folder's":              {now: at(linkspan.SourceRepo, "new"), template: "issues", code: "invalid_request"},
		"a text's":                {now: at(linkspan.SourceStandalone, "old"), template: "issues", code: "invalid_request"},
		"two of the name":         {template: "both", code: "ambiguous_function"},
		"one of the two":          {template: "both", kind: linkspan.FunctionAction},
		"not of the kind":         {template: "issues", kind: linkspan.FunctionAction, code: "template_not_found"},
		"another provider's":      {template: "theirs", code: "template_not_found"},
		"none of the name at all": {template: "nope", code: "template_not_found"},
	} {
		store := &jobs{}
		s := author.New(author.Config{
			Store: store, Functions: &deploys{now: c.now}, Integrations: anIntegration{},
			Templates: func() []author.Template { return append([]author.Template{}, library...) },
		})
		j, err := s.DeployTemplate(t.Context(), linkspan.Environment{ID: 1}, author.TemplateDeployment{IntegrationKey: "crm", Template: c.template, Kind: c.kind})
		if linkspan.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v", name, err)
		}
		if (len(store.finished) == 1) != (c.code == "") || c.code == "" && j.State != linkspan.RunSucceeded {
			t.Errorf("%s: stored %+v, returned %+v", name, store.finished, j)
		}
	}
}

// A deploy whose process died after it was through ends well; the same text deployed
// once more is refused.
func TestDeployBegunByTheDead(t *testing.T) {
	t.Parallel()
	for attempt, code := range map[int64]string{0: "invalid_request", 1: ""} {
		synctest.Test(t, func(t *testing.T) {
			s := &jobs{job: deployment(aRequest), due: true}
			s.job.Attempt = attempt
			there := &linkspan.Function{Source: linkspan.SourceStandalone, Version: linkspan.FunctionVersion{CodeHash: hashOf(bundle.CompileText("export default 1").Bundle)}}
			work(t, author.Config{Store: s, Functions: &deploys{now: there}, Compiler: inProcess{}, Executor: describer{}}, func() { <-time.After(5 * time.Second) })
			if len(s.finished) != 1 {
				t.Fatalf("ended %d times", len(s.finished))
			}
			failed := ""
			if e := s.finished[0].Error; e != nil {
				failed = e.Code
			}
			if failed != code {
				t.Errorf("attempt %d ended with %q, not %q", attempt+1, failed, code)
			}
		})
	}
}
