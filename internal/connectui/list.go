package connectui

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

const (
	// listPage is how many integrations are shown at first, and added by each
	// press of the button.
	listPage = 50
	// listMax is how many can be shown.
	listMax = 5000
	// popularFrom is from how many integrations on the popular ones come first.
	popularFrom = 13
	// popularCount is how many of them.
	popularCount = 6
)

// item is one integration in the list.
type item struct {
	Key, Name, Provider string
	// NotReady integrations are shown last and can't be chosen.
	NotReady bool
}

// listView is the list of integrations.
type listView struct {
	frame
	Query          string
	Popular, Items []item
	// Total counts what was found, More what is not shown of it.
	Total, More, Next int
	// Searchable is false when a search would help nobody.
	Searchable bool
}

// shell answers with the document. With a token in its address it holds the
// first view already.
func (u *UI) shell(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	f := u.newFrame(r, query)
	if query.Get("session_token") == "" {
		return f.write(w, r, http.StatusOK, waitingDocument(f))
	}
	v, err := u.open(r)
	if err != nil {
		return v.refused(err)
	}
	return u.first(w, r, v)
}

// list answers with the first view or the result of a search.
func (u *UI) list(w http.ResponseWriter, r *http.Request) error {
	v, err := u.open(r)
	if err != nil {
		return v.refused(err)
	}
	if v.form.Has("q") || v.form.Has("back") {
		return u.showList(w, r, v)
	}
	return u.first(w, r, v)
}

// first shows the list, or the card of the only integration there is.
func (u *UI) first(w http.ResponseWriter, r *http.Request, v *visit) error {
	if len(v.session.AllowedIntegrations) == 1 {
		return u.showCard(w, r, v, v.session.AllowedIntegrations[0])
	}
	return u.showList(w, r, v)
}

func (u *UI) showList(w http.ResponseWriter, r *http.Request, v *visit) error {
	items, err := u.items(r, v)
	if err != nil {
		return v.refused(err)
	}
	if len(items) == 0 {
		return v.render(w, r, http.StatusOK, problemPage(v.emptyView()))
	}
	view := listView{frame: v.frame, Query: strings.TrimSpace(v.form.Get("q")), Searchable: len(items) > 1}
	if view.Query == "" && len(items) >= popularFrom {
		view.Popular = popular(items)
	}
	found := search(items, view.Query)
	shown := listPage
	if n, err := strconv.Atoi(v.form.Get("show")); err == nil && n > 0 {
		shown = min(n, listMax)
	}
	view.Total, view.Items = len(found), found[:min(shown, len(found))]
	view.More, view.Next = len(found)-len(view.Items), len(view.Items)+listPage
	if v.fragment && v.form.Get("part") == "results" {
		return v.write(w, r, http.StatusOK, results(view))
	}
	return v.render(w, r, http.StatusOK, listPageView(view))
}

// items lists what the session may connect, by name.
func (u *UI) items(r *http.Request, v *visit) ([]item, error) {
	integrations, err := u.cfg.Integrations.List(r.Context(), v.principal.Environment.ID)
	if err != nil {
		return nil, fmt.Errorf("listing integrations for Connect UI: %w", err)
	}
	summaries, err := u.cfg.Catalog.Search("")
	if err != nil {
		return nil, fmt.Errorf("naming providers for Connect UI: %w", err)
	}
	byName := make(map[string]catalog.Summary, len(summaries))
	for _, s := range summaries {
		byName[s.Name] = s
	}
	var items []item
	for i := range integrations {
		if v.allows(integrations[i].Key) {
			items = append(items, newItem(&integrations[i], byName))
		}
	}
	shorten(items)
	slices.SortStableFunc(items, func(a, b item) int {
		if a.NotReady != b.NotReady {
			return compareBool(a.NotReady, b.NotReady)
		}
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return items, nil
}

func newItem(i *linkspan.Integration, providers map[string]catalog.Summary) item {
	s, known := providers[i.Provider]
	name := i.DisplayName
	if name == "" {
		name = s.DisplayName
	}
	if name == "" {
		name = i.Key
	}
	return item{Key: i.Key, Name: name, Provider: i.Provider, NotReady: !known || s.Unsupported}
}

// shortName leaves out what is in brackets at the end of a provider's name: people
// know "GitHub", not "GitHub (User OAuth)".
func shortName(name string) string {
	if at := strings.LastIndex(name, " ("); at > 0 && strings.HasSuffix(name, ")") {
		return name[:at]
	}
	return name
}

// shorten gives items their short names where these tell them apart.
func shorten(items []item) {
	count := map[string]int{}
	for _, i := range items {
		count[shortName(i.Name)]++
	}
	for n := range items {
		if short := shortName(items[n].Name); count[short] == 1 {
			items[n].Name = short
		}
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// search finds the items whose name, provider or key contains the query; names
// that begin with it come first.
func search(items []item, query string) []item {
	query = strings.ToLower(query)
	if query == "" {
		return items
	}
	var first, rest []item
	for _, i := range items {
		name := strings.ToLower(i.Name)
		switch {
		case strings.HasPrefix(name, query):
			first = append(first, i)
		case strings.Contains(name, query), strings.Contains(i.Provider, query), strings.Contains(strings.ToLower(i.Key), query):
			rest = append(rest, i)
		}
	}
	return append(first, rest...)
}

// popular picks the best known of the items.
func popular(items []item) []item {
	var found []item
	for _, name := range wellKnown() {
		for _, i := range items {
			if i.Provider == name && !i.NotReady && len(found) < popularCount {
				found = append(found, i)
				break
			}
		}
	}
	if len(found) < 3 {
		return nil // a heading for one or two is noise
	}
	return found
}

// wellKnown are providers that many people have an account at, the most common
// first.
func wellKnown() []string {
	return []string{
		"google-mail", "google-calendar", "google-drive", "google-sheet", "slack", "hubspot", "salesforce", "notion", "github",
		"microsoft-teams", "outlook", "one-drive", "sharepoint-online", "jira", "confluence", "stripe", "shopify", "zendesk", "intercom", "airtable",
		"asana", "linear", "trello", "quickbooks", "xero", "dropbox", "box", "zoom", "calendly", "mailchimp", "discord", "gitlab",
		"clickup", "monday", "figma", "pipedrive", "twilio", "sendgrid", "bamboohr", "greenhouse", "front", "freshdesk",
	}
}
