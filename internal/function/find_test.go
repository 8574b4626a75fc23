package function

import (
	"net/http"
	"testing"

	"github.com/linkspan/linkspan"
)

// TestByEndpoint finds functions by what older clients call them, from the cache.
func TestByEndpoint(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	ctx, db := t.Context(), &counting{Store: w.Store}
	s := w.replica(db)
	old, read := action("github", "old", "1"), syncing("github", "read", "2", "M")
	old.Definition.Endpoints = []linkspan.FunctionEndpoint{{Method: "post", Path: "/issues/create"}, {Path: "both/"}}
	read.Definition.Endpoints = []linkspan.FunctionEndpoint{{Method: "GET", Path: "/issues"}, {Method: "GET", Path: "/both"}}
	w.deploy(old, read)
	for _, test := range []struct{ method, path, name string }{
		{http.MethodPost, "/issues/create", "old"},
		{http.MethodPost, "/issues/create/", "old"},
		{http.MethodGet, "/issues", "read"},
		{http.MethodGet, "/both", "old"},
		{http.MethodPut, "/issues/create", ""},
		{http.MethodPost, "/issues", ""},
		{http.MethodGet, "/", ""},
	} {
		f, err := s.ByEndpoint(ctx, w.env, "github", test.method, test.path)
		if f.Name != test.name || (linkspan.KindOf(err) == linkspan.KindNotFound) != (test.name == "") {
			t.Errorf("%s %s: %q, %v", test.method, test.path, f.Name, err)
		}
	}
	before := db.kinds.Load()
	const asked = 50
	for i := range asked {
		if _, err := s.ByEndpoint(ctx, w.env, "github", http.MethodGet, []string{"/issues", "issues/"}[i%2]); err != nil {
			t.Error(err)
		}
	}
	// The feed may deliver the deploy in between, which drops the answers once.
	if n := db.kinds.Load() - before; n > asked/5 {
		t.Errorf("the database was asked %d times", n)
	}
	if _, err := s.ByEndpoint(ctx, w.environment("other"), "github", http.MethodGet, "/issues"); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("from another environment: %v", err)
	}
	w.deploy(old)
	if _, err := s.ByEndpoint(ctx, w.env, "github", http.MethodGet, "/issues"); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("after it was removed: %v", err)
	}
}
