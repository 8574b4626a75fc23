package storetest

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func newAuthorJob(env linkspan.Environment) *linkspan.AuthorJob {
	return &linkspan.AuthorJob{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Kind: linkspan.AuthorDryRun, State: linkspan.RunWaiting, IntegrationKey: "github",
		FunctionKind: linkspan.FunctionAction, Request: linkspan.NewSecret(`{"code":"…"}`), Operation: linkspan.NewOperationID(time.Now()),
	}
}

func testAuthorJobs(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.newEnvironment(t, "other")
	const ttl = time.Minute

	j := newAuthorJob(w.env)
	must(t, w.InsertAuthorJob(ctx, nil, j, 10))
	_, err := w.AuthorJob(ctx, nil, other.ID, j.UUID)
	wantKind(t, err, linkspan.KindNotFound)
	got, err := w.AuthorJob(ctx, nil, w.env.ID, j.UUID)
	must(t, err)
	wantEqual(t, "request", got.Request.Reveal(), j.Request.Reveal())
	got.Request, j.Request = linkspan.Secret{}, linkspan.Secret{}
	wantEqual(t, "stored", got, *j)

	// One at a time works on it.
	first, ok, err := w.ClaimAuthorJob(ctx, nil, j.ID, "a", 0) // lapses at once
	must(t, err)
	wantEqual(t, "claimed", ok, true)
	wantEqual(t, "state", first.State, linkspan.RunRunning)
	held, ok, err := w.ClaimAuthorJob(ctx, nil, j.ID, "b", ttl)
	must(t, err)
	wantEqual(t, "taken over", ok, true)
	wantEqual(t, "attempt", held.Attempt, int64(2))
	wantEqual(t, "began", held.StartedAt, first.StartedAt)
	wantEqual(t, "request of the claim", held.Request.Reveal(), `{"code":"…"}`)
	_, ok, err = w.ClaimAuthorJob(ctx, nil, j.ID, "c", ttl)
	must(t, err)
	wantEqual(t, "claimed while it is held", ok, false)

	// Whoever was overtaken changes nothing.
	for name, change := range map[string]func() (bool, error){
		"renewing":  func() (bool, error) { return w.RenewAuthorJob(ctx, nil, &first, ttl) },
		"releasing": func() (bool, error) { return w.ReleaseAuthorJob(ctx, nil, &first) },
		"noting":    func() (bool, error) { return w.NoteAuthorJob(ctx, nil, &first) },
		"finishing": func() (bool, error) { return w.FinishAuthorJob(ctx, nil, &first) },
	} {
		ok, err := change()
		must(t, err)
		wantEqual(t, name+" by an earlier holder", ok, false)
	}
	ok, err = w.RenewAuthorJob(ctx, nil, &held, ttl)
	must(t, err)
	wantEqual(t, "renewed", ok, true)
	held.Output = linkspan.NewSecret("so far")
	ok, err = w.NoteAuthorJob(ctx, nil, &held)
	must(t, err)
	wantEqual(t, "noted", ok, true)
	got, err = w.AuthorJob(ctx, nil, w.env.ID, j.UUID)
	must(t, err)
	wantEqual(t, "noted", got.Output.Reveal(), "so far")
	ok, err = w.ReleaseAuthorJob(ctx, nil, &held)
	must(t, err)
	wantEqual(t, "released", ok, true)
	held, ok, err = w.ClaimAuthorJob(ctx, nil, j.ID, "c", ttl)
	must(t, err)
	wantEqual(t, "claimed again", ok, true)

	held.State, held.Output, held.Result = linkspan.RunFailed, linkspan.NewSecret("log"), linkspan.NewSecret(`{"a":1}`)
	held.Error = &linkspan.RunError{Code: "script_internal_error", Message: "no", Payload: json.RawMessage(`{"b":2}`)}
	ok, err = w.FinishAuthorJob(ctx, nil, &held)
	must(t, err)
	wantEqual(t, "finished", ok, true)
	got, err = w.AuthorJob(ctx, nil, w.env.ID, j.UUID)
	must(t, err)
	wantEqual(t, "state", got.State, linkspan.RunFailed)
	wantEqual(t, "error", got.Error, held.Error)
	wantEqual(t, "output", got.Output.Reveal()+got.Result.Reveal(), `log{"a":1}`)
	if got.EndedAt.IsZero() || !got.Request.IsZero() {
		t.Errorf("ended at %v, with a request: %v", got.EndedAt, !got.Request.IsZero())
	}
	_, ok, err = w.ClaimAuthorJob(ctx, nil, j.ID, "d", ttl)
	must(t, err)
	wantEqual(t, "claimed when it has ended", ok, false)
	n, err := w.PurgeAuthorJobs(ctx, nil, got.EndedAt, 10)
	must(t, err)
	wantEqual(t, "purged too early", n, 0)
	n, err = w.PurgeAuthorJobs(ctx, nil, got.EndedAt.Add(time.Microsecond), 10)
	must(t, err)
	wantEqual(t, "purged", n, 1)
}

