package connect_test

import (
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

func TestImportCreates(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		in := connect.ImportInput{
			IntegrationKey: "acme", Name: "c", Credentials: credential.NewOAuth2("a", "r", w.db.now().Add(time.Hour)),
			ConnectionConfig: map[string]any{
				"subdomain": "x", "n": 1.5, "webhook_url": "https://hooks.example/in",
				"oauth_client_id_override": "own", "oauth_client_secret_override": "own secret",
			},
			Metadata: map[string]any{"k": []any{"v"}},
			EndUser:  &linkspan.EndUser{ID: "u1", Email: "u@example.com", Tags: map[string]string{"Plan": "pro"}},
			Tags:     map[string]string{"Team": "T", "end_user_id": "explicit"},
		}
		given := maps.Clone(in.ConnectionConfig)
		target, err := w.replicas[0].Import(t.Context(), environment(), in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(given, in.ConnectionConfig); diff != "" {
			t.Errorf("Import changed its input:\n%s", diff)
		}
		c := target.Connection
		if c.ID == 0 || c.UUID == "" || c.CredentialsVersion != 1 || c.IntegrationKey != "acme" || c.Provider != "acme" {
			t.Errorf("connection %+v is not filled", c)
		}
		if c.WebhookURLOverride != "https://hooks.example/in" || target.Credentials.ClientID != "own" || target.Credentials.ClientSecret.Reveal() != "own secret" {
			t.Errorf("webhook %q, client %q: not taken out of connection_config", c.WebhookURLOverride, target.Credentials.ClientID)
		}
		if diff := cmp.Diff(map[string]any{"subdomain": "x", "n": 1.5}, c.Config); diff != "" {
			t.Errorf("connection_config (-want +got):\n%s", diff)
		}
		wantTags := map[string]string{"team": "T", "end_user_id": "explicit", "end_user_email": "u@example.com", "plan": "pro"}
		if diff := cmp.Diff(wantTags, c.Tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		stored, err := w.replicas[0].Live(t.Context(), envID, "acme", "c")
		if err != nil || !stored.Credentials.Equal(target.Credentials) || stored.Credentials.ClientID != "own" {
			t.Errorf("stored %v (%v), want what was imported", stored, err)
		}
		ops := w.records.of(linkspan.ActionCreateConnection)
		if len(ops) != 1 || ops[0].State != linkspan.StateSuccess || ops[0].ConnectionUUID != c.UUID || ops[0].AccountID != 3 {
			t.Errorf("operations %+v, want one creation", ops)
		}
	})
}

func TestImportWithoutNameMakesOne(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		target, err := w.replicas[0].Import(t.Context(), environment(), connect.ImportInput{IntegrationKey: "open", Credentials: credential.NewNone()})
		if err != nil || len(target.Connection.Name) != 36 {
			t.Errorf("Import = %v, %v; want a UUID as the name", target, err)
		}
	})
}

func TestImportReplaces(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		put := func(in connect.ImportInput) linkspan.Connection {
			t.Helper()
			in.IntegrationKey, in.Name = "basic", "c"
			target, err := r.Import(t.Context(), environment(), in)
			if err != nil {
				t.Fatal(err)
			}
			return target.Connection
		}
		first := put(connect.ImportInput{
			Credentials: credential.NewBasic("u", "p"), ConnectionConfig: map[string]any{"a": "1"}, Metadata: map[string]any{"m": true},
			Tags: map[string]string{"t": "1"}, WebhookURLOverride: new("https://hooks.example"),
		})
		kept := put(connect.ImportInput{Credentials: credential.NewBasic("u2", "")})
		if kept.ID != first.ID || kept.UUID != first.UUID || kept.CredentialsVersion != 2 {
			t.Errorf("second import is connection %d version %d, want %d version 2", kept.ID, kept.CredentialsVersion, first.ID)
		}
		if kept.Config["a"] != "1" || kept.Metadata["m"] != true || kept.Tags["t"] != "1" || kept.WebhookURLOverride == "" {
			t.Errorf("what was not given changed: %+v", kept)
		}
		changed := put(connect.ImportInput{
			Credentials: credential.NewBasic("u3", ""), ConnectionConfig: map[string]any{}, Metadata: map[string]any{},
			Tags: map[string]string{}, WebhookURLOverride: new(""),
		})
		if len(changed.Config)+len(changed.Metadata)+len(changed.Tags) != 0 || changed.WebhookURLOverride != "" {
			t.Errorf("what was given as empty stayed: %+v", changed)
		}
		target, err := r.Live(t.Context(), envID, "basic", "c")
		if err != nil || target.Credentials.Username.Reveal() != "u3" {
			t.Errorf("stored %v, %v", target, err)
		}
		if ops := w.records.of(linkspan.ActionUpdateConnection); len(ops) != 2 {
			t.Errorf("%d updates recorded, want 2", len(ops))
		}
	})
}

