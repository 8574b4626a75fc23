package hook

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// postConnectionHooks are the hooks of hooks.post_connection (provider semantics
// §2.1).
func postConnectionHooks() map[string]action {
	return map[string]action{
		"atlassianGovernmentCloudPostConnection": atlassian("https://auth.atlassian-us-gov-mod.com"),
		"atlassianServicAccountPostConnection":   atlassian(""), // the catalogue spells it so
		"attioPostConnection":                    attio,
		"basecampPostConnection":                 basecamp,
		"calendlyPostConnection":                 calendly,
		"candisPostConnection":                   candis,
		"checkrPartnerPostConnection":            checkr,
		"docusignPostConnection":                 docusign,
		"googleCalendarPostConnection":           googleCalendar,
		"googleMailPostConnection":               googleMail,
		"gustoPostConnection":                    gusto,
		"highlevelPostConnection":                highlevel,
		"hubspotPostConnection":                  hubspot,
		"jiraPostConnection":                     atlassian(""),
		"linearPostConnection":                   linear,
		"mailchimpPostConnection":                mailchimp,
		"microsoftTeamsPostConnection":           microsoftTeams,
		"procorePostConnection":                  procore,
		"ripplingShopAppPostConnection":          rippling,
		"sage200PostConnection":                  sage200,
		"salesforcePostConnection":               nothing,
		"sellsyPostConnection":                   sellsy,
		"snowflakePostConnection":                snowflake,
		"workablePostConnection":                 workable,
		"xeroPostConnection":                     xero,
		"zohoPostConnection":                     zoho,
	}
}

// nothing is a hook that the catalogue names and that has nothing to do.
func nothing(context.Context, *run) error { return nil }

// need sets a text of an answer that must be there.
func (r *run) need(name string, v any, path string) error {
	text := textAt(v, path)
	if text == "" {
		return say("the provider's answer lacks %s.", path)
	}
	r.set(name, text)
	return nil
}

// keep makes a call and sets one text of its answer.
func (r *run) keep(ctx context.Context, c call, name, path string) error {
	v, err := r.fetch(ctx, c)
	if err != nil {
		return err
	}
	return r.need(name, v, path)
}

func attio(ctx context.Context, r *run) error {
	return r.keep(ctx, get("/v2/self"), "workspace_id", "workspace_id")
}

// basecamp keeps the accounts that the user can choose from, and chooses when
// there is no choice.
func basecamp(ctx context.Context, r *run) error {
	v, err := r.fetch(ctx, getFrom("https://launchpad.37signals.com", "/authorization.json"))
	if err != nil {
		return err
	}
	accounts := listAt(v, "accounts")
	if accounts == nil {
		return say("the provider's answer lacks accounts.")
	}
	r.set("accounts", accounts)
	if len(accounts) == 1 && r.setting("accountId") == "" {
		return r.need("accountId", v, "accounts.0.id")
	}
	return nil
}

func calendly(ctx context.Context, r *run) error {
	v, err := r.fetch(ctx, get("/users/me"))
	if err != nil {
		return err
	}
	organization := textAt(v, "resource.current_organization")
	id := organization[strings.LastIndexByte(organization, '/')+1:]
	if id == "" {
		return say("the provider's answer lacks resource.current_organization.")
	}
	r.set("organizationId", id)
	return nil
}

func candis(ctx context.Context, r *run) error {
	return r.keep(ctx, get("/v1/organizations/info"), "organizationId", "id")
}

// checkr finds out whether the account has a hierarchy of nodes: only then may
// they be listed. What says nothing about that is an error.
func checkr(ctx context.Context, r *run) error {
	c := get("/v1/nodes?page=1&per_page=1")
	pair := r.t.Credentials.AccessToken.Reveal() + ":"
	c.header = http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}
	a, err := r.send(ctx, c)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
		r.set("accountHierarchyEnabled", false)
		return nil
	}
	if !a.ok() {
		return badStatus(a)
	}
	r.set("accountHierarchyEnabled", true)
	return nil
}

// docusign asks the server that issued the token, which is another one for
// sandboxes.
func docusign(ctx context.Context, r *run) error {
	base := "https://account.docusign.com"
	if strings.Contains(r.t.Provider.Name, "sandbox") {
		base = "https://account-d.docusign.com"
	}
	v, err := r.fetch(ctx, getFrom(base, "/oauth/userinfo"))
	if err != nil {
		return err
	}
	accounts := listAt(v, "accounts")
	i := slices.IndexFunc(accounts, func(a any) bool { return at(a, "is_default") == true || at(a, "is_default") == "true" })
	if i < 0 {
		return say("the provider's answer has no default account.")
	}
	if err := r.need("accountId", accounts[i], "account_id"); err != nil {
		return err
	}
	return r.need("baseUri", accounts[i], "base_uri")
}

func googleCalendar(ctx context.Context, r *run) error {
	// Not the provider's own address: the MCP server of the calendar has this
	// hook too.
	v, err := r.fetch(ctx, getFrom("https://www.googleapis.com", "/calendar/v3/users/me/calendarList/primary"))
	if err != nil {
		return err
	}
	return r.setEmailHash(textAt(v, "id"))
}

func googleMail(ctx context.Context, r *run) error {
	v, err := r.fetch(ctx, getFrom("https://gmail.googleapis.com", "/gmail/v1/users/me/profile"))
	if err != nil {
		return err
	}
	return r.setEmailHash(textAt(v, "emailAddress"))
}

