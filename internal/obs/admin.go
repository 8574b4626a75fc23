package obs

import (
	"net/http"
	"net/http/pprof"
)

// AdminHandler serves /metrics, /debug/pprof/, /health and /ready. ready says
// whether the server takes work. It must not be reachable by the public.
func AdminHandler(m *Metrics, ready func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	RegisterHealth(mux, ready)
	return mux
}

// RegisterHealth adds GET /health, which succeeds while the process lives, and
// GET /ready, which fails while it does not take work.
func RegisterHealth(mux *http.ServeMux, ready func() bool) {
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			answer(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		answer(w, http.StatusOK, "ok")
	})
}

// answer writes one of two constant words; they need no escaping.
func answer(w http.ResponseWriter, status int, result string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"result":"` + result + `"}`)) // the prober has gone: nobody to tell
}