func testAuthorJobTurns(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.newEnvironment(t, "other")
	var mine []*linkspan.AuthorJob
	for range 3 {
		j := newAuthorJob(w.env)
		must(t, w.InsertAuthorJob(ctx, nil, j, 3))
		mine = append(mine, j)
	}
	wantKind(t, w.InsertAuthorJob(ctx, nil, newAuthorJob(w.env), 3), linkspan.KindConflict)
	done := newAuthorJob(w.env)
	done.State = linkspan.RunSucceeded
	must(t, w.InsertAuthorJob(ctx, nil, done, 3)) // takes no room
	theirs := newAuthorJob(other)
	must(t, w.InsertAuthorJob(ctx, nil, theirs, 3))

	due := func(full []linkspan.EnvironmentID, limit int) []linkspan.AuthorJobID {
		t.Helper()
		list, err := w.DueAuthorJobs(ctx, nil, full, limit)
		must(t, err)
		var ids []linkspan.AuthorJobID
		for _, j := range list {
			ids = append(ids, j.ID)
		}
		return ids
	}
	wantEqual(t, "in turns", due(nil, 10), []linkspan.AuthorJobID{mine[0].ID, theirs.ID, mine[1].ID, mine[2].ID})
	wantEqual(t, "the first", due(nil, 2), []linkspan.AuthorJobID{mine[0].ID, theirs.ID})
	wantEqual(t, "without one that is full", due([]linkspan.EnvironmentID{w.env.ID}, 10), []linkspan.AuthorJobID{theirs.ID})
	_, ok, err := w.ClaimAuthorJob(ctx, nil, mine[0].ID, "a", time.Minute)
	must(t, err)
	wantEqual(t, "claimed", ok, true)
	wantEqual(t, "the rest", due(nil, 2), []linkspan.AuthorJobID{mine[1].ID, theirs.ID})
}

// Deploys of one function are done one after the other, in the order they came.
func testAuthorJobOrder(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.newEnvironment(t, "other")
	insert := func(env linkspan.Environment, change func(j *linkspan.AuthorJob)) linkspan.AuthorJobID {
		t.Helper()
		j := newAuthorJob(env)
		j.Kind, j.FunctionName = linkspan.AuthorDeployment, "issues"
		change(j)
		must(t, w.InsertAuthorJob(ctx, nil, j, 10))
		return j.ID
	}
	first := insert(w.env, func(*linkspan.AuthorJob) {})
	second := insert(w.env, func(*linkspan.AuthorJob) {})
	free := []linkspan.AuthorJobID{
		insert(w.env, func(j *linkspan.AuthorJob) { j.FunctionName = "users" }),
		insert(w.env, func(j *linkspan.AuthorJob) { j.IntegrationKey = "gitlab" }),
		insert(w.env, func(j *linkspan.AuthorJob) { j.FunctionKind = linkspan.FunctionSync }),
		insert(w.env, func(j *linkspan.AuthorJob) { j.Kind = linkspan.AuthorDryRun }),
		insert(other, func(*linkspan.AuthorJob) {}),
	}
	due := func() []linkspan.AuthorJobID {
		t.Helper()
		list, err := w.DueAuthorJobs(ctx, nil, nil, 20)
		must(t, err)
		var ids []linkspan.AuthorJobID
		for _, j := range list {
			ids = append(ids, j.ID)
		}
		slices.Sort(ids)
		return ids
	}
	wantEqual(t, "due at first", due(), append([]linkspan.AuthorJobID{first}, free...))
	held, _, err := w.ClaimAuthorJob(ctx, nil, first, "a", time.Minute)
	must(t, err)
	wantEqual(t, "due while the first is under way", due(), free)
	held.State = linkspan.RunFailed
	_, err = w.FinishAuthorJob(ctx, nil, &held)
	must(t, err)
	wantEqual(t, "due then", due(), append([]linkspan.AuthorJobID{second}, free...))
}
