package hook

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/internal/credential"
)

// atlassian returns the hook that finds the site of a connection: which one of
// those that the user has opened to the app. base is where the sites are listed;
// empty means at the provider's own address.
func atlassian(base string) action {
	return func(ctx context.Context, r *run) error {
		v, err := r.fetch(ctx, getFrom(base, "/oauth/token/accessible-resources"))
		if err != nil {
			return err
		}
		site := r.chooseSite(listAt(v, ""))
		if site == nil {
			return say("the user has access to no site.")
		}
		if err := r.need("cloudId", site, "id"); err != nil {
			return err
		}
		if err := r.need("baseUrl", site, "url"); err != nil {
			return err
		}
		r.setAtlassianAccount(ctx, site)
		return nil
	}
}

// chooseSite takes the site that the connection's subdomain names, else the one
// that it had before, else the first.
func (r *run) chooseSite(sites []any) any {
	if len(sites) == 0 {
		return nil
	}
	subdomain, _, _ := strings.Cut(strings.ToLower(r.setting("subdomain")), ".")
	cloudID := r.setting("cloudId")
	i := -1
	if subdomain != "" {
		i = slices.IndexFunc(sites, func(s any) bool { return hostLabel(textAt(s, "url")) == subdomain })
		if i < 0 {
			i = slices.IndexFunc(sites, func(s any) bool { return strings.Contains(strings.ToLower(textAt(s, "name")), subdomain) })
		}
	}
	if i < 0 && cloudID != "" {
		i = slices.IndexFunc(sites, func(s any) bool { return textAt(s, "id") == cloudID })
	}
	return sites[max(i, 0)]
}

// hostLabel is the first label of the host of a URL.
func hostLabel(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	label, _, _ := strings.Cut(strings.ToLower(u.Hostname()), ".")
	return label
}

// setAtlassianAccount keeps who the user is. The scopes may not allow to ask,
// which costs nothing but this.
func (r *run) setAtlassianAccount(ctx context.Context, site any) {
	prefix, path := "/ex/jira/", "/rest/api/3/myself"
	if slices.ContainsFunc(listAt(site, "scopes"), func(s any) bool { return strings.Contains(textOf(s), "confluence") }) {
		prefix, path = "/ex/confluence/", "/wiki/rest/api/user/current"
	}
	v, err := r.fetch(ctx, get(prefix+url.PathEscape(textAt(site, "id"))+path))
	if err != nil {
		return // the exchange is a message of the operation already
	}
	r.set("accountId", textAt(v, "accountId"))
}

func textOf(v any) string {
	text, _ := credential.Text(v)
	return text
}
