package integration_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
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
