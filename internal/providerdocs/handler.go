package providerdocs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

//go:embed assets/*.html assets/style.css
var assets embed.FS

// etagBytes is how much of a digest identifies an answer.
const etagBytes = 12

// Cache lifetimes. Pages are revalidated: an operator may change a provider at
// any time. Logos change with releases only.
const (
	cachePages = "no-cache"
	cacheLogos = "public, max-age=86400, stale-while-revalidate=604800"
)

// logoPolicy keeps an operator's own SVG from running anything when it is opened
// as a document.
const logoPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

// Handler makes the pages. Its methods have the form of httpx handlers: mount
//
//	GET /docs/providers                  Index
//	GET /docs/providers/{name}           Provider
//	GET /images/template-logos/{file}    Logo
//
// It is safe for concurrent use.
type Handler struct {
	catalog *catalog.Catalog
	base    string
	pages   *template.Template
	style   template.CSS
	policy  string
}

// New makes a handler. publicURL is the address that users reach the server at,
// for links and examples.
func New(cat *catalog.Catalog, publicURL string) *Handler {
	// The assets are embedded and tested: they cannot be missing or broken.
	style, err := assets.ReadFile("assets/style.css")
	if err != nil {
		panic(fmt.Sprintf("providerdocs: reading the style sheet: %v", err))
	}
	// The policy allows exactly this style sheet, by its digest.
	digest := sha256.Sum256(style)
	return &Handler{
		catalog: cat,
		base:    strings.TrimRight(publicURL, "/"),
		pages:   template.Must(template.New("").ParseFS(assets, "assets/*.html")),
		style:   template.CSS(style), //nolint:gosec // our own file
		policy: "default-src 'none'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'; style-src 'sha256-" +
			base64.StdEncoding.EncodeToString(digest[:]) + "'",
	}
}

// Index lists the providers, or those that the query parameter q finds.
func (h *Handler) Index(w http.ResponseWriter, r *http.Request) error {
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	found, err := h.catalog.Search(query)
	if err != nil {
		return fmt.Errorf("listing providers for the documentation: %w", err)
	}
	return h.page(w, r, http.StatusOK, "index.html", newIndexView(h, query, found))
}

// Provider explains the provider that the path value "name" names. For an
// unknown one the page says so, with the status 404.
func (h *Handler) Provider(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	p, err := h.catalog.Provider(name)
	if errors.Is(err, catalog.ErrUnknownProvider) {
		return h.page(w, r, http.StatusNotFound, "missing.html", missingView{frame: h.frame("Unknown provider"), Name: name})
	}
	if err != nil {
		return fmt.Errorf("loading a provider for its documentation: %w", err)
	}
	return h.page(w, r, http.StatusOK, "provider.html", newProviderView(h, p))
}

// Logo serves the logo that the path value "file" names: a provider's name and
// ".svg". The error for others has the kind not_found.
func (h *Handler) Logo(w http.ResponseWriter, r *http.Request) error {
	name, isSVG := strings.CutSuffix(r.PathValue("file"), ".svg")
	logo, err := h.catalog.Logo(name)
	if !isSVG || errors.Is(err, catalog.ErrUnknownProvider) {
		return linkspan.E("providerdocs.Logo", linkspan.KindNotFound, "not_found", err, "There is no such logo.")
	}
	if err != nil {
		return fmt.Errorf("loading a logo: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "image/svg+xml")
	header.Set("Content-Security-Policy", logoPolicy)
	header.Set("Cache-Control", cacheLogos)
	return write(w, r, http.StatusOK, logo)
}

// page renders a page completely before anything is sent.
func (h *Handler) page(w http.ResponseWriter, r *http.Request, status int, name string, view any) error {
	var b bytes.Buffer
	if err := h.pages.ExecuteTemplate(&b, name, view); err != nil {
		return fmt.Errorf("rendering the page %s: %w", name, err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", h.policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", cachePages)
	return write(w, r, status, b.Bytes())
}

// write answers with body, or with 304 when the client has it already.
func write(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	digest := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(digest[:etagBytes]) + `"`
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("ETag", etag)
	if status == http.StatusOK && matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(body); err != nil { //nolint:gosec // pages are escaped by html/template, logos run under a sandboxing policy
		return fmt.Errorf("sending an answer: %w", err)
	}
	return nil
}

// matches implements the weak comparison of If-None-Match (RFC 9110, 13.1.2).
func matches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		if candidate = strings.TrimSpace(candidate); candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}
