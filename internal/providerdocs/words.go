package providerdocs

import (
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/catalog"
)

// modeName says in a word or two how a provider authenticates.
func modeName(mode catalog.AuthMode) string {
	switch mode {
	case catalog.ModeNone:
		return "No authentication"
	case catalog.ModeAPIKey:
		return "API key"
	case catalog.ModeBasic:
		return "Basic authentication"
	case catalog.ModeOAuth1:
		return "OAuth 1.0a"
	case catalog.ModeOAuth2:
		return "OAuth 2.0"
	case catalog.ModeOAuth2CC:
		return "Client credentials"
	case catalog.ModeTwoStep:
		return "Token exchange"
	case catalog.ModeJWT:
		return "Signed JWT"
	case catalog.ModeTBA:
		return "Token-based authentication"
	case catalog.ModeBill:
		return "Session login"
	case catalog.ModeSignature:
		return "Request signature"
	case catalog.ModeAWSSigV4:
		return "AWS Signature V4"
	case catalog.ModeApp:
		return "App installation"
	case catalog.ModeCustom:
		return "App and user tokens"
	case catalog.ModeInstallPlugin:
		return "Plugin installation"
	case catalog.ModeMCPOAuth2, catalog.ModeMCPOAuth2Generic:
		return "OAuth 2.0 for MCP"
	}
	return string(mode)
}

// modeText explains a mode in a sentence.
func modeText(mode catalog.AuthMode) string {
	switch mode {
	case catalog.ModeNone:
		return "The API needs no credentials. A connection only carries settings."
	case catalog.ModeAPIKey:
		return "Each connection holds one API key. Linkspan stores it encrypted and adds it to every proxied call."
	case catalog.ModeBasic:
		return "Each connection holds a user name and a password, which are sent with every proxied call."
	case catalog.ModeOAuth1:
		return "Users grant access on the provider's page; every call is signed with the token they granted."
	case catalog.ModeOAuth2:
		return "Users grant access on the provider's page. Linkspan keeps the tokens and renews them before they expire."
	case catalog.ModeOAuth2CC:
		return "Each connection holds a client id and secret, which are exchanged for short-lived tokens."
	case catalog.ModeTwoStep:
		return "The credentials of a connection are exchanged for a token, which is renewed when it expires."
	case catalog.ModeJWT:
		return "Calls carry a short-lived token that is signed with the connection's private key."
	case catalog.ModeTBA:
		return "Every call is signed with the tokens of the connection and of the integration."
	case catalog.ModeBill:
		return "The credentials of a connection open a session, which is renewed when it expires."
	case catalog.ModeSignature:
		return "Every call carries a signature made from the user name and password."
	case catalog.ModeAWSSigV4:
		return "Linkspan assumes an IAM role and signs every call with its temporary credentials."
	case catalog.ModeApp, catalog.ModeCustom:
		return "Users install your app at the provider; calls use tokens of that installation."
	case catalog.ModeInstallPlugin:
		return "Users install your plugin at the provider, which reports the installation back."
	case catalog.ModeMCPOAuth2, catalog.ModeMCPOAuth2Generic:
		return "Users grant an MCP client access to the server. Linkspan registers the client and renews the tokens."
	}
	return ""
}

// usesCallback reports whether the provider must know the callback address.
func usesCallback(mode catalog.AuthMode) bool {
	switch mode {
	case catalog.ModeOAuth1, catalog.ModeOAuth2, catalog.ModeCustom, catalog.ModeMCPOAuth2, catalog.ModeMCPOAuth2Generic:
		return true
	default:
	}
	return false
}

// sent lists what calls carry beside the caller's own headers and parameters.
func sent(p *catalog.Provider) []sentView {
	var list []sentView
	add := func(where string, params catalog.Params) {
		for i := range params {
			list = append(list, sentView{where, params[i].Name, paramText(&params[i])})
		}
	}
	if p.API == nil || p.API.Headers.Lookup("authorization") == nil {
		if value := defaultAuthorization(p.Auth.Mode); value != "" {
			list = append(list, sentView{"header", "authorization", value})
		}
	}
	if p.API == nil {
		return list
	}
	add("header", p.API.Headers)
	add("query", p.API.Query)
	if p.API.Body != nil {
		for _, m := range p.API.Body.Members() {
			list = append(list, sentView{"body", m.Name, valueText(&m.Value)})
		}
	}
	return list
}

