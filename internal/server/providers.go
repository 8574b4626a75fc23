package server

import (
	"errors"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/httpx"
)

// listProviders answers with all providers from the cached document, or with
// those that match a search.
func (s *Server) listProviders(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.ProvidersQuery](r)
	if err != nil {
		return err
	}
	if q.Search == nil || strings.TrimSpace(*q.Search) == "" {
		all, err := s.cfg.Catalog.List(s.urls)
		if err != nil {
			return err
		}
		return writeListing(w, r, all)
	}
	found, err := s.cfg.Catalog.Search(*q.Search)
	if err != nil {
		return err
	}
	list := make([]catalog.Object, 0, len(found))
	for _, summary := range found {
		p, err := s.cfg.Catalog.Provider(summary.Name)
		if errors.Is(err, catalog.ErrUnknownProvider) {
			continue // its file was removed meanwhile
		}
		if err != nil {
			return err
		}
		list = append(list, p.Public(s.urls))
	}
	return httpx.WriteJSON(w, http.StatusOK, api.List[catalog.Object]{Data: list})
}

// catalogue answers with all providers by name, without authentication.
func (s *Server) catalogue(w http.ResponseWriter, r *http.Request) error {
	all, err := s.cfg.Catalog.Map(s.urls)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	return writeListing(w, r, all)
}

// writeListing sends a listing as it is kept, compressed, to clients that take
// it so.
func writeListing(w http.ResponseWriter, r *http.Request, l *catalog.Listing) error {
	h := w.Header()
	packed, etag := acceptsGzip(r.Header.Values("Accept-Encoding")), l.ETag()
	if packed {
		etag = l.GzipETag()
	}
	h.Set("Etag", etag)
	h.Set("Vary", "Accept-Encoding")
	if matchesETag(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	if packed {
		h.Set("Content-Encoding", "gzip")
		_, _ = w.Write(l.Gzip()) // fails only when the client is gone
		return nil
	}
	_, _ = l.WriteTo(w) // likewise
	return nil
}

// matchesETag reports whether an If-None-Match header names the entity (RFC
// 9110 §13.1.2).
func matchesETag(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3). What it does not
// understand means no: some clients send a media type there.
func acceptsGzip(headers []string) bool {
	for _, header := range headers {
		for coding := range strings.SplitSeq(header, ",") {
			name, quality, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			quality = strings.ReplaceAll(quality, " ", "")
			return quality != "q=0" && !strings.HasPrefix(quality, "q=0.000") && quality != "q=0.0" && quality != "q=0.00"
		}
	}
	return false
}

func (s *Server) getProvider(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pathProvider(r)
	if err != nil {
		return err
	}
	if _, err := httpx.DecodeQuery[api.ProviderQuery](r); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[catalog.Object]{Data: p.Public(s.urls)})
}

func (s *Server) pathProvider(r *http.Request) (*catalog.Provider, error) {
	path, err := httpx.DecodePath[api.ProviderPath](r)
	if err != nil {
		return nil, err
	}
	p, err := s.cfg.Catalog.Provider(path.Provider)
	if errors.Is(err, catalog.ErrUnknownProvider) {
		return nil, linkspan.E("server.getProvider", linkspan.KindNotFound, "not_found", err, "Unknown provider %s", path.Provider)
	}
	return p, err
}
