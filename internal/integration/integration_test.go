package integration_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/integration"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/vault"
)

const awsLike = `name: form
display_name: Form
categories: [other]
auth: {mode: API_KEY}
api: {base_url: ["https://x.example"]}
inputs:
  integration_config:
    - {name: mode, title: Mode, help: How., required: true, default: plain, choices: [{value: plain}, {value: signed}]}
    - {name: seed, title: Seed, help: Secret., required: true, secret: true, visible_when: {field: mode, equals: signed}}
    - {name: note, title: Note, help: Anything., required: false, default: ""}
    - {name: filled, title: Filled, help: By us., required: true, system: true}
`

const scoped = `name: scoped
display_name: Scoped
categories: [other]
auth:
  mode: OAUTH2
  scopes: {default: [read, write]}
  authorize: {url: ["https://x.example/authorize"]}
  token: {url: ["https://x.example/token"]}
api: {base_url: ["https://x.example"]}
`

const chosen = `name: chosen
display_name: Chosen
categories: [other]
auth:
  mode: OAUTH2
  authorize: {url: ["https://x.example/authorize"]}
  token: {url: ["https://${connectionConfig.host}/token"]}
api: {base_url: ["https://x.example"]}
inputs:
  connection_config:
    - {name: host, title: Host, help: Where., required: true}
`

type bundle struct {
	*integration.Service

	store *store.Store
	env   linkspan.EnvironmentID
	cat   *catalog.Catalog
}

