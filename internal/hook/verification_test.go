package hook_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	const (
		cdw     = "POST https://apiconnect.cdw.com/b2b/v1/customers/orders"
		pushpay = "GET https://church.ccbchurch.com/api.php?srv=api_status"
		vantage = "POST https://brandedpromoapparel.com/WebServices/CustomerLookupService.svc"
		skio    = "POST https://graphql.skio.com/v1/graphql"
		azure   = "GET https://dev.azure.com/acme/_apis/projects?$top=1"
		expense = "POST https://integrations.expensify.com/Integration-Server/ExpensifyIntegrations"
		xmlHead = `<?xml version="1.0" encoding="ISO-8859-1"?>`
	)
	type settings = map[string]any
	config := map[string]settings{
		"aws-iam":         {"region": "eu-west-1"},
		"aws-inspector2":  {"region": "eu-west-1"},
		"azure-devops":    {"organizationUrl": "dev.azure.com/acme"},
		"bitdefender":     {"ACCESS_URL": "https://cloud.gravityzone.bitdefender.com/api"},
		"cdw":             {"baseUrl": "apiconnect.cdw.com/b2b"},
		"pushpay-chms-v1": {"subdomain": "church"},
		"snipe-it":        {"hostname": "acme.snipe-it.io"},
	}
	tests := []struct {
		provider, line string
		answer         reply
		wantErr        string
	}{
		{"apollo", "GET https://app.apollo.io/api/v1/auth/health", reply{body: `{"healthy":true,"is_logged_in":true}`}, ""},
		{"apollo", "GET https://app.apollo.io/api/v1/auth/health", reply{body: `{"healthy":true,"is_logged_in":false}`}, "did not accept"},
		{"apollo", "GET https://app.apollo.io/api/v1/auth/health", reply{status: 422}, "did not accept the credentials: it answered with status 422."},
		{"aws-iam", "GET https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", reply{body: `{}`}, ""},
		{"aws-inspector2", "GET https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", reply{status: 403}, "status 403"},
		{"azure-devops", azure, reply{body: `{"count":0,"value":[]}`}, ""},
		{"azure-devops", azure, reply{status: 203, body: `<html>`}, "page to sign in"},
		{"azure-devops", azure, reply{body: `<html>`}, "page to sign in"},
		{"azure-devops", azure, reply{status: 401}, "status 401"},
		{"bitdefender", "POST https://cloud.gravityzone.bitdefender.com/api/v1.0/jsonrpc/general", reply{body: `{"result":{}}`}, ""},
		{"bitdefender", "POST https://cloud.gravityzone.bitdefender.com/api/v1.0/jsonrpc/general", reply{status: 401}, "status 401"},
		{"cdw", cdw, reply{status: 400, body: `{"error":"no order"}`}, ""},
		{"cdw", cdw, reply{status: 201}, ""},
		{"cdw", cdw, reply{status: 401}, "status 401"},
		{"cdw", cdw, reply{status: 500}, "cannot be tested: the provider answered with status 500."},
		{"expensify", expense, reply{body: `{"policyList":[],"responseCode":200}`}, ""},
		{"expensify", expense, reply{body: `{"responseMessage":"Authentication error","responseCode":500}`}, "did not accept"},
		{"expensify", expense, reply{body: strings.Repeat(" ", 2<<20)}, ""},
		{"expensify", expense, reply{body: `<html>`}, "not JSON"},
		{"lastpass", "POST https://lastpass.com/enterpriseapi.php", reply{body: `{"Users":{}}`}, ""},
		{"lastpass", "POST https://lastpass.com/enterpriseapi.php", reply{body: `{"status":"FAIL","errors":["Authorization Error"]}`}, "did not accept"},
		{"pushpay-chms-v1", pushpay, reply{body: xmlHead + `<ccb_api><request/><response><daily_limit>10000</daily_limit></response></ccb_api>`}, ""},
		{"pushpay-chms-v1", pushpay, reply{body: xmlHead + `<ccb_api><response><errors><error number="002">wrong</error></errors></response></ccb_api>`}, "did not accept"},
		{"pushpay-chms-v1", pushpay, reply{body: `<html><body>Sign in</body></html>`}, "not the XML"},
		{"pushpay-chms-v1", pushpay, reply{body: `{}`}, "not the XML"},
		{"skio", skio, reply{body: `{"data":{"Orders":[]}}`}, ""},
		{"skio", skio, reply{body: `{"errors":[{"message":"denied"}]}`}, "did not accept"},
		{"snipe-it", "GET https://acme.snipe-it.io/api/v1/users?limit=1", reply{body: `{"total":0,"rows":[]}`}, ""},
		{"snipe-it", "GET https://acme.snipe-it.io/api/v1/users?limit=1", reply{status: 401}, "status 401"},
		{"vantage-apparel", vantage, reply{body: `<s:Envelope><s:Body><errorMessage><code>160</code></errorMessage></s:Body></s:Envelope>`}, ""},
		{"vantage-apparel", vantage, reply{body: `<code>105</code><description>Authentication Credentials failed</description>`}, "did not accept"},
	}
	for _, tt := range tests {
		t.Run(tt.provider+" "+tt.wantErr, func(t *testing.T) {
			t.Parallel()
			s := &saas{answer: answers(map[string]reply{tt.line: tt.answer})}
			err := s.hooks().Verify(t.Context(), target(t, cat, tt.provider, config[tt.provider]), s.note)
			s.wantNoSecret(t, err)
			s.wantCalls(t, tt.line)
			wantError(t, err, "connection_test_failed", tt.wantErr)
		})
	}
}