// defaultAuthorization is what is sent when the entry names no such header.
func defaultAuthorization(mode catalog.AuthMode) string {
	switch mode {
	case catalog.ModeBasic, catalog.ModeInstallPlugin:
		return "Basic …"
	case catalog.ModeOAuth2, catalog.ModeOAuth2CC, catalog.ModeTwoStep, catalog.ModeJWT, catalog.ModeSignature,
		catalog.ModeApp, catalog.ModeCustom, catalog.ModeMCPOAuth2, catalog.ModeMCPOAuth2Generic:
		return "Bearer …"
	case catalog.ModeOAuth1, catalog.ModeTBA:
		return "OAuth …"
	case catalog.ModeAWSSigV4:
		return "AWS4-HMAC-SHA256 …"
	default:
	}
	return ""
}

func paramText(p *catalog.Param) string {
	text := valueText(&p.Value)
	if p.Fallback != nil {
		text += ", or else " + valueText(p.Fallback)
	}
	return text
}

func valueText(v *catalog.Value) string {
	if t := v.Template(); t != nil {
		return t.String()
	}
	encoded, err := v.MarshalJSON()
	if err != nil {
		return ""
	}
	return string(encoded)
}

// limits explains the hints about rate limits.
func limits(api *catalog.API) []sentence {
	if api == nil {
		return nil
	}
	r := &api.Retry
	var list []sentence
	if len(r.At) > 0 {
		list = append(list, say("The time of the next try is read from the header "+codeList(r.At)+"."))
	} else if len(r.After) > 0 {
		list = append(list, say("The seconds until the next try are read from the header "+codeList(r.After)+"."))
	}
	if r.Body != nil {
		list = append(list, say("The wait is also looked for in the body, at `"+r.Body.Path+"`."))
	}
	if r.Remaining != "" {
		list = append(list, say("`"+r.Remaining+": 0` means that the limit is used up, whatever the status."))
	}
	if len(r.Status) > 0 {
		list = append(list, say("Answers with the status "+codeList(r.Status)+" are tried again."))
	}
	return list
}

// pages explains how lists are read page by page.
func pages(api *catalog.API) []sentence {
	if api == nil || api.Paginate == nil {
		return nil
	}
	p := api.Paginate
	var list []sentence
	switch p.Kind {
	case "cursor":
		list = append(list, say("The cursor of the next page is at `"+p.CursorPath+"` and is sent as `"+p.CursorParam+"`."))
	case "link":
		switch {
		case p.LinkRel != "" && p.LinkPath != "":
			list = append(list, say("The next page is the link `rel="+p.LinkRel+"` of the `Link` header, or the one at `"+p.LinkPath+"`."))
		case p.LinkRel != "":
			list = append(list, say("The next page is the link `rel="+p.LinkRel+"` of the `Link` header."))
		default:
			list = append(list, say("The link to the next page is at `"+p.LinkPath+"`."))
		}
	case "offset":
		unit := "items"
		if p.OffsetStep == "page" {
			unit = "pages"
		}
		start := 0
		if p.OffsetStart != nil {
			start = *p.OffsetStart
		}
		list = append(list, say("The parameter `"+p.OffsetParam+"` counts "+unit+" and starts at "+strconv.Itoa(start)+"."))
	}
	if p.LimitParam != "" {
		list = append(list, say("The size of a page is set with `"+p.LimitParam+"`."))
	}
	if p.ItemsPath != "" {
		list = append(list, say("The items are at `"+p.ItemsPath+"`."))
	}
	return list
}

// verification explains how new credentials are tested.
func verification(p *catalog.Provider) []sentence {
	switch {
	case p.Hooks.VerifyCredentials != "":
		return []sentence{say("New credentials are tested before they are stored.")}
	case !p.Verifiable():
		return nil
	}
	v := p.API.Verify
	method := "GET"
	if v.Method != "" {
		method = v.Method
	}
	var calls []string
	for i := range v.Paths {
		calls = append(calls, method+" "+v.Paths[i].String())
	}
	return []sentence{say("New credentials are tested with " + codeList(calls) + " before they are stored.")}
}

// codeList joins names as "`a`, `b` or `c`".
func codeList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + name + "`"
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
