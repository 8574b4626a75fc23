package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/integrations"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/integration"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/run"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/store"
)

// Compiler is the program of a process that compiles one function's text, which it
// reads from in. A server started it.
func Compiler(in io.Reader, out io.Writer) error { return author.CompilerMain(in, out) }

// setUpIntegrations makes what keeps the customers' integrations, with the developer
// apps that the operator lends them.
func (p *parts) setUpIntegrations(a *App, db *store.Store) error {
	p.integrations = integration.New(db, db, p.catalog)
	p.integrations.UseSyncs(p.syncs)
	if a.cfg.SharedApps == "" {
		return nil
	}
	apps, err := config.LoadSharedApps(a.cfg.SharedApps)
	if err != nil {
		return err
	}
	shared := make(map[string]integration.SharedApp, len(apps))
	for provider, app := range apps {
		shared[provider] = integration.SharedApp(app)
	}
	if err := p.integrations.UseSharedApps(shared); err != nil {
		return fmt.Errorf("using the apps of --shared-apps %s: %w", a.cfg.SharedApps, err)
	}
	return nil
}

// workForAuthors makes what compiles, tries and deploys single functions.
func (p *parts) workForAuthors(a *App, db *store.Store, name string) error {
	compiler, err := runner.Self("compiler")
	if err != nil {
		return fmt.Errorf("finding the program that compiles functions: %w", err)
	}
	p.author = author.New(author.Config{
		Store: db, Functions: p.functions, Integrations: p.integrations, Connections: p.connections,
		Compiler: author.NewCompiler(compiler), Executor: p.runners, Host: p.host, Templates: templates,
		Reserve: func(ctx context.Context, env linkspan.EnvironmentID, bytes int64) (func(), error) {
			return p.runners.Reserve(ctx, int64(env), bytes)
		},
		Trigger: func(ctx context.Context, env linkspan.Environment, integrationKey, connection, action string, input json.RawMessage) (json.RawMessage, error) {
			return p.runs.Trigger(ctx, run.Trigger{
				Environment: env, IntegrationKey: integrationKey, ConnectionName: connection, Action: action, Input: input,
			})
		},
		Ops: p.ops, Log: a.log, Holder: name, Version: obs.ReadBuild().Version,
		Limits: author.Limits{Memory: a.cfg.FunctionMemory, CPU: a.cfg.FunctionCPU},
	})
	return nil
}

// templates are the functions of the library.
func templates() []author.Template {
	list := integrations.Templates()
	out := make([]author.Template, len(list))
	for i := range list {
		t := &list[i]
		out[i] = author.Template{
			Provider: t.Provider, Kind: t.Kind, Name: t.Name, Version: t.Version, Definition: t.Definition,
			Code: linkspan.FunctionCode{Bundle: t.Bundle, Source: t.Source},
		}
	}
	return out
}

// exposeAuthor shows how the work for authors goes.
func (p *parts) exposeAuthor(m *obs.Metrics) {
	m.Counter("functions_compiled_total", "Texts of functions that this process compiled.",
		func() float64 { return float64(p.author.Compiled()) })
	m.Counter("functions_uncompilable_total", "Texts of functions among them that had problems.",
		func() float64 { return float64(p.author.CompileErrors()) })
	m.Counter("author_jobs_succeeded_total", "Dry runs and deployments of single functions that ended well, in this process.",
		func() float64 { return float64(p.author.Succeeded()) })
	m.Counter("author_jobs_failed_total", "Dry runs and deployments of single functions that failed, in this process.",
		func() float64 { return float64(p.author.Failed()) })
	m.Gauge("author_jobs_running", "Dry runs and deployments of single functions that this process works on at the moment.",
		func() float64 { return float64(p.author.Working()) })
}