// TestVerificationBodies looks at how credentials travel that are not in a
// header.
func TestVerificationBodies(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	tests := []struct{ provider, want, contentType, header, value string }{
		{
			"expensify",
			"requestJobDescription=%7B%22credentials%22%3A%7B%22partnerUserID%22%3A%22" + username + "%22%2C%22partnerUserSecret%22%3A%22" + password +
				"%22%7D%2C%22inputSettings%22%3A%7B%22type%22%3A%22policyList%22%7D%2C%22type%22%3A%22get%22%7D",
			"application/x-www-form-urlencoded", "", "",
		},
		{"lastpass", `{"cid":"` + username + `","cmd":"getuserdata","provhash":"` + password + `"}`, "application/json", "", ""},
		{"cdw", `{}`, "application/json", "Subscription-Key", apiKey},
		{"apollo", "", "", "X-Api-Key", apiKey},
		{"skio", `{"query":"query { Orders(limit: 1) { id } }"}`, "application/json", "Authorization", "API " + apiKey},
		{"snipe-it", "", "", "Authorization", "Bearer " + apiKey},
		{"aws-iam", "", "", "X-Amz-Date", "20260102T030405Z"},
	}
	for _, tt := range tests {
		s := &saas{answer: always(reply{})}
		_ = s.hooks().Verify(t.Context(), target(t, cat, tt.provider, map[string]any{"baseUrl": "apiconnect.cdw.com/b2b", "hostname": "acme.snipe-it.io"}), s.note)
		if s.last == nil {
			t.Fatalf("%s: not called", tt.provider)
		}
		if s.body != tt.want || tt.contentType != "" && s.last.Header.Get("Content-Type") != tt.contentType || s.last.Header.Get(tt.header) != tt.value {
			t.Errorf("%s: body %s, headers %v", tt.provider, s.body, s.last.Header)
		}
	}
}

func TestVantageEscapes(t *testing.T) {
	t.Parallel()
	s := &saas{answer: always(reply{body: "<ok/>"})}
	tg := target(t, openCatalog(t), "vantage-apparel", nil)
	tg.Credentials = basicCredentials("a<b", `</password>"&`)
	if err := s.hooks().Verify(t.Context(), tg, s.note); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.body, "<id>a&lt;b</id><password>&lt;/password&gt;&#34;&amp;</password>") {
		t.Errorf("body %s", s.body)
	}
	if s.last.Header.Get("Content-Type") != "text/xml; charset=utf-8" || s.last.Header.Get("Soapaction") == "" {
		t.Errorf("headers %v", s.last.Header)
	}
}

// TestSignature checks who signs what, for the one region that the endpoint
// accepts. How signatures are made is the catalogue's business, and tested there.
func TestSignature(t *testing.T) {
	t.Parallel()
	s := &saas{answer: always(reply{})}
	if err := s.hooks().Verify(t.Context(), target(t, openCatalog(t), "aws-inspector2", map[string]any{"region": "eu-west-1"}), s.note); err != nil {
		t.Fatal(err)
	}
	got := s.last.Header.Get("Authorization")
	want := "AWS4-HMAC-SHA256 Credential=" + username + "/20260102/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature="
	if !strings.HasPrefix(got, want) || strings.Contains(got, password) {
		t.Errorf("Authorization %s", got)
	}
}

// TestBodyStaysHome: a redirect does not take credentials to another origin.
func TestBodyStaysHome(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	for provider, where := range map[string]string{"lastpass": "https://evil.example/", "azure-devops": "https://evil.example/"} {
		s := &saas{answer: always(reply{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {where}}})}
		err := s.hooks().Verify(t.Context(), target(t, cat, provider, map[string]any{"organizationUrl": "dev.azure.com/acme"}), s.note)
		wantError(t, err, "connection_test_failed", "cred")
		for i, line := range s.seen[1:] {
			if provider == "lastpass" {
				t.Errorf("call %d: %s", i, line)
			}
		}
		if provider != "lastpass" && s.last.Header.Get("Authorization") != "" {
			t.Errorf("%s: %s gets %v", provider, s.last.URL, s.last.Header)
		}
	}
}