// setEmailHash keeps what recognises an address in Google's notifications without
// keeping the address.
func (r *run) setEmailHash(email string) error {
	if email == "" {
		return say("the provider's answer lacks the email address.")
	}
	r.set("emailAddressHash", EmailAddressHash(email))
	return nil
}

// EmailAddressHash is the hash under which the hooks keep an email address:
// SHA-256 in hexadecimal of a fixed prefix and the address in lower case.
func EmailAddressHash(email string) string {
	sum := sha256.Sum256([]byte("linkspan.email-address.v1:" + strings.ToLower(strings.TrimSpace(email))))
	return hex.EncodeToString(sum[:])
}

func gusto(ctx context.Context, r *run) error {
	v, err := r.fetch(ctx, get("/v1/token_info"))
	if err != nil {
		return err
	}
	if textAt(v, "resource.type") != "Company" {
		return nil
	}
	return r.need("companyUuid", v, "resource.uuid")
}

// highlevel reads the token response: it names the location or company that the
// user has chosen.
func highlevel(_ context.Context, r *run) error {
	for _, name := range []string{"companyId", "locationId"} {
		r.set(name, textAt(r.t.Credentials.Raw, name))
	}
	return nil
}

// hubspot keeps a number: webhooks name the portal by one.
func hubspot(ctx context.Context, r *run) error {
	v, err := r.fetch(ctx, get("/account-info/v3/details"))
	if err != nil {
		return err
	}
	id := numberAt(v, "portalId")
	if id == nil {
		return say("the provider's answer lacks portalId.")
	}
	r.set("portalId", id)
	return nil
}

func linear(ctx context.Context, r *run) error {
	return r.keep(ctx, graphQL("/graphql", "query { organization { id } }"), "organizationId", "data.organization.id")
}

func mailchimp(ctx context.Context, r *run) error {
	return r.keep(ctx, getFrom("https://login.mailchimp.com", "/oauth2/metadata"), "dc", "dc")
}

func microsoftTeams(_ context.Context, r *run) error {
	v, err := claims(r.t.Credentials.AccessToken.Reveal())
	if err != nil {
		return err
	}
	return r.need("tenantId", v, "tid")
}

func procore(ctx context.Context, r *run) error {
	if r.setting("companyId") != "" {
		return nil
	}
	return r.keep(ctx, get("/rest/v1.0/companies"), "companyId", "0.id")
}

func rippling(ctx context.Context, r *run) error {
	_, err := r.must(ctx, post("/platform/api/mark_app_installed", map[string]string{}))
	return err
}

func sage200(ctx context.Context, r *run) error {
	v, err := r.fetch(ctx, get("/accounts/v1/sites"))
	if err != nil {
		return err
	}
	if err := r.need("company_id", v, "0.company_id"); err != nil {
		return err
	}
	return r.need("site_id", v, "0.site_id")
}

// sellsy keeps a number: webhooks name the company by one.
func sellsy(_ context.Context, r *run) error {
	v, err := claims(r.t.Credentials.AccessToken.Reveal())
	if err != nil {
		return err
	}
	id := numberAt(v, "corpId")
	if id == nil {
		return say("the access token lacks the claim corpId.")
	}
	r.set("corpid", id)
	return nil
}

func snowflake(ctx context.Context, r *run) error {
	statement := map[string]string{"statement": "SELECT CURRENT_USER() AS username"}
	return r.keep(ctx, post("/api/v2/statements", statement), "username", "data.0.0")
}

func workable(ctx context.Context, r *run) error {
	if r.setting("subdomain") != "" {
		return nil
	}
	// The bare domain sends everybody on to this one, without their keys.
	return r.keep(ctx, getFrom("https://www.workable.com", "/spi/v3/accounts"), "subdomain", "accounts.0.subdomain")
}

// xero finds the organisation that the user has just chosen among all that are
// connected.
func xero(ctx context.Context, r *run) error {
	v, err := r.fetch(ctx, get("/connections"))
	if err != nil {
		return err
	}
	tenants := listAt(v, "")
	if len(tenants) == 1 {
		return r.need("tenant_id", v, "0.tenantId")
	}
	token, err := claims(r.t.Credentials.AccessToken.Reveal())
	if err != nil {
		return err
	}
	event := textAt(token, "authentication_event_id")
	i := slices.IndexFunc(tenants, func(t any) bool { return event != "" && textAt(t, "authEventId") == event })
	if i < 0 {
		return say("none of the %d organisations belongs to this authorization.", len(tenants))
	}
	return r.need("tenant_id", tenants[i], "tenantId")
}

// zoho works out the data centre. The client's secret goes to the accounts
// server there, so only Zoho's own ones count. Canada is not among them: its
// accounts server is called differently, and is captured from the redirect.
func zoho(_ context.Context, r *run) error {
	if r.setting("extension") != "" {
		return nil
	}
	domain := r.setting("api_domain")
	if domain == "" {
		domain = textAt(r.t.Credentials.Raw, "api_domain")
	}
	host, ok := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(domain, "/")), "https://")
	extension, isAPI := strings.CutPrefix(strings.TrimPrefix(host, "www."), "zohoapis.")
	if ok && isAPI && slices.Contains([]string{"com", "eu", "in", "com.au", "com.cn", "jp", "sa", "uk", "ae"}, extension) {
		r.set("extension", extension)
	}
	return nil
}
