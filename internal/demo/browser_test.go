package demo_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/browsertest"
	"github.com/linkspan/linkspan/internal/demo"
)

// Every page is accessible, on phones and on desks, in both themes, and fits the
// width.
func TestPagesInBrowser(t *testing.T) {
	t.Parallel()
	browser := browsertest.Start(t)
	axe := browsertest.NewAxe(t, "../../e2e/node_modules/axe-core/axe.min.js")
	f := start(t, func(c *demo.Config) { c.Client.Name = "An application whose name is rather long, as some are" })
	for name, path := range map[string]string{
		"consent": request("scope", "tickets:read tickets:write users:read"), "refused": "/oauth/authorize", "board": "/", "settings": "/settings",
	} {
		p := browser.Open(t, f.url+path, browsertest.View{})
		p.See(t, "h1")
		for _, dark := range []bool{false, true} {
			for _, width := range []int{390, 1280} {
				what := fmt.Sprintf("%s, dark %t, %d px", name, dark, width)
				p.Look(t, browsertest.View{Width: width, Dark: dark})
				axe.Check(t, p, what)
				var wider bool
				if p.Eval(t, "document.documentElement.scrollWidth > innerWidth", &wider); wider {
					t.Errorf("%s: the page is wider than the window", what)
				}
			}
		}
	}
}

// A person's yes goes through the form and back to the client, which no rule of
// the page may stop.
func TestConsentInBrowser(t *testing.T) {
	t.Parallel()
	client := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<title>Client</title><p id=code>%t</p>", strings.HasPrefix(r.URL.Query().Get("code"), "tkc_"))
	}))
	t.Cleanup(client.Close)
	browser := browsertest.Start(t)
	f := start(t, func(c *demo.Config) { c.Client.RedirectURIs = []string{client.URL + "/callback"} })
	// Without scripts: the page needs none.
	p := browser.Open(t, f.url+request("redirect_uri", client.URL+"/callback"), browsertest.View{Width: 390, NoScript: true})
	p.Click(t, `button[value="approve"]`)
	p.See(t, "#code")
	if got := p.Text(t, "#code"); got != "true" {
		t.Errorf("the client got a code: %s", got)
	}
	if errors := p.Errors(); len(errors) > 0 {
		t.Errorf("the pages reported %q", errors)
	}
}