func setup(t *testing.T) bundle {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{DataDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.Migrate(t.Context())
	check(t, err)
	s := store.New(db, vault.New(vault.NewRing(vault.NewMasterKey()), db))
	made, err := environment.New(s, s).Bootstrap(t.Context(), environment.BootstrapInput{})
	check(t, err)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "form.yaml"), []byte(awsLike), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "scoped.yaml"), []byte(scoped), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "chosen.yaml"), []byte(chosen), 0o600))
	cat, err := catalog.Open(catalog.Options{Dir: dir})
	check(t, err)
	return bundle{Service: integration.New(s, s, cat), store: s, env: made.Environments[0].Environment.ID, cat: cat}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func custom(i linkspan.Integration) map[string]string {
	out := map[string]string{}
	for name, v := range i.Secrets.Custom {
		out[name] = v.Reveal()
	}
	return out
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	create := func(key string, config map[string]string) (linkspan.Integration, error) {
		return b.Create(ctx, b.env, integration.CreateInput{Provider: "form", Key: key, Config: config})
	}
	made, err := create("a", nil)
	check(t, err)
	if diff := cmp.Diff(map[string]string{"mode": "plain"}, custom(made)); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	for name, config := range map[string]map[string]string{
		"a visible field that is required":   {"mode": "signed"},
		"a value out of the choices":         {"mode": "other"},
		"a field that the system fills":      {"filled": "x"},
		"a field that the form has not":      {"zzz": "x"},
		"a required field that is taken out": {"mode": "signed", "seed": ""},
	} {
		if _, err := create("b", config); linkspan.CodeOf(err) != "invalid_body" {
			t.Errorf("%s: %v", name, err)
		}
	}
	made, err = create("c", map[string]string{"mode": "signed", "seed": "s"})
	check(t, err)
	p, err := b.cat.Provider("form")
	check(t, err)
	if diff := cmp.Diff(map[string]string{"mode": "signed", "seed": integration.Masked}, integration.Custom(&made, p)); diff != "" {
		t.Errorf("what is shown (-want +got):\n%s", diff)
	}
	// The mask keeps a secret and is a value like any other elsewhere.
	made, err = b.Update(ctx, b.env, "c", integration.UpdateInput{Config: map[string]string{"seed": integration.Masked, "note": integration.Masked}})
	check(t, err)
	if diff := cmp.Diff(map[string]string{"mode": "signed", "seed": "s", "note": integration.Masked}, custom(made)); diff != "" {
		t.Errorf("after the update (-want +got):\n%s", diff)
	}
	if _, err := b.Update(ctx, b.env, "c", integration.UpdateInput{Config: map[string]string{"seed": ""}}); linkspan.CodeOf(err) != "invalid_body" {
		t.Errorf("a required value was removed: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	oauth := func(scopes *string) *integration.Credentials {
		return &integration.Credentials{Type: catalog.ModeOAuth2, ClientID: "id", ClientSecret: linkspan.NewSecret("s"), Scopes: scopes}
	}
	for name, tt := range map[string]struct {
		scopes *string
		want   string
	}{"defaults": {nil, "read,write"}, "none": {new(""), ""}, "some": {new("a,b"), "a,b"}} {
		made, err := b.Create(ctx, b.env, integration.CreateInput{Provider: "scoped", Key: name, Credentials: oauth(tt.scopes)})
		check(t, err)
		if made.Secrets.Scopes != tt.want {
			t.Errorf("%s: scopes %q, want %q", name, made.Secrets.Scopes, tt.want)
		}
	}
	updated, err := b.Update(ctx, b.env, "some", integration.UpdateInput{Credentials: &integration.Credentials{
		Type: catalog.ModeOAuth2, ClientID: "id2", ClientSecret: linkspan.NewSecret("s2"), WebhookSecret: new(linkspan.NewSecret("w")),
	}})
	check(t, err)
	if s := updated.Secrets; s.ClientID != "id2" || s.ClientSecret.Reveal() != "s2" || s.Scopes != "a,b" || s.WebhookSecret.Reveal() != "w" {
		t.Error("the update lost what it did not name, or what it did")
	}
	for name, in := range map[string]integration.CreateInput{
		"no credentials":            {Provider: "scoped", Key: "x"},
		"credentials of a key mode": {Provider: "form", Key: "x", Credentials: oauth(nil)},
		"credentials of another":    {Provider: "scoped", Key: "x", Credentials: &integration.Credentials{Type: catalog.ModeApp}},
		"unknown provider":          {Provider: "nothing-like-it", Key: "x"},
		"taken key":                 {Provider: "scoped", Key: "some", Credentials: oauth(nil)},
	} {
		if _, err := b.Create(ctx, b.env, in); linkspan.CodeOf(err) != "invalid_body" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the catalogue calls unsupported is refused with the reason, and
// everything else can be set up.
func TestEveryProvider(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list, err := b.cat.Search("")
	check(t, err)
	refused := 0
	for i, p := range list {
		if i%20 != 0 { // every twentieth: each needs a transaction
			continue
		}
		full, err := b.cat.Provider(p.Name)
		check(t, err)
		in := integration.CreateInput{Provider: p.Name, Key: p.Name}
		if p.AuthMode == catalog.ModeOAuth2 {
			in.Credentials = &integration.Credentials{Type: p.AuthMode, ClientID: "id", ClientSecret: linkspan.NewSecret("s")}
		}
		_, err = b.Create(t.Context(), b.env, in)
		if _, unsupported := full.Unsupported(); unsupported {
			refused++
			if linkspan.CodeOf(err) != "unsupported_provider" {
				t.Errorf("%s: %v, want unsupported_provider", p.Name, err)
			}
		} else if err != nil && len(full.Inputs.IntegrationConfig) == 0 {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	if refused == 0 {
		t.Error("no unsupported provider was tried")
	}
}

// Every connection that goes with its integration is recorded, page by page, and
// none that went before.
func TestDeletionIsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	made, err := b.Create(ctx, b.env, integration.CreateInput{Provider: "form", Key: "a"})
	check(t, err)
	const many = 501 // one more than a page
	last := linkspan.Connection{EnvironmentID: b.env, IntegrationID: made.ID, Credentials: linkspan.NewSecret("{}")}
	check(t, b.store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		for n := range many + 1 {
			last.UUID, last.Name = linkspan.NewUUID(), strconv.Itoa(n)
			if err := b.store.InsertConnection(ctx, tx, &last); err != nil {
				return err
			}
		}
		return nil
	}))
	check(t, b.store.DeleteConnection(ctx, nil, &last))
	check(t, b.Delete(ctx, b.env, "a"))

	seen := map[string]int{}
	f := linkspan.OperationFilter{EnvironmentID: b.env, IntegrationKey: "a", Limit: 1000}
	for {
		page, err := b.store.Operations(ctx, nil, f)
		check(t, err)
		if len(page) == 0 {
			break
		}
		for _, op := range page {
			seen[op.ConnectionName]++
			if seen[op.ConnectionName] > 1 || op.Action != linkspan.ActionDeleteConnection || op.State != linkspan.StateSuccess || op.AccountID != 1 || op.Provider != "form" ||
				op.ConnectionUUID == "" || op.EndedAt.IsZero() {
				t.Fatalf("recorded %+v", op)
			}
		}
		f.Before = page[len(page)-1].ID
	}
	if len(seen) != many || seen[strconv.Itoa(many)] != 0 {
		t.Errorf("%d deletions are recorded, want %d", len(seen), many)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	made, err := b.Create(ctx, b.env, integration.CreateInput{Provider: "form", Key: "a"})
	check(t, err)
	_, err = b.Create(ctx, b.env, integration.CreateInput{Provider: "form", Key: "b"})
	check(t, err)
	rename := func(from, to string) error {
		_, err := b.Update(ctx, b.env, from, integration.UpdateInput{Key: &to})
		return err
	}
	if err := rename("a", "b"); linkspan.CodeOf(err) != "invalid_body" {
		t.Errorf("a taken key: %v", err)
	}
	check(t, rename("a", "c"))
	check(t, b.store.InsertConnection(ctx, nil, &linkspan.Connection{
		UUID: linkspan.NewUUID(), EnvironmentID: b.env, IntegrationID: made.ID, IntegrationKey: "c", Provider: "form", Name: "x",
		Credentials: linkspan.NewSecret("{}"), Config: map[string]any{}, Tags: map[string]string{},
	}))
	if err := rename("c", "d"); linkspan.CodeOf(err) != "invalid_body" {
		t.Errorf("an integration with connections: %v", err)
	}
	check(t, rename("c", "c"))
	check(t, b.Delete(ctx, b.env, "c"))
	if _, err := b.Get(ctx, b.env, "c"); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("after the deletion: %v", err)
	}
	if n, err := b.store.CountConnections(context.WithoutCancel(ctx), nil, made.ID); err != nil || n != 0 {
		t.Errorf("%d connections left, %v", n, err)
	}
}

// An app of the operator's is used, and never shown.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	quickstart := func(provider, key string) (linkspan.Integration, error) {
		return b.Quickstart(ctx, b.env, integration.QuickstartInput{Provider: provider, Key: key, DisplayName: "Shown"})
	}
	for provider, want := range map[string]string{
		"scoped": "No shared developer app is configured for this provider: register an app with Scoped and create the integration with its credentials",
		"form":   "Quickstart is only available for providers that require a developer app",
	} {
		_, err := quickstart(provider, "a")
		if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Code != "invalid_body" || e.Msg != want {
			t.Errorf("%s: %v", provider, err)
		}
	}
	check(t, b.UseSharedApps(map[string]integration.SharedApp{
		"scoped": {ClientID: "ours", ClientSecret: linkspan.NewSecret("hush"), WebhookSecret: linkspan.NewSecret("hook")},
	}))
	made, err := quickstart("scoped", "a")
	check(t, err)
	read, err := b.Get(ctx, b.env, "a")
	check(t, err)
	for _, i := range []linkspan.Integration{made, read} {
		if i.Secrets.ClientID != "ours" || i.Secrets.ClientSecret.Reveal() != "hush" || i.Secrets.Scopes != "read,write" || !i.Secrets.Shared || i.DisplayName != "Shown" || !i.ForwardWebhooks {
			t.Errorf("made %+v", i)
		}
		if _, shown := integration.CredentialsOf(&i, catalog.ModeOAuth2); shown {
			t.Error("customers are shown the operator's app")
		}
	}
	if _, err := quickstart("scoped", "a"); linkspan.CodeOf(err) != "invalid_body" {
		t.Errorf("a taken key: %v", err)
	}
	own := integration.Credentials{Type: catalog.ModeOAuth2, ClientID: "theirs", ClientSecret: linkspan.NewSecret("s")}
	changed, err := b.Update(ctx, b.env, "a", integration.UpdateInput{Credentials: &own})
	check(t, err)
	if c, shown := integration.CredentialsOf(&changed, catalog.ModeOAuth2); !shown || c.ClientID != "theirs" || !c.WebhookSecret.IsZero() {
		t.Errorf("their own app is %+v, shown %t", c, shown)
	}
}

func TestSharedAppsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := integration.SharedApp{ClientID: "id", ClientSecret: linkspan.NewSecret("hush")}
	err := b.UseSharedApps(map[string]integration.SharedApp{
		"nothing-like-it": app, "form": app, "scoped": {ClientID: "id"}, "chosen": app, "github-app": app, "hubspot": app,
	})
	if err == nil {
		t.Fatal("all of them are taken")
	}
	for _, want := range []string{
		"nothing-like-it: there is no such provider", "form: Form needs no developer app", "scoped: client_id and client_secret are needed",
		"chosen: whoever connects an account of Chosen names the host", "github-app: GitHub (App) can't be used with this version",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	// Those of TestHostsThatUsersChoose, and one whose calls carry the secret.
	for _, name := range []string{
		"canvas-lms", "confluence-data-center", "glean-oauth", "jira-data-center", "looker-oauth", "maximizer-on-premise", "odoo", "servicenow", "etsy",
	} {
		if b.UseSharedApps(map[string]integration.SharedApp{name: app}) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, name := range []string{"github", "google-drive", "jira", "notion", "linear", "zendesk", "shopify"} {
		if err := b.UseSharedApps(map[string]integration.SharedApp{name: app}); err != nil {
			t.Error(err)
		}
	}
	if strings.Contains(err.Error(), "hubspot") || strings.Contains(err.Error(), "hush") {
		t.Errorf("too much in %v", err)
	}
}
