package hook

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan/catalog"
)

// verificationHooks are the hooks of hooks.verify_credentials (provider semantics
// §2.3).
func verificationHooks() map[string]action {
	return map[string]action{
		"apolloCredentialsVerification":         verifyApollo,
		"awsIamCredentialsVerification":         verifyAWS,
		"azureDevopsCredentialsVerification":    verifyAzureDevops,
		"bitdefenderCredentialsVerification":    verifyBitdefender,
		"cdwCredentialsVerification":            verifyCDW,
		"expensifyCredentialsVerification":      verifyExpensify,
		"lastpassCredentialsVerification":       verifyLastPass,
		"pushpayChmsV1CredentialsVerification":  verifyPushpay,
		"skioCredentialsVerification":           verifySkio,
		"snipeItCredentialsVerification":        verifySnipeIT,
		"vantageApparelCredentialsVerification": verifyVantage,
	}
}

// refused is the problem of an answer that succeeds and says no.
func refused(a *answer) error { return refuse(a, "its answer says so.") }

// verifyApollo: any key gets an answer, which tells whether it is one.
func verifyApollo(ctx context.Context, r *run) error {
	a, err := r.must(ctx, get("/v1/auth/health"))
	if err != nil {
		return err
	}
	v, err := a.json()
	if err != nil {
		return err
	}
	if at(v, "is_logged_in") != true {
		return refused(a)
	}
	return nil
}

// verifyAWS asks the Security Token Service who the key belongs to, which every
// key may. Its global endpoint wants signatures for this one region.
func verifyAWS(ctx context.Context, r *run) error {
	const (
		region = "us-east-1"
		host   = "sts.amazonaws.com"
		query  = "Action=GetCallerIdentity&Version=2011-06-15"
	)
	s := catalog.NewScope(map[string]any{"credentials": map[string]string{
		"username": r.t.Credentials.Username.Reveal(), "password": r.t.Credentials.Password.Reveal(),
	}}).WithNow(r.now).WithRequest(catalog.Request{
		Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: host, Path: "/", RawQuery: query},
	})
	header := http.Header{}
	for name, text := range map[string]string{
		"Authorization": "${awsSigV4(${credentials.username}, ${credentials.password}, " + region + ", sts, " + host + ")}",
		"X-Amz-Date":    "${now:YYYYMMDDTHHmmss[Z]}",
	} {
		template, err := catalog.ParseTemplate(text)
		if err != nil {
			return err
		}
		value, ok := template.Expand(s)
		if !ok {
			return say("the request cannot be signed with these credentials.")
		}
		header.Set(name, value)
	}
	_, err := r.must(ctx, call{method: http.MethodGet, base: "https://" + host, endpoint: "/?" + query, header: header})
	return err
}

// verifyAzureDevops: a token that is none brings the sign-in page, with a status
// of success or after a redirect.
func verifyAzureDevops(ctx context.Context, r *run) error {
	a, err := r.must(ctx, get("/_apis/projects?$top=1"))
	if err != nil {
		return err
	}
	if _, err := a.json(); err != nil || a.status != http.StatusOK {
		return refuse(a, "it answered with a page to sign in.")
	}
	return nil
}

func verifyBitdefender(ctx context.Context, r *run) error {
	_, err := r.must(ctx, post("/v1.0/jsonrpc/general", map[string]any{
		"id": "linkspan", "jsonrpc": "2.0", "method": "getApiKeyDetails", "params": map[string]any{},
	}))
	return err
}

// verifyCDW sends an order that is none: whoever gets to hear so has a key.
func verifyCDW(ctx context.Context, r *run) error {
	a, err := r.send(ctx, post("/v1/customers/orders", map[string]string{}))
	if err != nil {
		return err
	}
	if a.status != http.StatusBadRequest && !a.ok() {
		return badStatus(a)
	}
	return nil
}

