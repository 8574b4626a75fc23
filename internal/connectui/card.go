package connectui

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/authorize"
)

// cardView is one integration: what connecting it means, and its form.
type cardView struct {
	frame
	Key, Name, Provider string
	Reconnect           bool
	// Back is whether there is a list to go back to.
	Back bool
	// OAuth integrations continue in another window.
	OAuth bool
	None  bool
	// Verified is whether credentials are tried out at the provider.
	Verified bool
	// Guide explains where the values come from.
	Guide  string
	Scopes []string
	Fields []field
	// Popup is the page that waits for the result, when the form is shown in the
	// window for the provider itself.
	Popup string
	// Alert is what went wrong with what was entered. Zero: nothing.
	Alert problemWords
	// Code and Detail are for developers.
	Code, Detail string
}

// maxHeadingApp is how long the name of the customer's product may be, in
// characters, to be part of a heading.
const maxHeadingApp = 30

// title says what the card is for.
func (v cardView) title() string {
	switch {
	case v.Reconnect:
		return v.say(v.W.ReconnectTitle, v.Name)
	case v.appInHeading():
		return v.say(v.W.CardTitleApp, v.Name)
	}
	return v.say(v.W.CardTitle, v.Name)
}

// facts are what somebody should know before agreeing.
func (v cardView) facts() []fact {
	switch {
	case v.OAuth:
		return []fact{{"lock", v.say(v.W.FactSignIn, v.Name)}, {"refresh", v.say(v.W.FactRevoke, v.Name)}}
	case v.None:
		return []fact{{"circle-check", v.say(v.W.FactNone, v.Name)}}
	}
	if v.Verified {
		return []fact{{"lock", v.say(v.W.FactKey, v.Name)}}
	}
	return []fact{{"lock", v.say(v.W.FactStored, v.Name)}}
}

type fact struct{ Icon, Text string }

// button is the text of the main button.
func (v cardView) button() string {
	switch {
	case v.OAuth:
		return v.say(v.W.Continue, v.Name)
	case v.Reconnect:
		return v.W.Reconnect
	}
	return v.W.Connect
}

// busy is the text of the main button while it works.
func (v cardView) busy() string {
	if v.OAuth {
		return v.say(v.W.Opening, v.Name)
	}
	return v.say(v.W.Checking, v.Name)
}

// subject is the integration that a request is about, with its form.
type subject struct {
	integration linkspan.Integration
	provider    *catalog.Provider
	form        form
}

// find looks up an integration that the session may connect. The error is one to
// show.
func (u *UI) find(ctx context.Context, v *visit, key string) (subject, error) {
	if !v.allows(key) {
		return subject{}, linkspan.E("connectui.find", linkspan.KindForbidden, codeNotAllowed, nil, "The session does not allow this integration.")
	}
	i, err := u.cfg.Integrations.Get(ctx, v.principal.Environment.ID, key)
	if err != nil {
		return subject{}, fmt.Errorf("reading an integration for Connect UI: %w", err)
	}
	p, err := u.cfg.Catalog.Provider(i.Provider)
	if errors.Is(err, catalog.ErrUnknownProvider) {
		return subject{integration: i}, linkspan.E("connectui.find", linkspan.KindInvalid, codeUnsupported, err, "The catalogue has no provider %s.", i.Provider)
	}
	if err != nil {
		return subject{integration: i}, fmt.Errorf("loading a provider for Connect UI: %w", err)
	}
	s := subject{integration: i, provider: p, form: newForm(v.W, p, v.session.Defaults[key])}
	if reason, unsupported := p.Unsupported(); unsupported {
		return s, linkspan.E("connectui.find", linkspan.KindInvalid, codeUnsupported, nil, "%s", reason)
	}
	return s, nil
}

// name is what people call the integration.
func (s subject) name() string {
	if s.integration.DisplayName != "" {
		return s.integration.DisplayName
	}
	if s.provider != nil {
		return shortName(s.provider.DisplayName)
	}
	return s.integration.Key
}

func (u *UI) card(w http.ResponseWriter, r *http.Request) error {
	v, err := u.open(r)
	if err != nil {
		return v.refused(err)
	}
	return u.showCard(w, r, v, r.PathValue("key"))
}

