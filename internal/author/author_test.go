package author_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// TestMain lets the test binary be the process that compiles.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "compiler" {
		if err := author.CompilerMain(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func compiler() author.Compiler {
	return author.NewCompiler(func() *exec.Cmd { return &exec.Cmd{Path: os.Args[0], Args: []string{os.Args[0], "compiler"}} })
}

// describer answers what every program says of itself: it is a plain function.
type describer struct {
	err error
}

func (d describer) Run(context.Context, runner.Request) (sandbox.Result, error) {
	return sandbox.Result{JSON: []byte(`{"plain":true}`)}, d.err
}

// inProcess compiles here.
type inProcess struct{}

func (inProcess) Compile(_ context.Context, source string) (bundle.Text, error) {
	return bundle.CompileText(source), nil
}

// stuck never ends by itself.
type stuck struct{}

func (stuck) Compile(ctx context.Context, _ string) (bundle.Text, error) {
	<-ctx.Done()
	return bundle.Text{}, ctx.Err()
}

// A text that takes too much takes down a process of its own, and no more.
func TestCompilerSurvivesHostileText(t *testing.T) {
	t.Parallel()
	s := author.New(author.Config{Compiler: compiler(), Executor: describer{}})
	const n = 100_000
	for name, text := range map[string]string{
		"nested operators": "export default " + strings.Repeat("!", n) + "1",
		"nested lists":     "export default " + strings.Repeat("[", n),
		"nested loops":     "x=" + strings.Repeat("async()=>{for await(a of ", n/26) + "1" + strings.Repeat(");}", n/26),
		"chains":           "export default a" + strings.Repeat("?.b", n),
	} {
		_, err := s.Compile(t.Context(), 1, text)
		if code := linkspan.CodeOf(err); code != "compilation_error" && code != "timeout" {
			t.Errorf("%s: %v", name, err)
		}
	}
	made, err := s.Compile(t.Context(), 1, "export default async () => 1;")
	if err != nil || !strings.Contains(made.Bundle, "module.exports") {
		t.Errorf("an honest text: %v", err)
	}
	_, err = author.New(author.Config{
		Compiler: author.NewCompiler(func() *exec.Cmd { return &exec.Cmd{Path: "/nowhere"} }), Executor: describer{},
	}).Compile(t.Context(), 1, "1")
	if linkspan.CodeOf(err) != "execution_environment_unavailable" {
		t.Errorf("without a compiler: %v", err)
	}
}

func TestCompileHasBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := author.New(author.Config{Compiler: stuck{}, Executor: describer{}, Limits: author.Limits{Compilers: 1, Compile: time.Minute, CompilerWait: time.Second}})
		var first, second error
		var wg sync.WaitGroup
		wg.Go(func() { _, first = s.Compile(t.Context(), 1, "1") })
		synctest.Wait()
		_, second = s.Compile(t.Context(), 1, "1")
		wg.Wait()
		e, ok := errors.AsType[*linkspan.Error](first)
		if !ok || e.Code != "timeout" || e.Status != 504 {
			t.Errorf("the first: %v", first)
		}
		if linkspan.CodeOf(second) != "execution_environment_unavailable" || linkspan.KindOf(second) != linkspan.KindUnavailable {
			t.Errorf("the one that waited: %v", second)
		}
	})
	for _, err := range []error{runner.ErrBusy, runner.ErrClosed, &runner.LostError{}} {
		s := author.New(author.Config{Compiler: inProcess{}, Executor: describer{err: err}})
		if _, got := s.Compile(t.Context(), 1, "export default 1"); linkspan.CodeOf(got) != "execution_environment_unavailable" {
			t.Errorf("%v becomes %v", err, got)
		}
	}
	s := author.New(author.Config{Compiler: inProcess{}, Executor: describer{}})
	if _, err := s.Compile(t.Context(), 1, strings.Repeat(" ", author.MaxCode+1)); linkspan.CodeOf(err) != "invalid_request" {
		t.Errorf("a long text: %v", err)
	}
}

// jobs is a store of jobs in memory, with one job that is due.
type jobs struct {
	author.Store

	mu       sync.Mutex
	job      linkspan.AuthorJob
	due      bool
	renew    func() (bool, error)
	finish   func() error
	finished []linkspan.AuthorJob
	released int
}

func (s *jobs) DueAuthorJobs(context.Context, linkspan.Tx, []linkspan.EnvironmentID, int) ([]linkspan.AuthorJob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.due {
		return nil, nil
	}
	return []linkspan.AuthorJob{s.job}, nil
}

func (s *jobs) ClaimAuthorJob(context.Context, linkspan.Tx, linkspan.AuthorJobID, string, time.Duration) (linkspan.AuthorJob, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed := s.due
	s.due = false
	if s.job.CreatedAt.IsZero() {
		s.job.CreatedAt = time.Now()
	}
	s.job.Attempt++
	return s.job, claimed, nil
}

