package demo

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	pageSize    = 20
	maxPageSize = 100
)

// caller is whoever a request speaks for.
type caller struct {
	id     string // for the rate limit
	user   int
	scopes []string
}

type callerKey struct{}

// admit lets a request through to the API when check knows its caller, who is
// within the limit. challenge tells other callers how to prove who they are (RFC
// 9110 §11.6.1).
func (s *Server) admit(challenge string, check func(*http.Request) (caller, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := check(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", challenge)
			writeFailure(w, err)
			return
		}
		if err := s.limits.admit(w, who.id); err != nil {
			writeFailure(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	})
}

func (s *Server) bearer(r *http.Request) (caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	who, ok := s.grants.holder(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return caller{}, fail(http.StatusUnauthorized, "invalid_token", "The access token is missing, expired or revoked.")
	}
	return who, nil
}

func (s *Server) apiKey(r *http.Request) (caller, error) {
	if s.cfg.APIKey == "" || !same(r.Header.Get("X-Api-Key"), s.cfg.APIKey) {
		return caller{}, fail(http.StatusUnauthorized, "invalid_key", "The API key in the header X-Api-Key is missing or wrong.")
	}
	return caller{id: "key", user: firstUser, scopes: allScopes()}, nil
}

func (s *Server) basic(r *http.Request) (caller, error) {
	user, password, _ := r.BasicAuth()
	knownUser, knownPassword := same(user, s.cfg.Username), same(password, s.cfg.Password)
	if s.cfg.Password == "" || !knownUser || !knownPassword {
		return caller{}, fail(http.StatusUnauthorized, "invalid_login", "The user name or the password is wrong.")
	}
	return caller{id: "login", user: firstUser, scopes: allScopes()}, nil
}

// endpoint answers a request of the API with a value, or with nothing if that is
// nil.
type endpoint func(w http.ResponseWriter, r *http.Request, who caller) (any, error)

// apiRoutes are the routes of the API, without the prefix that says how callers
// prove who they are.
func (s *Server) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern, scope string, status int, f endpoint) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			who, _ := r.Context().Value(callerKey{}).(caller)
			if scope != "" && !slices.Contains(who.scopes, scope) {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, scope))
				writeFailure(w, fail(http.StatusForbidden, "insufficient_scope", "This needs the scope "+scope+"."))
				return
			}
			v, err := f(w, r, who)
			switch {
			case err != nil:
				writeFailure(w, err)
			case v == nil:
				w.WriteHeader(status)
			default:
				writeJSON(w, status, v)
			}
		})
	}
	handle("GET /me", "", http.StatusOK, s.me)
	handle("GET /tickets", scopeRead, http.StatusOK, s.listTickets)
	handle("POST /tickets", scopeWrite, http.StatusCreated, s.createTicket)
	handle("GET /tickets/{id}", scopeRead, http.StatusOK, s.readTicket)
	handle("PATCH /tickets/{id}", scopeWrite, http.StatusOK, s.updateTicket)
	handle("DELETE /tickets/{id}", scopeWrite, http.StatusNoContent, s.deleteTicket)
	handle("POST /tickets/{id}/comments", scopeWrite, http.StatusCreated, s.createComment)
	handle("GET /comments", scopeRead, http.StatusOK, s.listComments)
	handle("GET /users", scopeUsers, http.StatusOK, s.listUsers)
	handle("GET /users/{id}", scopeUsers, http.StatusOK, s.readUser)
	handle("GET /webhook", scopeWrite, http.StatusOK, s.readWebhook)
	handle("PUT /webhook", scopeWrite, http.StatusOK, s.setWebhook)
	handle("DELETE /webhook", scopeWrite, http.StatusNoContent, s.deleteWebhook)
	handle("/", "", http.StatusOK, func(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
		return nil, fail(http.StatusNotFound, "not_found", "There is no "+r.Method+" here.")
	})
	return mux
}

func (s *Server) me(_ http.ResponseWriter, _ *http.Request, who caller) (any, error) {
	user, _ := s.desk.user(who.user)
	return map[string]any{"user": user, "workspace": workspace, "scopes": who.scopes}, nil
}

func (s *Server) listTickets(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	q := r.URL.Query()
	f := filter{status: q.Get("status")}
	var err error
	if f.gone, err = flag(r, "include_deleted"); err != nil {
		return nil, err
	}
	if f.limit, err = number(r, "limit", pageSize, maxPageSize); err != nil {
		return nil, err
	}
	if f.since, err = instant(r, "updated_since"); err != nil {
		return nil, err
	}
	if text := q.Get("cursor"); text != "" {
		if f.after, err = parseCursor(text); err != nil {
			return nil, err
		}
	}
	tickets, next := s.desk.page(f)
	return struct {
		Data       []Ticket `json:"data"`
		NextCursor *string  `json:"next_cursor"`
	}{tickets, orNull(next)}, nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// flag reads a query parameter that is true or false, which is what it is when
// absent.
func flag(r *http.Request, name string) (bool, error) {
	switch r.URL.Query().Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, fail(http.StatusBadRequest, "bad_query", "The parameter "+name+" must be true or false.")
}

// instant reads a query parameter that is a time.
func instant(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fail(http.StatusBadRequest, "bad_query", "The parameter "+name+" must be a time like 2026-01-31T12:00:00Z.")
	}
	return t, nil
}