func (u *UI) showCard(w http.ResponseWriter, r *http.Request, v *visit, key string) error {
	s, err := u.find(r.Context(), v, key)
	if err != nil {
		return v.failed(s, err)
	}
	return v.render(w, r, http.StatusOK, cardPage(u.cardView(v, s, entered{})))
}

func (u *UI) cardView(v *visit, s subject, in entered) cardView {
	key := s.integration.Key
	view := cardView{
		frame: v.frame, Key: key, Name: s.name(), Provider: s.integration.Provider,
		Reconnect: v.reconnects(), Back: len(v.session.AllowedIntegrations) != 1,
		OAuth: s.provider.Auth.Mode == catalog.ModeOAuth2, None: s.provider.Auth.Mode == catalog.ModeNone,
		Verified: s.provider.Verifiable(),
		Guide:    v.session.Overrides[key].DocsConnect, Fields: s.form.fields(v.W, in), Popup: v.form.Get("ws_client_id"),
	}
	if view.Guide == "" {
		view.Guide = u.api.String() + "/docs/providers/" + s.integration.Provider
	}
	if view.OAuth {
		view.Scopes = scopes(s.integration, v.session.Defaults[key])
	}
	return view
}

// connect connects an account with the credentials in the form.
func (u *UI) connect(w http.ResponseWriter, r *http.Request) error {
	v, err := u.open(r)
	if err != nil {
		return v.refused(err)
	}
	s, err := u.find(r.Context(), v, r.PathValue("key"))
	if err != nil {
		return v.failed(s, err)
	}
	in, ok, err := u.accept(w, r, v, s)
	if !ok || err != nil {
		return err
	}
	outcome, err := u.cfg.Authorize.Headless(r.Context(), v.principal, request(v, s, in), s.form.grant(s.provider.Auth.Mode, in))
	if err == nil {
		return u.showDone(w, r, v, s, outcome.Name)
	}
	if !isWrongDetails(err) {
		return v.failed(s, err)
	}
	s.form.blame(in, v.say(v.W.WrongDetails.Title, s.name()))
	view := u.cardView(v, s, in)
	view.Alert, view.Code, view.Detail = v.W.WrongDetails, codeOf(err), messageOf(err)
	return &failure{err: err, visit: v, view: cardPage(view)}
}

// accept reads the form. When ok is false, the answer was to show it again with
// what is wrong.
func (u *UI) accept(w http.ResponseWriter, r *http.Request, v *visit, s subject) (in entered, ok bool, err error) {
	in = s.form.read(v.form)
	if err := s.form.validate(v.W, in); err != nil {
		return in, false, v.failed(s, fmt.Errorf("checking a form: %w", err))
	}
	if len(in.problems) == 0 {
		return in, true, nil
	}
	view := u.cardView(v, s, in)
	view.Alert = problemWords{Title: v.W.CheckFields}
	return in, false, v.render(w, r, http.StatusUnprocessableEntity, cardPage(view))
}

// request is what a form asks for.
func request(v *visit, s subject, in entered) authorize.Request {
	return authorize.Request{
		IntegrationKey: s.integration.Key, Params: s.form.params(in), PopupID: v.form.Get("ws_client_id"), Lang: v.W.Lang,
		ClientIDOverride: in.values[inputOwnClientID], ClientSecretOverride: linkspan.NewSecret(in.values[inputOwnSecret]),
	}
}

// start sends a browser to the provider. The form that leads here is sent by the
// window that the user authorizes in, so that its cookie is one of this site.
func (u *UI) start(w http.ResponseWriter, r *http.Request) error {
	v, err := u.open(r)
	if err != nil {
		return v.refused(err)
	}
	v.Embedded, v.Alone = false, true
	s, err := u.find(r.Context(), v, r.PathValue("key"))
	if err != nil {
		return v.failed(s, err)
	}
	in, ok, err := u.accept(w, r, v, s)
	if !ok || err != nil {
		return err
	}
	begun, err := u.cfg.Authorize.Begin(r.Context(), v.principal, request(v, s, in))
	if err != nil {
		return v.failed(s, err)
	}
	http.SetCookie(w, begun.Cookie())
	// Not a redirect: browsers apply form-action to where a form's answer leads,
	// and that would have to name every provider.
	return v.write(w, r, http.StatusOK, leaving(v.frame, s.name(), s.integration.Provider, begun.URL))
}
