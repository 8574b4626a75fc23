package hook_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/hook"
)

// sites are two sites of Jira and one of Confluence.
const sites = `[
	{"id":"id-1","url":"https://first.atlassian.net","name":"The first","scopes":["read:jira-work"]},
	{"id":"id-2","url":"https://acme-eu.atlassian.net","name":"Acme Europe","scopes":["read:jira-work"]},
	{"id":"id-3","url":"https://acme.atlassian.net","name":"Wiki","scopes":["read:confluence-content.all"]}
]`

const siteID = "2f1d9c1e-5a30-4c93-9d5e-0f5a1c2b3d4e"

const atlassianSites = "GET https://api.atlassian.com/oauth/token/accessible-resources"

func TestPostConnection(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	type lines = map[string]reply
	type settings = map[string]any
	hash := hook.EmailAddressHash
	tests := []struct {
		name, provider string
		config         settings
		answers        lines
		want           settings
		wantErr        string // part of the message
	}{
		{"attio", "attio", nil, lines{"GET https://api.attio.com/v2/self": {body: `{"active":true,"workspace_id":"w1"}`}}, settings{"workspace_id": "w1"}, ""},
		{"attio without", "attio", nil, lines{"GET https://api.attio.com/v2/self": {body: `{"active":false}`}}, nil, "lacks workspace_id"},
		{
			"basecamp", "basecamp", nil,
			lines{"GET https://launchpad.37signals.com/authorization.json": {body: `{"accounts":[{"id":99999999,"product":"bc3"}]}`}},
			settings{"accounts": []any{map[string]any{"id": json.Number("99999999"), "product": "bc3"}}, "accountId": "99999999"},
			"",
		},
		{
			"basecamp with a choice", "basecamp", nil,
			lines{"GET https://launchpad.37signals.com/authorization.json": {body: `{"accounts":[{"id":1},{"id":2}]}`}},
			settings{"accounts": []any{map[string]any{"id": json.Number("1")}, map[string]any{"id": json.Number("2")}}},
			"",
		},
		{
			"basecamp chosen", "basecamp",
			settings{"accountId": "7"},
			lines{"GET https://launchpad.37signals.com/authorization.json": {body: `{"accounts":[{"id":1}]}`}},
			settings{"accounts": []any{map[string]any{"id": json.Number("1")}}},
			"",
		},
		{
			"calendly", "calendly", nil,
			lines{"GET https://api.calendly.com/users/me": {body: `{"resource":{"current_organization":"https://api.calendly.com/organizations/ORG"}}`}},
			settings{"organizationId": "ORG"},
			"",
		},
		{"candis", "candis", nil, lines{"GET https://api.candis.io/v1/organizations/info": {body: `{"id":"o1"}`}}, settings{"organizationId": "o1"}, ""},
		{"checkr", "checkr-partner", nil, lines{"GET https://api.checkr.com/v1/nodes?page=1&per_page=1": {body: `{"data":[]}`}}, settings{"accountHierarchyEnabled": true}, ""},
		{"checkr without nodes", "checkr-partner-staging", nil, lines{"GET https://api.checkr-staging.com/v1/nodes?page=1&per_page=1": {status: 403}}, settings{"accountHierarchyEnabled": false}, ""},
		{"checkr away", "checkr-partner", nil, lines{"GET https://api.checkr.com/v1/nodes?page=1&per_page=1": {status: 502}}, nil, "status 502"},
		{"checkr refused", "checkr-partner", nil, lines{"GET https://api.checkr.com/v1/nodes?page=1&per_page=1": {status: 401}}, nil, "status 401"},
		{
			"docusign", "docusign", nil,
			lines{"GET https://account.docusign.com/oauth/userinfo": {body: `{"accounts":[{"account_id":"a","is_default":false,"base_uri":"https://a"},{"account_id":"b","is_default":true,"base_uri":"https://eu.docusign.net"}]}`}},
			settings{"accountId": "b", "baseUri": "https://eu.docusign.net"},
			"",
		},
		{
			"docusign sandbox", "docusign-sandbox", nil,
			lines{"GET https://account-d.docusign.com/oauth/userinfo": {body: `{"accounts":[{"account_id":"b","is_default":true,"base_uri":"https://demo.docusign.net"}]}`}},
			settings{"accountId": "b", "baseUri": "https://demo.docusign.net"},
			"",
		},
		{"docusign without accounts", "docusign", nil, lines{"GET https://account.docusign.com/oauth/userinfo": {body: `{"accounts":[]}`}}, nil, "no default account"},
		{
			"google calendar", "google-calendar", nil,
			lines{"GET https://www.googleapis.com/calendar/v3/users/me/calendarList/primary": {body: `{"id":"Me@Example.com"}`}},
			settings{"emailAddressHash": hash("me@example.com")},
			"",
		},
		{
			"google calendar by mcp", "google-calendar-mcp", nil,
			lines{"GET https://www.googleapis.com/calendar/v3/users/me/calendarList/primary": {body: `{"id":"me@example.com"}`}},
			settings{"emailAddressHash": hash(" ME@example.com ")},
			"",
		},
		{
			"google mail", "google-mail", nil,
			lines{"GET https://gmail.googleapis.com/gmail/v1/users/me/profile": {body: `{"emailAddress":"me@example.com"}`}},
			settings{"emailAddressHash": "8377b215f67b204eab0b5cbd4d4477cd18d6b3476a72c97543e524680dcd9fab"},
			"",
		},
		{"gusto", "gusto", nil, lines{"GET https://api.gusto.com/v1/token_info": {body: `{"resource":{"type":"Company","uuid":"u1"}}`}}, settings{"companyUuid": "u1"}, ""},
		{"gusto of a person", "gusto-demo", nil, lines{"GET https://api.gusto-demo.com/v1/token_info": {body: `{"resource":{"type":"Employee","uuid":"u1"}}`}}, nil, ""},
		{"highlevel", "highlevel", nil, nil, settings{"locationId": "location-1"}, ""},
		{"hubspot", "hubspot", nil, lines{"GET https://api.hubapi.com/account-info/v3/details": {body: `{"portalId":12345678901234567}`}}, settings{"portalId": json.Number("12345678901234567")}, ""},
		{"hubspot without", "hubspot", nil, lines{"GET https://api.hubapi.com/account-info/v3/details": {body: `{"portalId":"none"}`}}, nil, "lacks portalId"},
		{
			"jira by host", "jira",
			settings{"subdomain": "Acme-EU.atlassian.net"},
			lines{atlassianSites: {body: sites}, "GET https://api.atlassian.com/ex/jira/id-2/rest/api/3/myself": {body: `{"accountId":"u"}`}},
			settings{"cloudId": "id-2", "baseUrl": "https://acme-eu.atlassian.net", "accountId": "u"},
			"",
		},
		{
			"jira by name", "jira",
			settings{"subdomain": "europe"},
			lines{atlassianSites: {body: sites}},
			settings{"cloudId": "id-2", "baseUrl": "https://acme-eu.atlassian.net"},
			"",
		},
		{
			"jira as before", "jira",
			settings{"cloudId": "id-2"},
			lines{atlassianSites: {body: sites}},
			settings{"cloudId": "id-2", "baseUrl": "https://acme-eu.atlassian.net"},
			"",
		},
		{
			"jira elsewhere than before", "jira",
			settings{"cloudId": "id-2", "subdomain": "first"},
			lines{atlassianSites: {body: sites}},
			settings{"cloudId": "id-1", "baseUrl": "https://first.atlassian.net"},
			"",
		},
		{"jira first", "jira", settings{"subdomain": "other"}, lines{atlassianSites: {body: sites}}, settings{"cloudId": "id-1", "baseUrl": "https://first.atlassian.net"}, ""},
		{"jira without sites", "jira", nil, lines{atlassianSites: {body: `[]`}}, nil, "access to no site"},
		{
			"confluence", "confluence",
			settings{"subdomain": "acme"},
			lines{atlassianSites: {body: sites}, "GET https://api.atlassian.com/ex/confluence/id-3/wiki/rest/api/user/current": {body: `{"accountId":"u"}`}},
			settings{"cloudId": "id-3", "baseUrl": "https://acme.atlassian.net", "accountId": "u"},
			"",
		},
		{
			"government", "atlassian-government-cloud", nil,
			lines{
				"GET https://auth.atlassian-us-gov-mod.com/oauth/token/accessible-resources": {body: sites},
				"GET https://api.atlassian-us-gov-mod.com/ex/jira/id-1/rest/api/3/myself":    {body: `{"accountId":"u"}`},
			},
			settings{"cloudId": "id-1", "baseUrl": "https://first.atlassian.net", "accountId": "u"},
			"",
		},
		{
			"service account", "atlassian-service-account-api-token",
			settings{"cloudId": siteID},
			lines{atlassianSites: {body: strings.ReplaceAll(sites, "id-2", siteID)}},
			settings{"cloudId": siteID, "baseUrl": "https://acme-eu.atlassian.net"},
			"",
		},
		{"linear", "linear", nil, lines{"POST https://api.linear.app/graphql": {body: `{"data":{"organization":{"id":"o1"}}}`}}, settings{"organizationId": "o1"}, ""},
		{"linear with errors", "linear", nil, lines{"POST https://api.linear.app/graphql": {body: `{"data":null,"errors":[{}]}`}}, nil, "lacks data.organization.id"},
		{"mailchimp", "mailchimp", nil, lines{"GET https://login.mailchimp.com/oauth2/metadata": {body: `{"dc":"us6"}`}}, settings{"dc": "us6"}, ""},
		{"mailchimp nowhere", "mailchimp", nil, lines{"GET https://login.mailchimp.com/oauth2/metadata": {body: `{"dc":"evil.example/"}`}}, nil, "dc that breaks the rules"},
		{"microsoft teams", "microsoft-teams", nil, nil, settings{"tenantId": "tenant-1"}, ""},
		{"procore", "procore", nil, lines{"GET https://api.procore.com/rest/v1.0/companies": {body: `[{"id":42},{"id":43}]`}}, settings{"companyId": "42"}, ""},
		{"procore chosen", "procore", settings{"companyId": "7"}, nil, nil, ""},
		{"rippling", "rippling-shop-app", nil, lines{"POST https://api.rippling.com/platform/api/mark_app_installed": {body: `{}`}}, nil, ""},
		{
			"sage", "sage-200",
			settings{"edition": "sage200"},
			lines{"GET https://api.columbus.sage.com/uk/sage200/accounts/v1/sites": {body: `[{"company_id":6,"site_id":"s-1"}]`}},
			settings{"company_id": "6", "site_id": "s-1"},
			"",
		},
		{"sage without edition", "sage-200", nil, nil, nil, "base URL"},
		{"salesforce", "salesforce", nil, nil, nil, ""},
		{"sellsy", "sellsy", nil, nil, settings{"corpid": json.Number("1234567890123")}, ""},
		{
			"snowflake", "snowflake",
			settings{"snowflake_account_url": "acme.snowflakecomputing.com"},
			lines{"POST https://acme.snowflakecomputing.com/api/v2/statements": {body: `{"data":[["JANE"]]}`}},
			settings{"username": "JANE"},
			"",
		},
		{"workable", "workable", nil, lines{"GET https://www.workable.com/spi/v3/accounts": {body: `{"accounts":[{"subdomain":"groove"}]}`}}, settings{"subdomain": "groove"}, ""},
		{"workable chosen", "workable", settings{"subdomain": "mine"}, nil, nil, ""},
		{"workable nowhere", "workable", nil, lines{"GET https://www.workable.com/spi/v3/accounts": {body: `{"accounts":[{"subdomain":"evil.example#"}]}`}}, nil, "breaks the rules"},
		{"xero", "xero", nil, lines{"GET https://api.xero.com/connections": {body: `[{"tenantId":"t1","authEventId":"event-1"}]`}}, settings{"tenant_id": "t1"}, ""},
		{
			"xero of many", "xero", nil,
			lines{"GET https://api.xero.com/connections": {body: `[{"tenantId":"t1","authEventId":"event-1"},{"tenantId":"t2","authEventId":"event-2"}]`}},
			settings{"tenant_id": "t2"},
			"",
		},
		{"xero of others", "xero", nil, lines{"GET https://api.xero.com/connections": {body: `[{"tenantId":"t1","authEventId":""},{"tenantId":"t2"}]`}}, nil, "none of the 2"},
		{"zoho", "zoho-mail", nil, nil, settings{"extension": "eu"}, ""},
		{"zoho captured", "zoho-crm", settings{"api_domain": "https://www.zohoapis.com.au"}, nil, settings{"extension": "com.au"}, ""},
		{"zoho in a new region", "zoho", settings{"api_domain": "https://www.zohoapis.sa"}, nil, settings{"extension": "sa"}, ""},
		{"zoho chosen", "zoho", settings{"extension": "in"}, nil, nil, ""},
		{"zoho in Canada", "zoho", settings{"api_domain": "https://www.zohoapis.ca"}, nil, nil, ""},
		{"zoho nowhere", "zoho", settings{"api_domain": "https://www.zohoapis.evil.example"}, nil, nil, ""},
		{"no hook", "slack-mcp", nil, nil, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &saas{answer: answers(tt.answers)}
			got, err := s.hooks().PostConnection(t.Context(), target(t, cat, tt.provider, tt.config), s.note)
			s.wantNoSecret(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if len(s.trace) != len(s.seen) {
				t.Errorf("%d messages of %d calls", len(s.trace), len(s.seen))
			}
			wantError(t, err, "hook_failed", tt.wantErr)
		})
	}
}

// wantError fails the test unless the error has the code, and the words in its
// message. No words: there must be no error.
func wantError(t *testing.T, err error, code, words string) {
	t.Helper()
	if words == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Msg, words) {
		t.Errorf("error %v, want %s with %q", err, code, words)
	}
}

// TestAuthorization looks at how hooks prove the connection.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	for provider, want := range map[string]string{
		"attio":          "Bearer " + accessToken(),
		"checkr-partner": "Basic " + basic(accessToken()+":"),
		"workable":       "Bearer " + apiKey,
		"jira":           "Bearer " + accessToken(),
		"basecamp":       "Bearer " + accessToken(),
	} {
		s := &saas{answer: always(reply{status: http.StatusTeapot})}
		if _, err := s.hooks().PostConnection(t.Context(), target(t, cat, provider, nil), s.note); err == nil {
			t.Errorf("%s: no error", provider)
		}
		if got := s.last.Header.Get("Authorization"); got != want {
			t.Errorf("%s: Authorization %q, want %q", provider, got, want)
		}
		if s.last.Header.Get("User-Agent") == "" || s.last.Header.Get("Accept") == "" {
			t.Errorf("%s: headers %v", provider, s.last.Header)
		}
	}
}