func (s *jobs) RenewAuthorJob(context.Context, linkspan.Tx, *linkspan.AuthorJob, time.Duration) (bool, error) {
	if s.renew != nil {
		return s.renew()
	}
	return true, nil
}

func (s *jobs) NoteAuthorJob(context.Context, linkspan.Tx, *linkspan.AuthorJob) (bool, error) {
	return true, nil
}

func (s *jobs) ReleaseAuthorJob(context.Context, linkspan.Tx, *linkspan.AuthorJob) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released++
	return true, nil
}

func (s *jobs) FinishAuthorJob(_ context.Context, _ linkspan.Tx, j *linkspan.AuthorJob) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finish != nil {
		if err := s.finish(); err != nil {
			return false, err
		}
	}
	s.finished = append(s.finished, *j)
	return true, nil
}

// deploys is what is deployed to.
type deploys struct {
	author.Functions

	now     *linkspan.Function
	err     error
	deploys int
}

func (d *deploys) Deploy(_ context.Context, _ linkspan.EnvironmentID, in *function.Deployment) (function.Deployed, error) {
	d.deploys++
	if d.now != nil {
		if err := in.Refuse(d.now); err != nil {
			return function.Deployed{}, err
		}
	}
	if err := d.err; err != nil {
		d.err = nil
		return function.Deployed{}, err
	}
	f := in.Functions[0]
	return function.Deployed{Functions: []linkspan.Function{{Kind: f.Kind, Name: f.Name, Source: in.Source, Version: linkspan.FunctionVersion{Label: "3"}}}}, nil
}

// deployment is a job that deploys an action.
func deployment(request string) linkspan.AuthorJob {
	return linkspan.AuthorJob{
		ID: 1, UUID: linkspan.NewUUID(), EnvironmentID: 1, Kind: linkspan.AuthorDeployment, IntegrationKey: "crm", FunctionName: "f",
		FunctionKind: linkspan.FunctionAction, Request: linkspan.NewSecret(request),
	}
}

const aRequest = `{"code":"export default 1"}`

// work runs a service until it is idle, for as long as a function says.
func work(t *testing.T, c author.Config, during func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- author.New(c).Run(ctx) }()
	during()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestJobsEnd(t *testing.T) {
	t.Parallel()
	hash := "d27a4a1b" // of nothing that is compiled here
	for _, c := range []struct {
		name    string
		job     func(j *linkspan.AuthorJob)
		deploys deploys
		code    string // empty: it succeeds
	}{
		{name: "deployed"},
		{name: "somebody else deploys", deploys: deploys{err: linkspan.E("", linkspan.KindConflict, "concurrent_deployment", nil, "wait")}},
		{name: "a folder's", deploys: deploys{now: &linkspan.Function{Source: linkspan.SourceRepo}}, code: "invalid_request"},
		{name: "a folder's, to overwrite", job: func(j *linkspan.AuthorJob) {
			j.Request = linkspan.NewSecret(`{"code":"export default 1","overwrite":true}`)
		}, deploys: deploys{now: &linkspan.Function{Source: linkspan.SourceRepo}}, code: "invalid_request"},
		{name: "there already", deploys: deploys{now: &linkspan.Function{Source: linkspan.SourceStandalone, Version: linkspan.FunctionVersion{CodeHash: hash}}}, code: "invalid_request"},
		{name: "to overwrite", job: func(j *linkspan.AuthorJob) {
			j.Request = linkspan.NewSecret(`{"code":"export default 1","overwrite":true}`)
		}, deploys: deploys{now: &linkspan.Function{Source: linkspan.SourceStandalone}}},
		{name: "no code", job: func(j *linkspan.AuthorJob) { j.Request = linkspan.NewSecret(`{"code":"export default 1 +"}`) }, code: "compilation_error"},
		{name: "invalid", deploys: deploys{err: &linkspan.Error{Kind: linkspan.KindInvalid, Code: "invalid_body", Issues: []linkspan.Issue{{Message: "The schema is none"}}}}, code: "deployment_error"},
		{name: "a fault of ours", deploys: deploys{err: errors.New("secret cause")}, code: "server_error"},
		{name: "processes die of it", job: func(j *linkspan.AuthorJob) { j.Attempt = 3 }, code: "execution_environment_unavailable"},
		{name: "nobody worked on it for long", job: func(j *linkspan.AuthorJob) { j.CreatedAt = time.Now().Add(-25 * time.Hour) }, code: "execution_environment_unavailable"},
		{name: "no kind", job: func(j *linkspan.AuthorJob) { j.Kind = "what" }, code: "server_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &jobs{job: deployment(aRequest), due: true}
				if c.job != nil {
					c.job(&s.job)
				}
				failures := 2
				s.finish = func() error {
					if failures--; failures >= 0 {
						return errors.New("the database is away")
					}
					return nil
				}
				work(t, author.Config{Store: s, Functions: &c.deploys, Compiler: inProcess{}, Executor: describer{}}, func() { <-time.After(5 * time.Second) })
				if len(s.finished) != 1 {
					t.Fatalf("ended %d times", len(s.finished))
				}
				j := s.finished[0]
				if c.code == "" && (j.Error != nil || j.State != linkspan.RunSucceeded || j.Result.Reveal() != `{"functions":[{"name":"f","version":"3"}]}`) {
					t.Errorf("ended as %s with %v and %s", j.State, j.Error, j.Result.Reveal())
				}
				if c.code != "" && (j.Error == nil || j.Error.Code != c.code || j.State != linkspan.RunFailed || !strings.Contains(j.Output.Reveal(), c.code)) {
					t.Errorf("ended as %s with %v, said %s", j.State, j.Error, j.Output.Reveal())
				}
				if strings.Contains(fmt.Sprint(j.Error, j.Output.Reveal()), "secret cause") {
					t.Error("the cause of an internal failure is shown")
				}
			})
		})
	}
}

