package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// hidden begins every secret of TestSecretsAtRest.
const hidden = "hidden-"

// TestSecretsAtRest stores a secret in every sealed column around the connecting
// of accounts and the running of functions, moves the data to another master key, and opens
// everything with that one alone. On SQLite it also reads the files.
func TestSecretsAtRest(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			before, after := vault.NewMasterKey(), vault.NewMasterKey()
			s := storetest.Open(t, c, vault.NewRing(before))
			made := connecting(t, s)
			db := openDB(t, c)
			must(t, vault.New(vault.NewRing(after, before), db).Rotate(t.Context(), func(int, int) {}))
			made.check(t, store.New(db, vault.New(vault.NewRing(after), db)))
			if c.DataDir == "" {
				return
			}
			files, err := filepath.Glob(filepath.Join(c.DataDir, "*"))
			must(t, err)
			for _, f := range files {
				data, err := os.ReadFile(f)
				must(t, err)
				if bytes.Contains(data, []byte(hidden)) {
					t.Errorf("%s holds a secret in clear", filepath.Base(f))
				}
			}
		})
	}
}

// sealed are rows with secrets.
type sealed struct {
	env           linkspan.Environment
	session       linkspan.ConnectSession
	flow          linkspan.OAuthSession
	authorization linkspan.Authorization
	event         linkspan.WebhookEvent
	deliveries    []linkspan.WebhookDelivery
	run           linkspan.Run
	stream        linkspan.RecordStream
	recordKey     linkspan.Secret
	job           linkspan.AuthorJob
}

func secret(what string) linkspan.Secret { return linkspan.NewSecret(hidden + what) }

func connecting(t *testing.T, s *store.Store) *sealed {
	t.Helper()
	ctx, soon := t.Context(), time.Now().Add(time.Hour).Truncate(time.Microsecond)
	a := linkspan.Account{UUID: linkspan.NewUUID(), Name: "a"}
	must(t, s.InsertAccount(ctx, nil, &a))
	m := &sealed{env: linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: a.ID, Name: "dev", PublicKey: linkspan.NewUUID(),
		WebhookSigningKey: secret("signing"), PreviousSigningKey: secret("previous"), PreviousSigningKeyUntil: soon,
		Settings: linkspan.EnvironmentSettings{HMACEnabled: true, HMACKey: secret("hmac")},
	}}
	must(t, s.InsertEnvironment(ctx, nil, &m.env))
	m.session = linkspan.ConnectSession{
		UUID: linkspan.NewUUID(), EnvironmentID: m.env.ID, Hash: sha256.Sum256([]byte("token")), ExpiresAt: soon,
		Defaults: map[string]linkspan.IntegrationDefaults{"desk": {ConnectionConfig: map[string]any{"client_secret": hidden + "default"}}},
	}
	must(t, s.InsertConnectSession(ctx, nil, &m.session))
	m.flow = linkspan.OAuthSession{
		UUID: linkspan.NewUUID(), EnvironmentID: m.env.ID, StateHash: sha256.Sum256([]byte("state")), BrowserHash: sha256.Sum256([]byte("browser")),
		IntegrationKey: "desk", ConnectionName: "c", Payload: secret("flow"), ExpiresAt: soon,
	}
	must(t, s.InsertOAuthSession(ctx, nil, &m.flow))
	m.authorization = linkspan.Authorization{
		UUID: linkspan.NewUUID(), EnvironmentID: m.env.ID, IntegrationKey: "desk", ConnectionName: "c", Payload: secret("grant"),
	}
	must(t, s.InsertAuthorization(ctx, nil, &m.authorization))
	m.event = linkspan.WebhookEvent{UUID: linkspan.NewUUID(), EnvironmentID: m.env.ID, Type: "auth", Body: secret("body")}
	m.deliveries = []linkspan.WebhookDelivery{{UUID: linkspan.NewUUID(), URL: "https://a.example", Destination: "https://a.example"}}
	must(t, s.InsertWebhook(ctx, nil, &m.event, m.deliveries))
	m.run = ended(t, s, &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: m.env.ID, Kind: linkspan.FunctionAction, Name: "act", Input: secret("input"), MaxAttempts: 1, ExpiresAt: soon,
	})
	m.records(t, s)
	m.job = linkspan.AuthorJob{
		UUID: linkspan.NewUUID(), EnvironmentID: m.env.ID, Kind: linkspan.AuthorDryRun, State: linkspan.RunFailed, Request: secret("request"),
		Result: secret("result"), Output: secret("log"), Error: &linkspan.RunError{Code: "x", Message: hidden + "error"},
	}
	must(t, s.InsertAuthorJob(ctx, nil, &m.job, 1))
	return m
}

