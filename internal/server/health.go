package server

import (
	"net/http"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	return httpx.WriteJSON(w, http.StatusOK, api.Health{Result: "ok"})
}

// ready says whether a load balancer should send requests. Why not is for the
// log, not for whoever asks.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Ready == nil {
		return httpx.WriteJSON(w, http.StatusOK, api.Health{Result: "ok"})
	}
	if err := s.cfg.Ready(r.Context()); err != nil {
		s.cfg.Log.InfoContext(r.Context(), "not ready", "error", err)
		return httpx.WriteJSON(w, http.StatusServiceUnavailable, api.Health{Result: "not ready"})
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Health{Result: "ok"})
}

func (s *Server) openAPIDocument(w http.ResponseWriter, _ *http.Request) error {
	doc, err := s.openAPI()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(doc) // fails only when the client is gone
	return nil
}

func (s *Server) proxy(w http.ResponseWriter, r *http.Request) error {
	return s.cfg.Proxy.Serve(w, r, environmentOf(r))
}