func TestImportsAtOnceMakeOneConnection(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				_, err := w.replicas[i%2].Import(t.Context(), environment(), connect.ImportInput{
					IntegrationKey: "open", Name: "c", Credentials: credential.NewNone(),
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		list, err := w.replicas[0].List(t.Context(), linkspan.ConnectionFilter{EnvironmentID: envID, Limit: 10})
		if err != nil || len(list) != 1 || list[0].CredentialsVersion != 20 {
			t.Errorf("List = %+v, %v; want one connection that was written 20 times", list, err)
		}
	})
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 20_000)
	key, token := credential.NewAPIKey("k"), credential.NewOAuth2("a", "", time.Time{})
	tests := []struct {
		name string
		in   connect.ImportInput
		code string
		msg  string
		path []any
	}{
		{"unknown integration", connect.ImportInput{IntegrationKey: "absent", Credentials: key}, "unknown_provider_config", "", nil},
		{"other kind", connect.ImportInput{IntegrationKey: "acme", Credentials: key}, "invalid_body", "Provider OAUTH2 does not support API_KEY auth", nil},
		{"kind of a later version", connect.ImportInput{IntegrationKey: "keyed", Credentials: credential.Credentials{Type: "TBA"}}, "invalid_body", "Provider API_KEY does not support TBA auth", nil},
		{"unsupported provider", connect.ImportInput{IntegrationKey: "later", Credentials: token}, "unsupported_provider", "OAUTH2_CC", nil},
		{"empty key", connect.ImportInput{IntegrationKey: "keyed", Credentials: credential.NewAPIKey("")}, "invalid_body", "", []any{"credentials", "apiKey"}},
		{"long key", connect.ImportInput{IntegrationKey: "keyed", Credentials: credential.NewAPIKey(long)}, "invalid_body", "", []any{"credentials", "apiKey"}},
		{"long password", connect.ImportInput{IntegrationKey: "basic", Credentials: credential.NewBasic("u", long)}, "invalid_body", "", []any{"credentials", "password"}},
		{"long token", connect.ImportInput{IntegrationKey: "acme", Credentials: credential.NewOAuth2(long, "", time.Time{})}, "invalid_body", "", []any{"credentials", "access_token"}},
		{"no token", connect.ImportInput{IntegrationKey: "acme", Credentials: credential.NewOAuth2("", "r", time.Time{})}, "invalid_body", "", []any{"credentials", "access_token"}},
		{"bad name", connect.ImportInput{IntegrationKey: "keyed", Name: "a\nb", Credentials: key}, "invalid_body", "", []any{"connection_id"}},
		{"nested config", connect.ImportInput{IntegrationKey: "keyed", Credentials: key, ConnectionConfig: map[string]any{"a": map[string]any{}}}, "invalid_body", "", []any{"connection_config", "a"}},
		{"webhooks differ", connect.ImportInput{IntegrationKey: "keyed", Credentials: key, WebhookURLOverride: new("https://a.example"), ConnectionConfig: map[string]any{"webhook_url": "https://b.example"}}, "invalid_body", "", []any{"webhook_url_override"}},
		{"webhook is no URL", connect.ImportInput{IntegrationKey: "keyed", Credentials: key, WebhookURLOverride: new("ftp://a.example")}, "invalid_body", "", []any{"webhook_url_override"}},
		{"webhook is a number", connect.ImportInput{IntegrationKey: "keyed", Credentials: key, ConnectionConfig: map[string]any{"webhook_url": 1.0}}, "invalid_body", "", []any{"connection_config", "webhook_url"}},
		{"bad tag", connect.ImportInput{IntegrationKey: "keyed", Credentials: key, Tags: map[string]string{"1": "x"}}, "invalid_body", "", []any{"tags", "1"}},
	}
	inWorld(t, 1, func(t *testing.T, w *world) {
		for _, tt := range tests {
			_, err := w.replicas[0].Import(t.Context(), environment(), tt.in)
			e, ok := errors.AsType[*linkspan.Error](err)
			if !ok || e.Code != tt.code || !strings.Contains(e.Msg, tt.msg) {
				t.Errorf("%s: error = %v, want %s with %q", tt.name, err, tt.code, tt.msg)
				continue
			}
			if tt.path != nil && (len(e.Issues) != 1 || !cmp.Equal(e.Issues[0].Path, tt.path)) {
				t.Errorf("%s: issues %+v, want one at %v", tt.name, e.Issues, tt.path)
			}
		}
		list, err := w.replicas[0].List(t.Context(), linkspan.ConnectionFilter{EnvironmentID: envID, Limit: 10})
		if err != nil || len(list) != 0 {
			t.Errorf("refused imports left %+v, %v", list, err)
		}
	})
}

func TestImportVerifies(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		put := func(key, value string) error {
			return second(r.Import(t.Context(), environment(), connect.ImportInput{IntegrationKey: key, Name: "c", Credentials: credential.NewAPIKey(value)}))
		}
		if err := put("keyed", "good"); err != nil {
			t.Fatal(err)
		}
		w.verifier.refuse = linkspan.E("test", linkspan.KindInvalid, "connection_test_failed", nil, "The provider refused the credentials.")
		if err := put("keyed", "bad"); linkspan.CodeOf(err) != "connection_test_failed" {
			t.Errorf("error = %v, want connection_test_failed", err)
		}
		target, err := r.Live(t.Context(), envID, "keyed", "c")
		if err != nil || target.Credentials.APIKey.Reveal() != "good" {
			t.Errorf("stored %v, %v; want the credentials of before", target, err)
		}
		ops := w.records.of(linkspan.ActionConnectionTest)
		if len(ops) != 2 || ops[0].State != linkspan.StateSuccess || ops[1].State != linkspan.StateFailed || ops[1].Error.Code != "connection_test_failed" {
			t.Errorf("operations %+v, want one success and one failure", ops)
		}
		w.importToken(time.Hour) // tokens are not tried out
	})
}