// records stores a record, and the key of the hashes of all of them.
func (m *sealed) records(t *testing.T, s *store.Store) {
	t.Helper()
	i := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: m.env.ID, Key: "desk", Provider: "desk"}
	must(t, s.InsertIntegration(t.Context(), nil, &i))
	c := newConnection(i, "c")
	must(t, s.InsertConnection(t.Context(), nil, c))
	m.stream = linkspan.RecordStream{EnvironmentID: m.env.ID, ConnectionID: c.ID, Model: "Issue", Variant: linkspan.BaseVariant}
	must(t, s.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		row, err := s.LockRecordStream(ctx, tx, m.stream, true)
		must(t, err)
		return s.PutRecords(ctx, tx, &row, []linkspan.RecordRow{{
			Record: linkspan.Record{ID: "1", Payload: secret("record"), Action: linkspan.RecordAdded, Position: 1, FirstSeenAt: time.Now()},
		}})
	}))
	var err error
	m.recordKey, err = s.RecordKey(t.Context(), nil, m.env.ID)
	must(t, err)
}

// ended stores a run that failed and has everything that a run can have.
func ended(t *testing.T, s *store.Store, r *linkspan.Run) linkspan.Run {
	t.Helper()
	must(t, s.InsertRuns(t.Context(), nil, []*linkspan.Run{r}))
	claimed, err := s.ClaimRuns(t.Context(), nil, []linkspan.RunID{r.ID}, "me", time.Minute)
	must(t, err)
	c := claimed[0]
	c.State, c.Output = linkspan.RunFailed, secret("output")
	c.Error = &linkspan.RunError{
		Code: "script_http_error", Message: hidden + "message", Payload: json.RawMessage(`"` + hidden + `payload"`),
		Upstream: &linkspan.UpstreamAnswer{Status: 500, Headers: map[string]string{"x-rate": hidden + "header"}, Body: json.RawMessage(`"` + hidden + `body"`)},
	}
	stored, err := s.FinishRun(t.Context(), nil, &c, 0)
	must(t, err)
	if !stored {
		t.Fatal("the run can't be ended")
	}
	return c
}

// check reads every secret back.
func (m *sealed) check(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	same := func(what string, got, want linkspan.Secret) {
		t.Helper()
		if !got.Equal(want) {
			t.Errorf("the %s did not come back", what)
		}
	}
	session, env, err := s.ConnectSessionByHash(ctx, nil, m.session.Hash)
	must(t, err)
	same("signing key", env.WebhookSigningKey, m.env.WebhookSigningKey)
	same("signing key before", env.PreviousSigningKey, m.env.PreviousSigningKey)
	same("HMAC key", env.Settings.HMACKey, m.env.Settings.HMACKey)
	if got := session.Defaults["desk"].ConnectionConfig["client_secret"]; got != hidden+"default" {
		t.Errorf("the defaults of the session came back as %v", session.Defaults)
	}
	flow, taken, err := s.TakeOAuthSession(ctx, nil, m.flow.StateHash, m.flow.BrowserHash, time.Now())
	must(t, err)
	if !taken {
		t.Error("the flow can't be taken")
	}
	same("payload of the flow", flow.Payload, m.flow.Payload)
	authorization, err := s.Authorization(ctx, nil, m.authorization.UUID)
	must(t, err)
	same("grant", authorization.Payload, m.authorization.Payload)
	claimed, err := s.ClaimDeliveries(ctx, nil, []linkspan.WebhookDeliveryID{m.deliveries[0].ID}, "me", time.Minute)
	must(t, err)
	if len(claimed) != 1 {
		t.Fatalf("claimed: %+v", claimed)
	}
	same("body of the webhook", claimed[0].Event.Body, m.event.Body)
	key, err := s.RecordKey(ctx, nil, m.env.ID)
	must(t, err)
	same("key of record hashes", key, m.recordKey)
	stream, err := s.RecordStream(ctx, nil, m.stream)
	must(t, err)
	rows, err := s.RecordRows(ctx, nil, &stream, []string{"1"}, true)
	must(t, err)
	same("record", rows[0].Payload, secret("record"))
	run, err := s.Run(ctx, nil, m.env.ID, m.run.UUID)
	must(t, err)
	same("input of the run", run.Input, m.run.Input)
	same("output of the run", run.Output, m.run.Output)
	if diff := cmp.Diff(m.run.Error, run.Error); diff != "" {
		t.Errorf("the error of the run did not come back (-want +got):\n%s", diff)
	}
	job, err := s.AuthorJob(ctx, nil, m.env.ID, m.job.UUID)
	must(t, err)
	same("request of the job", job.Request, m.job.Request)
	same("result of the job", job.Result, m.job.Result)
	same("log of the job", job.Output, m.job.Output)
	if diff := cmp.Diff(m.job.Error, job.Error); diff != "" {
		t.Errorf("the error of the job did not come back (-want +got):\n%s", diff)
	}
}