// Whoever lost its lease stores nothing; whoever is stopped gives its job back.
func TestJobsThatAreLost(t *testing.T) {
	t.Parallel()
	for name, renew := range map[string]func() (bool, error){
		"taken over":  func() (bool, error) { return false, nil },
		"no database": func() (bool, error) { return false, errors.New("away") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &jobs{job: deployment(aRequest), due: true, renew: renew}
				work(t, author.Config{Store: s, Functions: &deploys{}, Compiler: stuck{}, Executor: describer{}}, func() { <-time.After(20 * time.Second) })
				if len(s.finished)+s.released != 0 {
					t.Errorf("%d ends, %d given back", len(s.finished), s.released)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := &jobs{job: deployment(aRequest), due: true}
		work(t, author.Config{Store: s, Functions: &deploys{}, Compiler: stuck{}, Executor: describer{}}, func() { <-time.After(20 * time.Second) })
		if len(s.finished) != 0 || s.released != 1 {
			t.Errorf("stopped: %d ends, %d given back", len(s.finished), s.released)
		}
	})
}

// No environment takes all the room, and no more is taken than there is room for.
func TestRoomForJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &crowd{claimed: map[linkspan.EnvironmentID]int{}}
		for i := range 40 {
			s.list = append(s.list, linkspan.AuthorJob{ID: linkspan.AuthorJobID(i + 1), EnvironmentID: linkspan.EnvironmentID(i/20 + 1), Kind: linkspan.AuthorDeployment, Request: linkspan.NewSecret(aRequest)})
		}
		work(t, author.Config{Store: s, Functions: &deploys{}, Compiler: stuck{}, Executor: describer{}, Limits: author.Limits{Jobs: 5, JobsPerEnvironment: 3}}, func() {
			<-time.After(3 * time.Second)
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.claimed[1] != 3 || s.claimed[2] != 2 {
				t.Errorf("claimed by environment: %v", s.claimed)
			}
		})
	})
}

// crowd is a store with many jobs.
type crowd struct {
	jobs

	list    []linkspan.AuthorJob
	claimed map[linkspan.EnvironmentID]int
}

func (s *crowd) DueAuthorJobs(_ context.Context, _ linkspan.Tx, full []linkspan.EnvironmentID, limit int) ([]linkspan.AuthorJob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []linkspan.AuthorJob
	for _, j := range s.list {
		if len(due) < limit && !slices.Contains(full, j.EnvironmentID) {
			due = append(due, j)
		}
	}
	return due, nil
}

func (s *crowd) ClaimAuthorJob(_ context.Context, _ linkspan.Tx, id linkspan.AuthorJobID, _ string, _ time.Duration) (linkspan.AuthorJob, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, j := range s.list {
		if j.ID == id {
			j.CreatedAt = time.Now()
			s.list = append(s.list[:i:i], s.list[i+1:]...)
			s.claimed[j.EnvironmentID]++
			return j, true, nil
		}
	}
	return linkspan.AuthorJob{}, false, nil
}

// What is shown of a failure is JSON of the public API.
func TestProblemsOfADeployment(t *testing.T) {
	t.Parallel()
	s := author.New(author.Config{Compiler: inProcess{}, Executor: describer{}})
	_, err := s.Compile(t.Context(), 1, "export default {\n\ta: 1 +,\n};")
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Kind != linkspan.KindInvalid {
		t.Fatal(err)
	}
	text, err := json.Marshal(e.Payload)
	if err != nil || !strings.Contains(string(text), `{"errors":[{"file":"function.ts","line":2,"column":8,"message":"Unexpected \",\"`) {
		t.Errorf("payload %s, %v", text, err)
	}
}