// ticketInput is the body of a creation or a change. A field that is absent is
// left as it is.
type ticketInput struct {
	Subject     *string   `json:"subject"`
	Description *string   `json:"description"`
	Status      *string   `json:"status"`
	Priority    *string   `json:"priority"`
	Tags        *[]string `json:"tags"`
	RequesterID *int      `json:"requester_id"`
	AssigneeID  *int      `json:"assignee_id"`
}

func (in ticketInput) apply(t *Ticket) {
	set(&t.Subject, in.Subject)
	set(&t.Description, in.Description)
	set(&t.Status, in.Status)
	set(&t.Priority, in.Priority)
	set(&t.Tags, in.Tags)
	set(&t.RequesterID, in.RequesterID)
	if in.AssigneeID != nil {
		t.AssigneeID = in.AssigneeID
	}
	if t.Tags == nil {
		t.Tags = []string{}
	}
}

func set[T any](field, given *T) {
	if given != nil {
		*field = *given
	}
}

func (s *Server) createTicket(_ http.ResponseWriter, r *http.Request, who caller) (any, error) {
	var in ticketInput
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	t := Ticket{Status: "open", Priority: "normal", RequesterID: who.user}
	in.apply(&t)
	t, err := s.desk.create(t)
	if err != nil {
		return nil, err
	}
	s.webhooks.announce("ticket.created", t)
	return t, nil
}

func (s *Server) readTicket(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	return answer(s.desk.ticket(pathID(r)))
}

// answer keeps the empty value of a failed call out of an interface.
func answer[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// pathID returns the id in the path; 0, which nothing has, if it is none.
func pathID(r *http.Request) int {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return 0
	}
	return id
}

func (s *Server) updateTicket(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	var in ticketInput
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	t, err := s.desk.update(pathID(r), in.apply)
	if err != nil {
		return nil, err
	}
	s.webhooks.announce("ticket.updated", t)
	return t, nil
}

func (s *Server) deleteTicket(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	t, err := s.desk.remove(pathID(r))
	if err != nil {
		return nil, err
	}
	s.webhooks.announce("ticket.deleted", t)
	return nil, nil //nolint:nilnil // an endpoint that answers with nothing
}

func (s *Server) createComment(_ http.ResponseWriter, r *http.Request, who caller) (any, error) {
	var in struct {
		Body string `json:"body"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	c, err := s.desk.comment(pathID(r), who.user, in.Body)
	if err != nil {
		return nil, err
	}
	s.webhooks.announce("comment.created", c)
	return c, nil
}

func (s *Server) listComments(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	limit, err := number(r, "limit", pageSize, maxPageSize)
	if err != nil {
		return nil, err
	}
	offset, err := number(r, "offset", 0, maxComments)
	if err != nil {
		return nil, err
	}
	ticket, err := number(r, "ticket_id", 0, maxComments)
	if err != nil {
		return nil, err
	}
	since, err := instant(r, "updated_since")
	if err != nil {
		return nil, err
	}
	page, total := s.desk.notes(ticket, since, offset, limit)
	return struct {
		Comments []Comment `json:"comments"`
		Offset   int       `json:"offset"`
		Total    int       `json:"total"`
	}{page, offset, total}, nil
}

// listUsers names the neighbouring pages in the Link header (RFC 8288).
func (s *Server) listUsers(w http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	size, err := number(r, "per_page", 10, maxPageSize)
	if err != nil {
		return nil, err
	}
	page, err := number(r, "page", 1, maxComments)
	if err != nil {
		return nil, err
	}
	users := s.desk.users
	pages := max(1, (len(users)+size-1)/size)
	var links []string
	link := func(rel string, n int) {
		q := url.Values{"page": {strconv.Itoa(n)}, "per_page": {strconv.Itoa(size)}}
		path, _, _ := strings.Cut(r.RequestURI, "?")
		links = append(links, fmt.Sprintf("<%s%s?%s>; rel=%q", s.cfg.BaseURL, path, q.Encode(), rel))
	}
	if page > 1 {
		link("prev", min(page-1, pages))
	}
	if page < pages {
		link("next", page+1)
	}
	link("first", 1)
	link("last", pages)
	w.Header().Set("Link", strings.Join(links, ", "))
	from := min((page-1)*size, len(users))
	return users[from:min(from+size, len(users))], nil
}

func (s *Server) readUser(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	u, ok := s.desk.user(pathID(r))
	if !ok {
		return nil, fail(http.StatusNotFound, "not_found", "There is no such user.")
	}
	return u, nil
}

// hook is the webhook as the API shows and takes it.
type hook struct {
	URL string `json:"url"`
	// Secret is shown once, when the webhook is set.
	Secret string `json:"secret,omitempty"`
}

func (s *Server) readWebhook(http.ResponseWriter, *http.Request, caller) (any, error) {
	to := s.webhooks.target()
	if to.URL == "" {
		return nil, fail(http.StatusNotFound, "not_found", "No webhook is set.")
	}
	return hook{URL: to.URL}, nil
}

func (s *Server) setWebhook(_ http.ResponseWriter, r *http.Request, _ caller) (any, error) {
	var in hook
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	u, err := url.Parse(in.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, invalid("The URL must begin with http:// or https:// and name a host.")
	}
	to := Webhook{URL: in.URL, Secret: cmp.Or(in.Secret, newWebhookSecret())}
	s.webhooks.retarget(to)
	return hook(to), nil
}

func (s *Server) deleteWebhook(http.ResponseWriter, *http.Request, caller) (any, error) {
	s.webhooks.retarget(Webhook{})
	return nil, nil //nolint:nilnil // an endpoint that answers with nothing
}
