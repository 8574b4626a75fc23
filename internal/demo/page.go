package demo

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"
)

//go:embed pages
var pageFiles embed.FS

func parsePages() *template.Template {
	return template.Must(template.ParseFS(pageFiles, "pages/*.html"))
}

// consentPage asks a person for permission.
type consentPage struct {
	// Request is the secret name of the authorization request.
	Request   string
	Client    string // the application that asks
	Host      string // where the browser goes next
	Workspace string
	Scopes    []scopeText
	Accounts  []User
}

// scopeText says what a scope allows.
type scopeText struct{ Name, Allows string }

func describeScopes(scopes []string) []scopeText {
	words := map[string]string{
		scopeRead:  "Read tickets and comments",
		scopeWrite: "Create, change and delete tickets and comments",
		scopeUsers: "See names and e-mail addresses of people",
	}
	texts := make([]scopeText, len(scopes))
	for i, s := range scopes {
		texts[i] = scopeText{s, words[s]}
	}
	return texts
}

// refusedPage says why there is nothing to see.
type refusedPage struct{ Why string }

// boardPage shows the latest tickets.
type boardPage struct {
	Workspace string
	Total     int
	Rows      []boardRow
}

type boardRow struct {
	Ticket
	Requester, Assignee string
	Changed             string
}

// settingsPage shows how programs get in.
type settingsPage struct {
	Workspace, APIKey, Username, Password, BaseURL string
}

// page writes one of the pages.
func (s *Server) page(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name+".html", data); err != nil {
		s.cfg.Log.Error("page not rendered", "page", name, "error", err)
		http.Error(w, "The page can't be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	// No rule for forms: browsers apply it to the redirects that follow one, and
	// those lead to the client.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	http.ServeFileFS(w, r, pageFiles, "pages/style.css")
}

func (s *Server) board(w http.ResponseWriter, _ *http.Request) {
	tickets, total := s.desk.latest(maxPageSize / 2)
	rows := make([]boardRow, len(tickets))
	for i, t := range tickets {
		rows[i] = boardRow{Ticket: t, Changed: ago(s.cfg.Now().Sub(t.UpdatedAt))}
		if u, ok := s.desk.user(t.RequesterID); ok {
			rows[i].Requester = u.Name
		}
		if t.AssigneeID != nil {
			u, _ := s.desk.user(*t.AssigneeID)
			rows[i].Assignee = u.Name
		}
	}
	s.page(w, http.StatusOK, "board", boardPage{Workspace: workspaceName, Total: total, Rows: rows})
}

func (s *Server) settings(w http.ResponseWriter, _ *http.Request) {
	s.page(w, http.StatusOK, "settings", settingsPage{
		Workspace: workspaceName, APIKey: s.cfg.APIKey, Username: s.cfg.Username, Password: s.cfg.Password, BaseURL: s.cfg.BaseURL,
	})
}

// latest returns the tickets that changed last, newest first, and how many there
// are.
func (d *desk) latest(n int) (tickets []Ticket, total int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, t := range slices.Backward(d.order) {
		if len(tickets) == n {
			break
		}
		if t.DeletedAt == nil {
			tickets = append(tickets, *t)
		}
	}
	return tickets, len(d.tickets)
}

// ago says in short how long something was ago.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h ago"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days ago"
}
