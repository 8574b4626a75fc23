package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

// counted is a cache that only counts.
type counted struct {
	host.Records

	records int
}

func (c *counted) Save(_ context.Context, w record.Write) (linkspan.RecordCounts, error) {
	var list []struct{}
	if err := json.Unmarshal(w.Records, &list); err != nil {
		return linkspan.RecordCounts{}, err
	}
	c.records += len(list)
	return linkspan.RecordCounts{Added: int64(len(list))}, nil
}

// pager is a provider that answers every call with the same page.
type pager struct{ page []byte }

func (p pager) Do(context.Context, proxy.Request) (*proxy.Response, error) {
	return &proxy.Response{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: readCloser{strings.NewReader(string(p.page))}}, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// BenchmarkSync reads, maps and saves 100,000 records of 500 bytes, page by page: what
// the sandbox and the host take of a sync.
func BenchmarkSync(b *testing.B) {
	const total = 100_000
	for _, size := range []int{100, 1000} {
		b.Run(fmt.Sprintf("pages=%d", size), func(b *testing.B) {
			e, err := engine()
			if err != nil {
				b.Fatal(err)
			}
			var items []string
			for i := range size {
				items = append(items, fmt.Sprintf(`{"id":%d,"title":"Issue number %d","state":"open","user":{"login":"octocat","id":%d},"labels":[{"name":"bug"},{"name":"api"}],"body":"%s","created_at":"2026-01-02T03:04:05Z","extra":null}`,
					i, i, i, strings.Repeat("lorem ipsum ", 26)))
			}
			records := &counted{}
			service := host.New(host.Config{Proxy: pager{[]byte("[" + strings.Join(items, ",") + "]")}, Records: records, Guard: egress.New(egress.Policy{}, nil), Log: slog.New(slog.DiscardHandler)})
			defer service.Close()
			body := fmt.Sprintf(`exports.default = { type: "sync", exec: async (nango) => {
				for (let page = 0; page < %d; page++) {
					const { data } = await nango.get({ endpoint: "/issues", params: { page } });
					await nango.batchSave(data.map((i) => ({ id: page * %d + i.id, title: i.title.trim(), state: i.state, author: i.user.login, labels: i.labels.map((l) => l.name), body: i.body, createdAt: i.created_at })), "Issue");
				}
			} };`, total/size, size)
			b.ReportAllocs()
			var cpu time.Duration
			for b.Loop() {
				session := service.Open(host.Info{
					Kind: linkspan.FunctionSync, Function: "issues", IntegrationKey: "acme", ConnectionName: "c1", LogLevel: "warn",
					Target: func(context.Context, connect.FreshOptions) (*upstream.Target, error) {
						return &upstream.Target{Connection: linkspan.Connection{ID: 1}}, nil
					},
					Sync: &host.Sync{Models: []string{"Issue"}},
				})
				start, err := session.Start(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				records.records = 0
				result, err := e.Run(b.Context(), sandbox.Request{Program: sandbox.Program{Name: "issues.js", Source: body}, Start: start, Host: session})
				if err != nil || records.records != total {
					b.Fatal(err, records.records)
				}
				cpu += result.Usage.CPU
			}
			b.ReportMetric(float64(total*b.N)/cpu.Seconds(), "records/cpu-s")
			b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
