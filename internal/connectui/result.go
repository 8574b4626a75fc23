package connectui

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan/internal/authorize"
)

// resultView is the page that the provider's window ends on.
type resultView struct {
	frame
	Success           bool
	Title, Text, Next string
	Name, Provider    string
	Code              string
	Details           []string
	Query             []authorize.QueryParam
	// Key and Connection name what is connected, for the page that waits.
	Key, Connection        string
	payloadMessage, origin string
}

// Result answers with the page for a finished authorization (wire contract
// §8.4). It tells the page that opened the window, and it speaks for itself when
// there is none.
func (u *UI) Result(w http.ResponseWriter, r *http.Request, result authorize.Result) error {
	view := u.resultView(r, result)
	var b strings.Builder
	if err := resultPage(view).Render(r.Context(), &b); err != nil {
		return fmt.Errorf("rendering the result page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "+
		"style-src 'nonce-"+view.Nonce+"'; script-src 'nonce-"+view.Nonce+"'; img-src "+view.origin)
	h.Set("Content-Language", view.W.Lang)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	status := result.Status
	if status == 0 {
		status = http.StatusOK
		if !result.Success {
			status = http.StatusBadRequest
		}
	}
	return sendText(w, r, status, b.String())
}

func (u *UI) resultView(r *http.Request, result authorize.Result) resultView {
	f := frame{
		W:    pickWords(u.langs, result.Lang, r.Header.Get("Accept-Language")),
		Base: u.base, API: u.api.String(), Nonce: rand.Text(), Assets: u.assets,
	}
	f = f.withSettings(result.Look)
	v := resultView{
		frame: f, Success: result.Success, Provider: result.Provider, Name: shortName(result.ProviderName), Code: result.Code, Query: result.Query,
		Key: result.IntegrationKey, Connection: result.ConnectionName, origin: u.api.Scheme + "://" + u.api.Host,
	}
	if v.Name == "" {
		v.Name = result.IntegrationKey
	}
	if v.Success {
		v.Title, v.Text, v.Next = f.say(f.W.DoneTitle, v.Name), f.say(f.W.DoneText, v.Name), f.W.DoneWindow
		return v
	}
	about := explain(f.W, result.Code, result.Reason, kindOfStatus(result.Status))
	v.Title, v.Text, v.Next = f.say(about.words.Title, v.Name), f.say(about.words.Text, v.Name), f.say(f.W.GoBack, v.Name)
	for _, text := range []string{result.Message, result.Hint, result.Detail} {
		if text != "" {
			v.Details = append(v.Details, text)
		}
	}
	v.payloadMessage = payloadMessage(result)
	return v
}

// payloadMessage is what the opener is told of a failure: the parameters that the
// provider sent as JSON, if its own error is the reason (wire contract §8.4).
func payloadMessage(result authorize.Result) string {
	sent := map[string]string{}
	for _, q := range result.Query {
		switch q.Name {
		case "error", "error_description", "error_reason", "error_uri", "status_code", "error_message":
			sent[q.Name] = q.Value
		}
	}
	if len(sent) > 0 && result.Code == authorize.CodeCallback {
		if text, err := json.Marshal(sent); err == nil {
			return string(text)
		}
	}
	return strings.TrimSpace(result.Message + " " + result.Detail)
}

// script tells the opener and whoever listens on the channel. Success closes the
// window after a moment, an acknowledgement at once.
func (v resultView) script() string {
	message := struct {
		Type    string            `json:"type"`
		Payload map[string]string `json:"payload,omitempty"`
	}{Type: "nango_oauth_callback_success"}
	switch {
	case !v.Success:
		message.Type, message.Payload = "nango_oauth_callback_error", map[string]string{"message": v.payloadMessage, "errorType": v.Code}
	case v.Connection != "":
		// Connect UI needs the names where no WebSocket gets through.
		message.Payload = map[string]string{"providerConfigKey": v.Key, "connectionId": v.Connection}
	}
	text, err := json.Marshal(message) // escapes <, > and & so that no element ends early
	if err != nil {
		return ""
	}
	closing := ""
	if v.Success {
		closing = "setTimeout(()=>close(),500);"
	}
	return `<script nonce="` + v.Nonce + `">{const m=` + string(text) + `;` +
		`addEventListener("message",e=>{if(e.data&&e.data.type==="nango_oauth_callback_ack")close()});` +
		`try{if(opener)opener.postMessage(m,"*")}catch{}` +
		`try{const c=new BroadcastChannel("nango-oauth-callback");c.postMessage(m)}catch{}` + closing + `}</script>`
}

// inlineStyle is the whole style sheet, because no other file may be at hand.
func (v resultView) inlineStyle() string {
	return `<style nonce="` + v.Nonce + `">` + v.Assets.css + v.Look.sheet() + `</style>`
}
