package providerdocs_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/providerdocs"
)

// site is the handler behind the standard mux.
func site(t *testing.T, publicURL string) (http.Handler, *catalog.Catalog) {
	t.Helper()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	docs := providerdocs.New(cat, publicURL)
	mux := http.NewServeMux()
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /docs/providers":               docs.Index,
		"GET /docs/providers/{name}":        docs.Provider,
		"GET /images/template-logos/{file}": docs.Logo,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				status := http.StatusInternalServerError
				if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Kind == linkspan.KindNotFound {
					status = http.StatusNotFound
				}
				http.Error(w, err.Error(), status)
			}
		})
	}
	return mux, cat
}

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestEveryProviderPage renders all pages and checks that they are well formed
// and show what the reader came for.
func TestEveryProviderPage(t *testing.T) {
	t.Parallel()
	h, cat := site(t, "https://link.example.com")
	for p, err := range cat.All() {
		if err != nil {
			t.Fatal(err)
		}
		w := get(t, h, "/docs/providers/"+p.Name)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", p.Name, w.Code, w.Body)
		}
		body := w.Body.String()
		if err := wellFormed(body); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if p.Auth.Mode == catalog.ModeOAuth2 && !strings.Contains(body, "https://link.example.com/oauth/callback") {
			t.Errorf("%s: the callback URL is missing", p.Name)
		}
		_, unsupported := p.Unsupported()
		if strings.Contains(body, "Not supported yet") != unsupported || strings.Contains(body, `id="try"`) == unsupported {
			t.Errorf("%s: the page is wrong about whether it is supported", p.Name)
		}
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "<no value>") {
			t.Errorf("%s: the template produced a placeholder", p.Name)
		}
	}
}

// wellFormed reads the page as lenient XML, which finds tags that are not
// closed or wrongly nested.
func wellFormed(page string) error {
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict = false
	decoder.AutoClose = []string{"meta", "img", "input"}
	decoder.Entity = xml.HTMLEntity
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestProviderPage(t *testing.T) {
	t.Parallel()
	h, _ := site(t, "https://link.example.com/sub/")
	tests := []struct {
		name string
		want []string
	}{
		{"zendesk", []string{"/sub/images/template-logos/zendesk.svg", "OAuth 2.0", "https://link.example.com/sub/oauth/callback", ".zendesk.com", "/sub/docs/providers"}},
		{"github", []string{"x-ratelimit-reset", "rel=next", "x-ratelimit-remaining: 0"}},
		{"github-pat", []string{"x-github-api-version", "&#39;https://link.example.com/sub/proxy/"}},
		{"private-api-generic", []string{"keyPlacement", "A key in the query string can end up", "integration_config"}},
		{"mcp-generic", []string{"Base-Url-Override", "Not supported yet"}},
		{"affinity", []string{"Basic authentication", "&#34;username&#34;: &#34;&#34;"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := get(t, h, "/docs/providers/"+test.name).Body.String()
			for _, want := range test.want {
				if !strings.Contains(body, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
		})
	}
}

func TestUnknownProvider(t *testing.T) {
	t.Parallel()
	h, _ := site(t, "https://link.example.com")
	w := get(t, h, "/docs/providers/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
	if w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "<script>") || !strings.Contains(w.Body.String(), "&lt;script&gt;") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	h, _ := site(t, "https://link.example.com")
	all := get(t, h, "/docs/providers").Body.String()
	if n := strings.Count(all, "<li>"); n != 981 {
		t.Errorf("the index has %d entries, want 981", n)
	}
	found := get(t, h, "/docs/providers?q=%22gmail").Body.String()
	if !strings.Contains(found, "Nothing is called that") || !strings.Contains(found, `value="&#34;gmail"`) {
		t.Error("a query is not escaped or finds too much")
	}
	for _, page := range []string{all, found, get(t, h, "/docs/providers?q=gmail").Body.String()} {
		if err := wellFormed(page); err != nil {
			t.Error(err)
		}
	}
}

// TestStyleIsAllowed checks that the policy names the digest of exactly the
// style sheet that the page carries.
func TestStyleIsAllowed(t *testing.T) {
	t.Parallel()
	h, _ := site(t, "https://link.example.com")
	w := get(t, h, "/docs/providers/github")
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, ok := strings.Cut(rest, "</style>")
	digest := sha256.Sum256([]byte(style))
	want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
	if policy := w.Header().Get("Content-Security-Policy"); !ok || !strings.Contains(policy, want) {
		t.Errorf("the policy %q lacks %q", policy, want)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h, _ := site(t, "https://link.example.com")
	for path, cache := range map[string]string{
		"/docs/providers":                        "no-cache",
		"/docs/providers/github":                 "no-cache",
		"/images/template-logos/github.svg":      "public, max-age=86400, stale-while-revalidate=604800",
		"/images/template-logos/3cx.svg":         "public, max-age=86400, stale-while-revalidate=604800",
		"/images/template-logos/google-mail.svg": "public, max-age=86400, stale-while-revalidate=604800",
	} {
		w := get(t, h, path)
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != cache || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "script-src") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		etag := w.Header().Get("ETag")
		if again := get(t, h, path, "If-None-Match", `"other", W/`+etag); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s: the second request got %d", path, again.Code)
		}
	}
	for _, path := range []string{"/images/template-logos/no-such.svg", "/images/template-logos/github", "/images/template-logos/github.png", "/images/template-logos/..%2Fgithub.svg"} {
		if w := get(t, h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, w.Code)
		}
	}
}
