package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// BenchmarkSaveOperations saves a busy proxy's batch: 500 operations with a
// message each.
func BenchmarkSaveOperations(b *testing.B) {
	for name, config := range storetest.Databases() {
		b.Run(name, func(b *testing.B) {
			s := open(b, config(b))
			const batch = 500
			ops, msgs := make([]linkspan.Operation, batch), make([]linkspan.Message, batch)
			for b.Loop() {
				now := time.Now()
				for i := range batch {
					ops[i], msgs[i] = proxyCall(now)
				}
				if err := s.SaveOperations(b.Context(), nil, ops, msgs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "operations/s")
		})
	}
}

func proxyCall(at time.Time) (linkspan.Operation, linkspan.Message) {
	o := linkspan.Operation{
		ID: linkspan.NewOperationID(at), AccountID: 1, EnvironmentID: 1, Type: linkspan.OperationProxy, Action: linkspan.ActionCall,
		State: linkspan.StateSuccess, Message: "GET https://api.example.com/v1/things answered 200", IntegrationKey: "example",
		Provider: "example", ConnectionName: "customer-1", ConnectionUUID: "0b5a3c3e-7c0f-4f0a-8f2e-0d3c8f3b9c11",
		Request: &linkspan.HTTPRequestSummary{
			Method: "GET", URL: "https://api.example.com/v1/things?limit=100",
			Headers: map[string]string{"Authorization": "[redacted]", "Accept": "application/json"},
		},
		Response:  &linkspan.HTTPResponseSummary{Code: 200, Headers: map[string]string{"Content-Type": "application/json", "Content-Length": "5120"}},
		Meta:      json.RawMessage(`{"retries":0}`),
		CreatedAt: at, StartedAt: at, EndedAt: at.Add(80 * time.Millisecond), ExpiresAt: at.Add(15 * time.Minute),
	}
	return o, linkspan.Message{
		OperationID: o.ID, EnvironmentID: 1, Type: "http", Source: "internal", Level: "info", Text: o.Message, Request: o.Request,
		Response: o.Response, CreatedAt: at, EndedAt: o.EndedAt,
	}
}

// BenchmarkConnection reads one connection, as a cache does that has to.
func BenchmarkConnection(b *testing.B) {
	for name, config := range storetest.Databases() {
		b.Run(name, func(b *testing.B) {
			s := open(b, config(b))
			c := seed(b, s)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Connection(b.Context(), nil, c.EnvironmentID, "example", c.Name); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkSaveCredentials stores a refreshed token, change row included.
func BenchmarkSaveCredentials(b *testing.B) {
	for name, config := range storetest.Databases() {
		b.Run(name, func(b *testing.B) {
			s := open(b, config(b))
			c := seed(b, s)
			for b.Loop() {
				if err := s.SaveCredentials(b.Context(), nil, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// seed makes a connection with all it needs.
func seed(b *testing.B, s *store.Store) linkspan.Connection {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	a := linkspan.Account{UUID: linkspan.NewUUID(), Name: "a"}
	must(s.InsertAccount(b.Context(), nil, &a))
	e := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: a.ID, Name: "dev", PublicKey: linkspan.NewUUID()}
	must(s.InsertEnvironment(b.Context(), nil, &e))
	i := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: e.ID, Key: "example", Provider: "example"}
	must(s.InsertIntegration(b.Context(), nil, &i))
	c := linkspan.Connection{
		UUID: linkspan.NewUUID(), EnvironmentID: e.ID, IntegrationID: i.ID, Name: "customer-1",
		Credentials: linkspan.NewSecret(`{"type":"OAUTH2","access_token":"abc"}`), Config: map[string]any{"subdomain": "acme"},
		ExpiresAt: time.Now().Add(time.Hour),
	}
	must(s.InsertConnection(b.Context(), nil, &c))
	return c
}
