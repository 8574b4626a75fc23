package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

// newWebhook stores an event with a delivery to each URL.
func (w *world) newWebhook(t *testing.T, env linkspan.EnvironmentID, destinations ...string) (linkspan.WebhookEvent, []linkspan.WebhookDelivery) {
	t.Helper()
	e := linkspan.WebhookEvent{
		UUID: linkspan.NewUUID(), EnvironmentID: env, Type: "auth", Operation: "creation", IntegrationKey: "github", Provider: "github",
		ConnectionName: "c1", ConnectionUUID: linkspan.NewUUID(), Body: linkspan.NewSecret(`{"a":1}`),
	}
	ds := make([]linkspan.WebhookDelivery, len(destinations))
	for i, d := range destinations {
		ds[i] = linkspan.WebhookDelivery{
			UUID: linkspan.NewUUID(), URL: d + "/hook?token=1", Destination: d, Operation: linkspan.NewOperationID(past()),
		}
	}
	must(t, w.InsertWebhook(t.Context(), nil, &e, ds))
	return e, ds
}

// due returns the ids of what is due, all of it.
func (w *world) due(t *testing.T, without ...linkspan.WebhookDelivery) []linkspan.WebhookDeliveryID {
	t.Helper()
	found, err := w.DueDeliveries(t.Context(), nil, linkspan.WebhookDelivery{}, without, 100, 1000)
	must(t, err)
	return deliveryIDs(found)
}

