package storetest

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

// testClockPutBack puts the database's clock back by moving ahead what was stored
// before: nothing waits for it but what a receiver is to be spared.
func testClockPutBack(t *testing.T, w *world) {
	ctx := t.Context()
	const by = 24 * time.Hour
	waits, left := w.newRun(t, w.env.ID, nil), w.newRun(t, w.env.ID, nil)
	w.claimRuns(t, "dead", time.Second, left.ID)
	_, ds := w.newWebhook(t, w.env.ID, "https://a.example", "https://b.example", "https://c.example")
	w.claim(t, "dead", time.Second, ds[1].ID)
	w.exec(t, "update webhook_deliveries set attempts = 1 where id = $1", int64(ds[1].ID)) // it failed before
	failed := w.claim(t, "me", time.Minute, ds[2].ID)
	failed[0].Attempts = 1
	_, err := w.FinishDelivery(ctx, nil, failed[0], time.Hour)
	must(t, err)
	job := newAuthorJob(w.env)
	must(t, w.InsertAuthorJob(ctx, nil, job, 10))
	_, _, err = w.ClaimAuthorJob(ctx, nil, job.ID, "dead", time.Second)
	must(t, err)
	_, _, err = w.AcquireLease(ctx, nil, "test", "left", "dead", time.Second)
	must(t, err)
	_, err = w.AcquireFunctionLock(ctx, nil, w.env.ID, "export", "dead", time.Minute)
	must(t, err)
	for _, column := range []string{
		"runs set next_at = next_at", "runs set lease_until = lease_until", "webhook_deliveries set next_at = next_at",
		"webhook_deliveries set lease_until = lease_until", "leases set lease_until = lease_until", "author_jobs set lease_until = lease_until",
		"function_locks set until = until",
	} {
		w.exec(t, "update "+column+" + $1", by.Microseconds())
	}
	wantEqual(t, "due runs before", len(w.dueRuns(t)), 0)
	wantEqual(t, "due deliveries before", len(w.due(t)), 0)
	seq, err := w.LatestChange(ctx)
	must(t, err)

	must(t, w.FollowClock(ctx, nil))
	wantEqual(t, "due runs", w.dueRuns(t), []linkspan.RunID{waits.ID})
	wantEqual(t, "due deliveries", w.due(t), []linkspan.WebhookDeliveryID{ds[0].ID})
	changes, err := w.ChangesSince(ctx, seq, 10)
	must(t, err)
	if len(changes) != 2 || changes[0].Kind != linkspan.ChangeRunsDue || changes[1].Kind != linkspan.ChangeWebhooksDue {
		t.Errorf("others learned of %+v", changes)
	}
	if at := w.run(t, left).LeaseUntil; at.IsZero() || at.After(time.Now().Add(20*time.Second)) {
		t.Errorf("a dead process holds its run until %s", at)
	}
	if at := w.delivery(t, w.env.ID, ds[2].ID).NextAt; at.Before(time.Now().Add(by)) {
		t.Errorf("a receiver that failed is tried at %s", at)
	}
	// In the end what the dead held is taken over.
	for _, table := range []string{"runs", "webhook_deliveries", "leases", "author_jobs"} {
		w.exec(t, "update "+table+" set lease_until = lease_until - $1 where lease_until is not null", (20 * time.Second).Microseconds())
	}
	wantEqual(t, "the run of the dead", len(w.claimRuns(t, "me", time.Minute, left.ID)), 1)
	wantEqual(t, "the delivery of the dead", len(w.claim(t, "me", time.Minute, ds[1].ID)), 1)
	_, ok, err := w.ClaimAuthorJob(ctx, nil, job.ID, "me", time.Minute)
	must(t, err)
	wantEqual(t, "the job of the dead", ok, true)
	_, ok, err = w.AcquireLease(ctx, nil, "test", "left", "me", time.Minute)
	must(t, err)
	wantEqual(t, "the lease of the dead", ok, true)
	w.exec(t, "update function_locks set until = until - $1", by.Microseconds()) // which is as long as one may last
	ok, err = w.AcquireFunctionLock(ctx, nil, w.env.ID, "export", "me", time.Minute)
	must(t, err)
	wantEqual(t, "the lock of the dead", ok, true)
}
