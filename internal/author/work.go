package author

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// pollEvery is how often it is looked for jobs that other processes were asked
	// for or left behind.
	pollEvery = time.Second
	// leaseFor is how long a job stays with a process that does not say that it is
	// alive, and renewEvery how often it says so.
	leaseFor   = 15 * time.Second
	renewEvery = 5 * time.Second
	// callTimeout bounds one call of the store that nobody waits for, and
	// finishTimeout how long storing an outcome is tried.
	callTimeout   = 4 * time.Second
	finishTimeout = time.Minute
	// maxAttempts is how often a job is begun that processes died of, maybe.
	maxAttempts = 3
)

// errLost is the cause of the end of work that another process has taken over.
var errLost = errors.New("the job was taken over by another process")

// Run works on jobs until ctx ends, and gives back or ends those under way then.
func (s *Service) Run(ctx context.Context) error {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := s.claim(ctx, &jobs); err != nil && ctx.Err() == nil {
			s.c.Log.WarnContext(ctx, "looking for dry runs and deployments failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.due:
		}
	}
}

// claim takes the jobs that there is room for.
func (s *Service) claim(ctx context.Context, jobs *sync.WaitGroup) error {
	free := s.limits.Jobs - int(s.working.Load())
	if free <= 0 {
		return nil
	}
	list, err := s.c.Store.DueAuthorJobs(ctx, nil, s.full(), free)
	if err != nil {
		return fmt.Errorf("reading what is due: %w", err)
	}
	for _, due := range list {
		if !s.enter(due.EnvironmentID) {
			continue
		}
		j, ok, err := s.c.Store.ClaimAuthorJob(ctx, nil, due.ID, s.c.Holder, leaseFor)
		if err != nil || !ok {
			s.leave(due.EnvironmentID)
			if err != nil {
				return fmt.Errorf("claiming a job: %w", err)
			}
			continue
		}
		jobs.Go(func() {
			defer s.wake()
			defer s.leave(j.EnvironmentID)
			s.work(ctx, &j)
		})
	}
	return nil
}

// full are the environments that have all the jobs under way that they may.
func (s *Service) full() []linkspan.EnvironmentID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var full []linkspan.EnvironmentID
	for env, n := range s.underWay {
		if n >= s.limits.JobsPerEnvironment {
			full = append(full, env)
		}
	}
	return full
}

func (s *Service) enter(env linkspan.EnvironmentID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underWay[env] >= s.limits.JobsPerEnvironment {
		return false
	}
	s.underWay[env]++
	s.working.Add(1)
	return true
}

func (s *Service) leave(env linkspan.EnvironmentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working.Add(-1)
	if s.underWay[env]--; s.underWay[env] == 0 {
		delete(s.underWay, env)
	}
}

// work brings a job to its end, if nobody takes it over.
func (s *Service) work(ctx context.Context, j *linkspan.AuthorJob) {
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &worked{s: s, job: j, log: newJournal(int(s.limits.Notes))}
	var renewing sync.WaitGroup
	stop := make(chan struct{})
	renewing.Go(func() { w.keep(working, cancel, stop) })
	err := w.perform(working)
	close(stop)
	renewing.Wait()
	if errors.Is(context.Cause(working), errLost) {
		s.c.Log.WarnContext(ctx, "a job of an author was taken over", "job", j.UUID, "kind", j.Kind, "attempt", j.Attempt)
		return
	}
	if ctx.Err() != nil && err != nil && !w.effects {
		w.giveBack(ctx)
		return
	}
	w.end(ctx, err)
}

// worked is a job that this process works on.
type worked struct {
	s   *Service
	job *linkspan.AuthorJob
	log *journal
	// refused is why the job is not worked on at all. Nil: it is.
	refused error
	// effects says that the job has begun what must not be repeated.
	effects bool
	// finish ends the job's operation. Nil: it has none of its own.
	finish func(failure *linkspan.RunError)
}

