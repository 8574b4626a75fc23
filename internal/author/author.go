package author

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// MaxCode bounds the text of a function, in bytes.
	MaxCode = 1 << 20
	// maxBundle bounds what is compiled of it.
	maxBundle = 8 << 20
	// maxRequest bounds everything about a dry run that is stored, in bytes.
	maxRequest = 4 << 20
	// room is how many jobs of an environment may wait or be under way.
	room = 100
	// keep is how long the outcome of a job can be asked for.
	keep = 24 * time.Hour
)

// Store keeps authors' jobs. A nil tx means that a method runs on its own.
type Store interface {
	RunEnvironment(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error)
	InsertAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob, room int) error
	AuthorJob(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string) (linkspan.AuthorJob, error)
	DueAuthorJobs(ctx context.Context, tx linkspan.Tx, full []linkspan.EnvironmentID, limit int) ([]linkspan.AuthorJob, error)
	ClaimAuthorJob(ctx context.Context, tx linkspan.Tx, id linkspan.AuthorJobID, holder string, ttl time.Duration) (linkspan.AuthorJob, bool, error)
	RenewAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob, ttl time.Duration) (bool, error)
	NoteAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob) (bool, error)
	ReleaseAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob) (bool, error)
	FinishAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob) (bool, error)
	PurgeAuthorJobs(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// Functions deploys; *function.Service does.
type Functions interface {
	Deploy(ctx context.Context, env linkspan.EnvironmentID, d *function.Deployment) (function.Deployed, error)
	Function(ctx context.Context, env linkspan.EnvironmentID, n function.Name) (linkspan.Function, error)
}

// Integrations looks integrations up; *integration.Service does.
type Integrations interface {
	Get(ctx context.Context, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
}

// Connections hands connections out; *connect.Service does.
type Connections interface {
	Live(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string) (*upstream.Target, error)
	Fresh(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, o connect.FreshOptions) (*upstream.Target, error)
}

// Template is a function of the library.
type Template struct {
	// Provider is whose integrations it is for.
	Provider string
	Kind     linkspan.FunctionKind
	Name     string
	// Version is the label of its version. Empty: the next one.
	Version    string
	Definition linkspan.FunctionDefinition
	Code       linkspan.FunctionCode
}

// Limits bound the work for authors. Zero values mean the defaults in parentheses.
type Limits struct {
	// Jobs is how many jobs this process works on at a time, JobsPerEnvironment how
	// many of one environment (8, 4).
	Jobs, JobsPerEnvironment int
	// Compilers is how many texts are compiled at a time (2), and CompilerWait how
	// long one that somebody waits for waits for its turn (10 s).
	Compilers    int
	CompilerWait time.Duration
	// Compile bounds compiling and reading a definition together (1 min), DryRun the
	// run of a function (5 min).
	Compile, DryRun time.Duration
	Memory          int64         // bytes of one run (128 MiB)
	CPU             time.Duration // between two waits (60 s)
	Output          int64         // bytes of a result (2 MB)
	Notes           int64         // bytes of a run's log (256 KiB)
	// Records bounds what a dry run saves, in bytes (16 MiB): it is kept in memory.
	Records int64
}

func (l Limits) complete() Limits {
	l.Jobs = cmp.Or(l.Jobs, 8)
	l.JobsPerEnvironment = cmp.Or(l.JobsPerEnvironment, 4)
	l.Compilers = cmp.Or(l.Compilers, 2)
	l.CompilerWait = cmp.Or(l.CompilerWait, 10*time.Second)
	l.Compile = cmp.Or(l.Compile, time.Minute)
	l.DryRun = cmp.Or(l.DryRun, 5*time.Minute)
	l.Memory = cmp.Or(l.Memory, 128<<20)
	l.CPU = cmp.Or(l.CPU, time.Minute)
	l.Output = cmp.Or(l.Output, 2<<20)
	l.Notes = cmp.Or(l.Notes, 256<<10)
	l.Records = cmp.Or(l.Records, 16<<20)
	return l
}

// Config is what a Service needs.
type Config struct {
	Store        Store
	Functions    Functions
	Integrations Integrations
	Connections  Connections
	Compiler     Compiler
	// Executor runs functions, and reads what they say of themselves.
	Executor runner.Executor
	// Reserve waits until there is room for so many bytes of memory beside those of
	// the runs, and returns what gives them back. Nil: there always is.
	Reserve func(ctx context.Context, env linkspan.EnvironmentID, bytes int64) (release func(), err error)
	// Host serves what dry runs ask for of the outside.
	Host *host.Service
	// Trigger runs a deployed action for a dry run that asks for it. Nil: there are
	// none.
	Trigger func(ctx context.Context, env linkspan.Environment, integrationKey, connection, action string, input json.RawMessage) (json.RawMessage, error)
	// Templates returns the library. Nil: there is none.
	Templates func() []Template
	// Ops records operations. Nil records nothing.
	Ops *oplog.Log
	Log *slog.Logger
	// Holder names this process uniquely among the replicas.
	Holder string
	// Version is that of the server.
	Version string
	Limits  Limits
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service works for authors of functions. It is safe for concurrent use; Run may
// run once.
type Service struct {
	c      Config
	limits Limits
	// compiling are the places of the texts that are compiled.
	compiling *turns
	// due wakes Run.
	due chan struct{}

	mu       sync.Mutex
	underWay map[linkspan.EnvironmentID]int

	compiled, refused, succeeded, failed, working atomic.Int64
}

// New returns a service. Dry runs and deploys begin once Run runs, here or on
// another replica.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	limits := c.Limits.complete()
	return &Service{
		c: c, limits: limits, compiling: newTurns(limits.Compilers), due: make(chan struct{}, 1),
		underWay: make(map[linkspan.EnvironmentID]int),
	}
}

// Compiled returns how many texts this process has compiled, and CompileErrors how
// many of them had problems.
func (s *Service) Compiled() int64 { return s.compiled.Load() }

// CompileErrors returns how many texts could not be compiled because of problems in
// them.
func (s *Service) CompileErrors() int64 { return s.refused.Load() }

// Succeeded returns how many jobs of this process ended well.
func (s *Service) Succeeded() int64 { return s.succeeded.Load() }

// Failed returns how many jobs of this process failed.
func (s *Service) Failed() int64 { return s.failed.Load() }

// Working returns how many jobs this process works on at the moment.
func (s *Service) Working() int64 { return s.working.Load() }

// Job returns a job of the environment. Codes: dryrun_not_found,
// deployment_not_found.
func (s *Service) Job(ctx context.Context, env linkspan.EnvironmentID, kind linkspan.AuthorJobKind, uuid string) (linkspan.AuthorJob, error) {
	j, err := s.c.Store.AuthorJob(ctx, nil, env, strings.ToLower(uuid))
	if err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
		return j, fmt.Errorf("reading a job: %w", err)
	}
	if err != nil || j.Kind != kind {
		what := "dry run"
		if kind == linkspan.AuthorDeployment {
			what = "deployment"
		}
		return linkspan.AuthorJob{}, linkspan.E("author.Job", linkspan.KindNotFound, string(kind)+"_not_found", err,
			"There is no %s %s.", what, uuid).WithHint("They are kept for a day.")
	}
	return j, nil
}

// Purge removes at most limit jobs whose time is over, and returns how many.
func (s *Service) Purge(ctx context.Context, limit int) (int, error) {
	return s.c.Store.PurgeAuthorJobs(ctx, nil, s.c.Now().Add(-keep), limit)
}

// integration returns an integration; code integration_not_found.
func (s *Service) integration(ctx context.Context, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	i, err := s.c.Integrations.Get(ctx, env, key)
	if linkspan.KindOf(err) == linkspan.KindNotFound && err != nil {
		return i, linkspan.E("author.integration", linkspan.KindNotFound, codeNoIntegration, err, "The integration %q does not exist.", key)
	}
	return i, err
}

// insert stores a job that is to be done.
func (s *Service) insert(ctx context.Context, j *linkspan.AuthorJob) error {
	err := s.c.Store.InsertAuthorJob(ctx, nil, j, room)
	if linkspan.KindOf(err) == linkspan.KindConflict && err != nil {
		return linkspan.E("author.insert", linkspan.KindUnavailable, codeUnavailable, err,
			"%d dry runs and deployments of this environment have not ended yet.", room).WithHint("Wait for some of them.")
	}
	if err != nil {
		return fmt.Errorf("storing a job: %w", err)
	}
	s.wake()
	return nil
}

func (s *Service) wake() {
	select {
	case s.due <- struct{}{}:
	default: // it is awake already
	}
}