func deliveryIDs(list []linkspan.WebhookDelivery) []linkspan.WebhookDeliveryID {
	ids := make([]linkspan.WebhookDeliveryID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

func (w *world) claim(t *testing.T, holder string, ttl time.Duration, ids ...linkspan.WebhookDeliveryID) []linkspan.WebhookDelivery {
	t.Helper()
	claimed, err := w.ClaimDeliveries(t.Context(), nil, ids, holder, ttl)
	must(t, err)
	return claimed
}

func (w *world) delivery(t *testing.T, env linkspan.EnvironmentID, id linkspan.WebhookDeliveryID) linkspan.WebhookDelivery {
	t.Helper()
	list, err := w.WebhookDeliveries(t.Context(), nil, linkspan.DeliveryFilter{EnvironmentID: env, Limit: 1, Before: id + 1})
	must(t, err)
	if len(list) != 1 || list[0].ID != id {
		t.Fatalf("delivery %d: %+v", id, list)
	}
	return list[0]
}

func testWebhooks(t *testing.T, w *world) {
	ctx := t.Context()
	seq, err := w.LatestChange(ctx)
	must(t, err)
	e, ds := w.newWebhook(t, w.env.ID, "https://a.example", "https://b.example")
	changes, err := w.ChangesSince(ctx, seq, 10)
	must(t, err)
	if len(changes) != 1 || changes[0].Kind != linkspan.ChangeWebhooksDue {
		t.Fatalf("the replicas are told %+v", changes)
	}
	want := ds[1]
	want.Event = e
	want.Event.Body = linkspan.Secret{}
	wantEqual(t, "a listed delivery", w.delivery(t, w.env.ID, want.ID), want)
	if got := w.due(t); !slices.Equal(got, deliveryIDs(ds)) {
		t.Fatalf("due: %v", got)
	}
	if got := w.due(t, ds[0]); !slices.Equal(got, deliveryIDs(ds[1:])) {
		t.Fatalf("due without a: %v", got)
	}

	for _, limit := range []int{1, 2, 3} {
		n, err := w.PendingDeliveries(ctx, nil, limit)
		must(t, err)
		if n != min(limit, 2) {
			t.Fatalf("%d of at most %d are pending", n, limit)
		}
	}

	claimed := w.claim(t, "me", time.Minute, ds[0].ID)
	if len(claimed) != 1 || claimed[0].Attempt != 1 || claimed[0].Holder != "me" || !claimed[0].Event.Body.Equal(e.Body) ||
		claimed[0].Event.UUID != e.UUID || time.Until(claimed[0].LeaseUntil) < 30*time.Second {
		t.Fatalf("claimed: %+v", claimed)
	}
	if again := w.claim(t, "you", time.Minute, ds[0].ID); len(again) != 0 {
		t.Fatalf("claimed twice: %+v", again)
	}
	if got := w.due(t); !slices.Equal(got, deliveryIDs(ds[1:])) {
		t.Fatalf("due beside a claim: %v", got)
	}
	if _, err := w.ClaimDeliveries(ctx, nil, deliveryIDs(ds), "", time.Minute); err == nil {
		t.Fatal("a claim without a holder")
	}

	// A failed attempt is due again later, by its own plan.
	d := claimed[0]
	d.Attempts, d.LastStatus, d.LastError = 1, 500, "The receiver answered 500."
	ok, err := w.FinishDelivery(ctx, nil, d, time.Hour)
	must(t, err)
	got := w.delivery(t, w.env.ID, d.ID)
	if in := time.Until(got.NextAt); !ok || in < 59*time.Minute || in > 61*time.Minute || got.State != linkspan.DeliveryPending ||
		got.Attempts != 1 || got.LastStatus != 500 || got.LastError != d.LastError || got.Holder != "" || !got.LeaseUntil.IsZero() || !got.EndedAt.IsZero() {
		t.Fatalf("after a failure: %t, %+v", ok, got)
	}
	if claimed := w.claim(t, "me", time.Minute, d.ID); len(claimed) != 0 || slices.Contains(w.due(t), d.ID) {
		t.Fatal("an attempt that is planned for later can be claimed")
	}
	// Somebody asks for it now.
	_, err = w.ReplayDelivery(ctx, nil, w.env.ID, d.UUID, linkspan.WebhookDelivery{UUID: linkspan.NewUUID(), Operation: "x"})
	must(t, err)
	claimed = w.claim(t, "me", time.Minute, d.ID)
	if len(claimed) != 1 || claimed[0].Attempt != 2 || claimed[0].Attempts != 1 {
		t.Fatalf("claimed again: %+v", claimed)
	}
	d = claimed[0]
	d.State, d.Attempts, d.LastStatus, d.LastError = linkspan.DeliveryDelivered, 2, 204, ""
	_, err = w.FinishDelivery(ctx, nil, d, 0)
	must(t, err)
	got = w.delivery(t, w.env.ID, d.ID)
	if got.State != linkspan.DeliveryDelivered || got.EndedAt.IsZero() || !got.NextAt.IsZero() || slices.Contains(w.due(t), d.ID) {
		t.Fatalf("delivered: %+v", got)
	}
	for want, states := range [][]linkspan.DeliveryState{
		{linkspan.DeliveryFailed, linkspan.DeliveryGone}, {linkspan.DeliveryFailed, linkspan.DeliveryDelivered},
	} {
		list, err := w.WebhookDeliveries(ctx, nil, linkspan.DeliveryFilter{EnvironmentID: w.env.ID, States: states, Limit: 10})
		must(t, err)
		if len(list) != want {
			t.Fatalf("%v: %+v", states, list)
		}
	}
	if ok, err := w.FinishDelivery(ctx, nil, d, 0); ok || err != nil {
		t.Fatalf("what has ended ends again: %t, %v", ok, err)
	}

	// A delivery that has ended is replayed as another one of the same event.
	again, err := w.ReplayDelivery(ctx, nil, w.env.ID, d.UUID, linkspan.WebhookDelivery{UUID: linkspan.NewUUID(), Operation: "fresh"})
	must(t, err)
	if again.ID == d.ID || again.Event.UUID != e.UUID || again.URL != d.URL || again.Operation != "fresh" || again.State != linkspan.DeliveryPending {
		t.Fatalf("replayed: %+v", again)
	}
	wantEqual(t, "the replay", w.delivery(t, w.env.ID, again.ID), again)
	if !slices.Contains(w.due(t), again.ID) {
		t.Fatal("a replay is not due")
	}
}

func testWebhookFences(t *testing.T, w *world) {
	ctx := t.Context()
	_, ds := w.newWebhook(t, w.env.ID, "https://a.example")
	id := ds[0].ID
	stale := w.claim(t, "dead", lapsed, id)
	found, err := w.DueDeliveries(ctx, nil, linkspan.WebhookDelivery{}, nil, 5, 10)
	must(t, err)
	if len(found) != 1 || found[0].ID != id || found[0].LeaseUntil.IsZero() || found[0].Destination != "https://a.example" || found[0].EnvironmentID != w.env.ID {
		t.Fatalf("a lapsed claim is found as %+v", found)
	}
	if got := w.due(t, ds[0]); len(got) != 0 {
		t.Fatalf("passed over, but due: %v", got)
	}
	// As long as nobody has taken it over, it is still the first holder's.
	kept, err := w.RenewDeliveries(ctx, nil, stale, lapsed)
	must(t, err)
	if !slices.Equal(kept, []linkspan.WebhookDeliveryID{id}) {
		t.Fatalf("renewed: %v", kept)
	}
	live := w.claim(t, "you", time.Minute, id)
	if len(live) != 1 || live[0].Attempt != 2 || live[0].Attempts != 0 {
		t.Fatalf("taken over: %+v", live)
	}
	if kept, err := w.RenewDeliveries(ctx, nil, stale, time.Hour); err != nil || len(kept) != 0 {
		t.Fatalf("the first holder renews: %v, %v", kept, err)
	}
	late := stale[0]
	late.State, late.Attempts = linkspan.DeliveryFailed, 1
	if ok, err := w.FinishDelivery(ctx, nil, late, 0); ok || err != nil {
		t.Fatalf("the first holder finishes: %t, %v", ok, err)
	}
	must(t, w.ReleaseDeliveries(ctx, nil, stale))
	if got := w.due(t); len(got) != 0 {
		t.Fatalf("the first holder released its successor's claim: %v", got)
	}
	if kept, err := w.RenewDeliveries(ctx, nil, live, time.Minute); err != nil || len(kept) != 1 {
		t.Fatalf("the holder renews: %v, %v", kept, err)
	}
	must(t, w.ReleaseDeliveries(ctx, nil, live))
	if got := w.delivery(t, w.env.ID, id); got.Attempts != 0 || got.Holder != "" || !got.LeaseUntil.IsZero() || got.State != linkspan.DeliveryPending {
		t.Fatalf("released: %+v", got)
	}
	if got := w.due(t); len(got) != 1 {
		t.Fatalf("released, but not due: %v", got)
	}
	_, theirs := w.newWebhook(t, w.env.ID, "https://b.example")
	_, nobodys := w.newWebhook(t, w.env.ID, "https://c.example")
	w.claim(t, "me", time.Minute, id)
	w.claim(t, "you", time.Minute, theirs[0].ID)
	must(t, w.ReleaseDeliveryClaims(ctx, nil, []linkspan.WebhookDeliveryID{id, theirs[0].ID, nobodys[0].ID}, "me"))
	if got := w.due(t); !slices.Equal(got, []linkspan.WebhookDeliveryID{id, nobodys[0].ID}) {
		t.Fatalf("due after the claims of one holder were given back: %v", got)
	}
}

// testWebhookTurns looks at how far one receiver's backlog reaches.
func testWebhookTurns(t *testing.T, w *world) {
	other := w.newEnvironment(t, "prod")
	for range 20 {
		w.newWebhook(t, w.env.ID, "https://a.example")
	}
	for range 3 {
		w.newWebhook(t, other.ID, "https://a.example")
		w.newWebhook(t, w.env.ID, "https://b.example", "https://c.example")
	}
	// One group whose only delivery is not due must not hide the others.
	_, planned := w.newWebhook(t, w.env.ID, "https://aa.example")
	d := w.claim(t, "me", time.Minute, planned[0].ID)[0]
	_, err := w.FinishDelivery(t.Context(), nil, d, time.Hour)
	must(t, err)

	count := func(after linkspan.WebhookDelivery, limit int, without ...linkspan.WebhookDelivery) (string, []linkspan.WebhookDelivery) {
		t.Helper()
		found, err := w.DueDeliveries(t.Context(), nil, after, without, 2, limit)
		must(t, err)
		counts := make(map[string]int)
		for i := range found {
			counts[fmt.Sprintf("%s %t", found[i].Destination[len("https://"):], found[i].EnvironmentID == w.env.ID)]++
		}
		return fmt.Sprint(counts), found
	}
	got, _ := count(linkspan.WebhookDelivery{}, 100)
	wantEqual(t, "two of each", got, "map[a.example false:2 a.example true:2 b.example true:2 c.example true:2]")
	got, _ = count(linkspan.WebhookDelivery{}, 100, linkspan.WebhookDelivery{Destination: "https://a.example", EnvironmentID: w.env.ID},
		linkspan.WebhookDelivery{Destination: "https://c.example", EnvironmentID: w.env.ID})
	wantEqual(t, "without a and c of one environment", got, "map[a.example false:2 b.example true:2]")
	first, found := count(linkspan.WebhookDelivery{}, 4)
	wantEqual(t, "the first page", first, "map[a.example false:2 a.example true:2]")
	got, _ = count(found[len(found)-1], 4)
	wantEqual(t, "the second page", got, "map[b.example true:2 c.example true:2]")
	got, found = count(linkspan.WebhookDelivery{Destination: "https://c.example", EnvironmentID: w.env.ID}, 4)
	wantEqual(t, "behind the last", got, "map[]")
	if len(found) != 0 {
		t.Fatal(found)
	}
	// The oldest of a group come first.
	_, found = count(linkspan.WebhookDelivery{}, 100)
	oldest := slices.MinFunc(found, func(a, b linkspan.WebhookDelivery) int { return cmp.Compare(a.ID, b.ID) })
	if all := w.due(t); oldest.ID != slices.Min(all) {
		t.Fatalf("the oldest is %d, not %d", slices.Min(all), oldest.ID)
	}
}

// testWebhookRace has many claim many deliveries, some of which others let
// lapse: each goes to exactly one.
func testWebhookRace(t *testing.T, w *world) {
	const claimants = 6
	for i := range 30 {
		_, ds := w.newWebhook(t, w.env.ID, fmt.Sprintf("https://%d.example", i%4))
		if i%3 == 0 {
			w.claim(t, "dead", lapsed, ds[0].ID)
		}
	}
	race(t, claimants, 30, func(ctx context.Context, holder string) (due bool, claimed []linkspan.WebhookDeliveryID, err error) {
		found, err := w.DueDeliveries(ctx, nil, linkspan.WebhookDelivery{}, nil, 3, 8)
		if err != nil || len(found) == 0 {
			return false, nil, err
		}
		deliveries, err := w.ClaimDeliveries(ctx, nil, deliveryIDs(found), holder, time.Minute)
		for i := range deliveries {
			claimed = append(claimed, deliveries[i].ID)
		}
		return true, claimed, err
	})
}

func testWebhookIsolation(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.newEnvironment(t, "prod")
	e, ds := w.newWebhook(t, w.env.ID, "https://a.example")
	list, err := w.WebhookDeliveries(ctx, nil, linkspan.DeliveryFilter{EnvironmentID: other.ID, Limit: 10})
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("another environment sees %+v", list)
	}
	_, err = w.ReplayDelivery(ctx, nil, other.ID, ds[0].UUID, linkspan.WebhookDelivery{UUID: linkspan.NewUUID()})
	wantKind(t, err, linkspan.KindNotFound)

	for name, f := range map[string]linkspan.DeliveryFilter{
		"all":         {},
		"state":       {States: []linkspan.DeliveryState{linkspan.DeliveryGone, linkspan.DeliveryPending}},
		"type":        {Type: "auth"},
		"integration": {IntegrationKey: "github"},
		"connection":  {ConnectionName: "c1"},
		"before":      {Before: ds[0].ID + 1},
	} {
		f.EnvironmentID, f.Limit = w.env.ID, 10
		list, err := w.WebhookDeliveries(ctx, nil, f)
		must(t, err)
		if len(list) != 1 || list[0].Event.UUID != e.UUID {
			t.Errorf("%s: %+v", name, list)
		}
	}
	for name, f := range map[string]linkspan.DeliveryFilter{
		"state":       {States: []linkspan.DeliveryState{linkspan.DeliveryGone}},
		"type":        {Type: "sync"},
		"integration": {IntegrationKey: "gitlab"},
		"connection":  {ConnectionName: "C1"},
		"before":      {Before: ds[0].ID},
	} {
		f.EnvironmentID, f.Limit = w.env.ID, 10
		list, err := w.WebhookDeliveries(ctx, nil, f)
		must(t, err)
		if len(list) != 0 {
			t.Errorf("another %s: %+v", name, list)
		}
	}

	env, err := w.WebhookEnvironment(ctx, nil, w.env.ID)
	must(t, err)
	if !env.WebhookSigningKey.Equal(w.env.WebhookSigningKey) || env.Name != w.env.Name {
		t.Fatalf("the environment is %+v", env)
	}
	must(t, w.DeleteEnvironment(ctx, nil, &w.env))
	_, err = w.WebhookEnvironment(ctx, nil, w.env.ID)
	wantKind(t, err, linkspan.KindNotFound)
	if claimed := w.claim(t, "me", time.Minute, ds[0].ID); len(claimed) != 1 {
		t.Fatalf("what a deleted environment left can't be ended: %+v", claimed)
	}
}

func testWebhookPurge(t *testing.T, w *world) {
	ctx := t.Context()
	ended, endedDeliveries := w.newWebhook(t, w.env.ID, "https://a.example", "https://b.example")
	_, half := w.newWebhook(t, w.env.ID, "https://a.example", "https://b.example")
	for _, d := range []linkspan.WebhookDelivery{endedDeliveries[0], endedDeliveries[1], half[0]} {
		c := w.claim(t, "me", time.Minute, d.ID)[0]
		c.State, c.Attempts = linkspan.DeliveryDelivered, 1
		_, err := w.FinishDelivery(ctx, nil, c, 0)
		must(t, err)
	}
	n, err := w.PurgeWebhookEvents(ctx, nil, time.Now().Add(-time.Hour), 10)
	must(t, err)
	if n != 0 {
		t.Fatalf("%d events of today were removed", n)
	}
	n, err = w.PurgeWebhookEvents(ctx, nil, time.Now().Add(time.Hour), 10)
	must(t, err)
	list, err := w.WebhookDeliveries(ctx, nil, linkspan.DeliveryFilter{EnvironmentID: w.env.ID, Limit: 10})
	must(t, err)
	if n != 1 || len(list) != 2 || list[0].Event.UUID == ended.UUID {
		t.Fatalf("removed %d, left %+v", n, list)
	}
	_, err = w.ReplayDelivery(ctx, nil, w.env.ID, endedDeliveries[0].UUID, linkspan.WebhookDelivery{UUID: linkspan.NewUUID()})
	wantKind(t, err, linkspan.KindNotFound)
}

// testWebhookSecrecy looks at how bodies are stored.
func testWebhookSecrecy(t *testing.T, w *world) {
	_, first := w.newWebhook(t, w.env.ID, "https://a.example")
	_, second := w.newWebhook(t, w.env.ID, "https://a.example")
	// A body that was put into another row does not open, and holds nobody up.
	w.exec(t, "update webhook_events set body = (select o.body from webhook_events o where o.id = $1) where id = $2",
		int64(first[0].EventID), int64(second[0].EventID))
	claimed := w.claim(t, "me", time.Minute, first[0].ID, second[0].ID)
	if len(claimed) != 2 || claimed[0].Event.Body.IsZero() || !claimed[1].Event.Body.IsZero() {
		t.Fatalf("claimed: %+v", claimed)
	}
	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) { // as one transaction with a finish
		d := claimed[0]
		d.State = linkspan.DeliveryDelivered
		_, err := w.FinishDelivery(ctx, tx, d, 0)
		must(t, err)
		_, err = w.ClaimDeliveries(ctx, tx, []linkspan.WebhookDeliveryID{second[0].ID}, "me", time.Minute)
		must(t, err)
	})
}