// keep renews the lease until stop, and stores what was logged so far.
func (w *worked) keep(ctx context.Context, cancel context.CancelCauseFunc, stop <-chan struct{}) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	until := w.s.c.Now().Add(leaseFor)
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := w.s.c.Now()
		call, end := context.WithTimeout(ctx, callTimeout)
		ok, err := w.s.c.Store.RenewAuthorJob(call, nil, w.job, leaseFor)
		if err == nil && ok {
			until = asked.Add(leaseFor)
			_, err = w.note(call)
		}
		end()
		switch {
		case err == nil && ok:
		case err == nil, !w.s.c.Now().Add(renewEvery).Before(until):
			cancel(errLost)
			return
		case ctx.Err() == nil:
			w.s.c.Log.WarnContext(ctx, "renewing the lease of a job failed", "job", w.job.UUID, "error", err)
		}
	}
}

// note stores what was logged so far.
func (w *worked) note(ctx context.Context) (bool, error) {
	noted := *w.job
	noted.Output = linkspan.NewSecret(w.log.text())
	return w.s.c.Store.NoteAuthorJob(ctx, nil, &noted)
}

// perform does what the job is about.
func (w *worked) perform(ctx context.Context) error {
	const op = "author.perform"
	switch late := w.s.c.Now().Sub(w.job.CreatedAt); {
	case w.job.Attempt > maxAttempts:
		w.refused = linkspan.E(op, linkspan.KindUnavailable, codeUnavailable, nil,
			"The processes that worked on this ended %d times before it did.", maxAttempts).WithHint("Try again; if it happens again, look at the server's log.")
	case late > keep:
		// Nobody reckons with it any more, and what it does may be real.
		w.refused = linkspan.E(op, linkspan.KindUnavailable, codeUnavailable, nil,
			"No server had the time for this within %v.", keep).WithHint("Try again; somebody has to run a server with the role worker.")
	}
	switch w.job.Kind {
	case linkspan.AuthorDryRun:
		return w.dryRun(ctx)
	case linkspan.AuthorDeployment:
		return w.deploy(ctx)
	default:
		return fmt.Errorf("there are no jobs of the kind %q", w.job.Kind)
	}
}

// giveBack lets another process have the job.
func (w *worked) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if _, err := w.s.c.Store.ReleaseAuthorJob(ctx, nil, w.job); err != nil {
		w.s.c.Log.WarnContext(ctx, "giving back a job failed; its lease lapses by itself", "job", w.job.UUID, "error", err)
	}
}

// end stores the outcome.
func (w *worked) end(ctx context.Context, err error) {
	j := w.job
	j.State = linkspan.RunSucceeded
	if err != nil {
		j.State = linkspan.RunFailed
		failed, ok := errors.AsType[*linkspan.RunError](err)
		if !ok {
			failed = runError(err)
			w.internal(ctx, err)
		}
		j.Error = failed
		w.log.last(w.s.c.Now(), "error", failed.Code+": "+failed.Message)
	}
	j.Output = linkspan.NewSecret(w.log.text())
	w.store(ctx)
	if w.finish != nil {
		w.finish(j.Error)
	}
	if err != nil {
		w.s.failed.Add(1)
	} else {
		w.s.succeeded.Add(1)
	}
}

// internal logs a failure whose cause nobody else will hear of.
func (w *worked) internal(ctx context.Context, err error) {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Err != nil && (e.Kind == linkspan.KindInternal || e.Kind == linkspan.KindUnavailable) {
		w.s.c.Log.ErrorContext(ctx, "a job of an author failed", "job", w.job.UUID, "kind", w.job.Kind, "error", err)
	}
}

// store tries to store the outcome for a while: the work must not be done again.
func (w *worked) store(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		_, err := w.s.c.Store.FinishAuthorJob(ctx, nil, w.job)
		if err == nil {
			return
		}
		w.s.c.Log.WarnContext(ctx, "storing the outcome of a job failed", "job", w.job.UUID, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
