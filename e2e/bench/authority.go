package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
)

// authority is an authorization server whose users agree to everything at once,
// and the API that its tokens open. It checks what a real one would: the code,
// once, and its verifier.
type authority struct {
	mu         sync.Mutex
	challenges map[string]string // by code
}

func serveAuthority(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	a := &authority{challenges: make(map[string]string)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", a.authorize)
	mux.HandleFunc("POST /token", a.token)
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"name":"Ada"}`)) })
	return servePart(ctx, stdin, stdout, mux)
}

func (a *authority) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := rand.Text()
	a.mu.Lock()
	a.challenges[code] = q.Get("code_challenge")
	a.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {"http://" + r.Host}}
	w.Header().Set("Location", q.Get("redirect_uri")+"?"+back.Encode())
	w.WriteHeader(http.StatusFound)
}

func (a *authority) token(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("code")
	a.mu.Lock()
	challenge, known := a.challenges[code]
	delete(a.challenges, code)
	a.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	w.Header().Set("Content-Type", "application/json")
	if !known || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{ // what the program does not get, it says
		"access_token": rand.Text(), "refresh_token": rand.Text(), "token_type": "Bearer", "expires_in": 3600,
	})
}