func verifyExpensify(ctx context.Context, r *run) error {
	job, err := json.Marshal(map[string]any{
		"type": "get",
		"credentials": map[string]string{
			"partnerUserID": r.t.Credentials.Username.Reveal(), "partnerUserSecret": r.t.Credentials.Password.Reveal(),
		},
		"inputSettings": map[string]string{"type": "policyList"},
	})
	if err != nil {
		return err
	}
	a, err := r.must(ctx, call{
		method: http.MethodPost, endpoint: "/ExpensifyIntegrations", contentType: "application/x-www-form-urlencoded",
		content: []byte(url.Values{"requestJobDescription": {string(job)}}.Encode()),
	})
	if err != nil || a.cut { // nobody is refused at such length
		return err
	}
	v, err := a.json()
	if err != nil {
		return err
	}
	if strings.Contains(textAt(v, "responseMessage"), "Authentication error") {
		return refused(a)
	}
	return nil
}

func verifyLastPass(ctx context.Context, r *run) error {
	a, err := r.must(ctx, post("/enterpriseapi.php", map[string]string{
		"cid": r.t.Credentials.Username.Reveal(), "provhash": r.t.Credentials.Password.Reveal(), "cmd": "getuserdata",
	}))
	if err != nil {
		return err
	}
	if strings.Contains(string(a.body), "Authorization Error") {
		return refused(a)
	}
	return nil
}

func verifyPushpay(ctx context.Context, r *run) error {
	c := get("/api.php?srv=api_status")
	c.header = http.Header{"Accept": {"application/xml"}}
	a, err := r.must(ctx, c)
	if err != nil {
		return err
	}
	found, err := pushpayError(a.body)
	if err != nil {
		return say("the provider's answer is not the XML that its API speaks.")
	}
	if found {
		return refused(a)
	}
	return nil
}

// pushpayError reports whether an answer has an error in its response.
func pushpayError(text []byte) (found bool, err error) {
	var path []string
	dec := xml.NewDecoder(strings.NewReader(string(text)))
	// Names of elements are ASCII in all encodings that a server would use.
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	answered := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) && answered {
			return found, nil
		}
		if err != nil {
			return false, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			inside := len(path) > 1 && path[0] == "ccb_api" && path[1] == "response"
			answered = answered || inside
			found = found || inside && token.Name.Local == "error"
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

func verifySkio(ctx context.Context, r *run) error {
	a, err := r.must(ctx, graphQL("/v1/graphql", "query { Orders(limit: 1) { id } }"))
	if err != nil {
		return err
	}
	v, err := a.json()
	if err != nil {
		return err
	}
	if listAt(v, "data.Orders") == nil {
		return refused(a)
	}
	return nil
}

// verifySnipeIT lists users; the provider's base URL ends in /api.
func verifySnipeIT(ctx context.Context, r *run) error {
	_, err := r.must(ctx, get("/v1/users?limit=1"))
	return err
}

// verifyVantage looks an account up that nobody has. Its service answers in SOAP
// 1.1, with a code of PromoStandards.
func verifyVantage(ctx context.Context, r *run) error {
	const namespace = "http://tempuri.org/"
	envelope := `<?xml version="1.0" encoding="utf-8"?>` +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><getAccountsByEmail xmlns="` + namespace + `">` +
		`<id>` + xmlText(r.t.Credentials.Username.Reveal()) + `</id><password>` + xmlText(r.t.Credentials.Password.Reveal()) + `</password>` +
		`<keyword>credentials-test@example.com</keyword></getAccountsByEmail></soap:Body></soap:Envelope>`
	a, err := r.must(ctx, call{
		method: http.MethodPost, endpoint: "/CustomerLookupService.svc", content: []byte(envelope), contentType: "text/xml; charset=utf-8",
		header: http.Header{"Accept": {"text/xml"}, "Soapaction": {`"` + namespace + `ICustomerLookupService/getAccountsByEmail"`}},
	})
	if err != nil {
		return err
	}
	text := strings.ToLower(string(a.body))
	if strings.Contains(text, "<code>105</code>") && strings.Contains(text, "authentication") {
		return refused(a)
	}
	return nil
}

func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}
