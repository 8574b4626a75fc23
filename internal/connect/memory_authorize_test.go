package connect_test

import (
	"context"
	"maps"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/job"
	"github.com/linkspan/linkspan/internal/webhook"
)

// told is a webhook that was written.
type told struct {
	webhook.AuthEvent

	connection linkspan.Connection
}

// plannedJob is a job that was enqueued.
type plannedJob struct {
	at   time.Time
	args job.Args
}

func (n *node) InsertAuthorization(ctx context.Context, tx linkspan.Tx, a *linkspan.Authorization) error {
	return n.do(ctx, tx, func(t *memTx) error {
		if _, ok := n.data.authorizations[a.UUID]; ok {
			return conflict()
		}
		n.data.nextID++
		a.ID, a.CreatedAt = linkspan.AuthorizationID(n.data.nextID), t.now
		n.data.authorizations[a.UUID] = *a
		return nil
	})
}

func (n *node) Authorization(ctx context.Context, tx linkspan.Tx, uuid string) (out linkspan.Authorization, err error) {
	err = n.do(ctx, tx, func(*memTx) error {
		var ok bool
		if out, ok = n.data.authorizations[uuid]; !ok {
			return notFound()
		}
		return nil
	})
	return out, err
}

func (n *node) deleteAuthorizations(ctx context.Context, tx linkspan.Tx, which func(linkspan.Authorization) bool) (deleted int, err error) {
	err = n.do(ctx, tx, func(*memTx) error {
		for uuid, a := range n.data.authorizations {
			if which(a) {
				delete(n.data.authorizations, uuid)
				deleted++
			}
		}
		return nil
	})
	return deleted, err
}

func (n *node) DeleteAuthorization(ctx context.Context, tx linkspan.Tx, id linkspan.AuthorizationID) (bool, error) {
	deleted, err := n.deleteAuthorizations(ctx, tx, func(a linkspan.Authorization) bool { return a.ID == id })
	return deleted > 0, err
}

func (n *node) DeleteOlderAuthorizations(ctx context.Context, tx linkspan.Tx, newer *linkspan.Authorization) (int, error) {
	return n.deleteAuthorizations(ctx, tx, func(a linkspan.Authorization) bool {
		return a.EnvironmentID == newer.EnvironmentID && a.IntegrationKey == newer.IntegrationKey && a.ConnectionName == newer.ConnectionName && a.ID < newer.ID
	})
}

func (n *node) InsertPopupResult(ctx context.Context, tx linkspan.Tx, r linkspan.PopupResult) error {
	return n.do(ctx, tx, func(*memTx) error {
		if _, ok := n.data.popups[r.PopupID]; !ok {
			n.data.popups[r.PopupID] = r.Message
		}
		return nil
	})
}

// AddAuth implements connect.Webhooks.
func (n *node) AddAuth(ctx context.Context, tx linkspan.Tx, e webhook.AuthEvent) error {
	if f := n.tellFault.Load(); f != nil {
		if err := (*f)(); err != nil {
			return err
		}
	}
	return n.do(ctx, tx, func(*memTx) error {
		n.data.told = append(n.data.told, told{AuthEvent: e, connection: *e.Connection})
		return nil
	})
}

// EnqueueAt implements connect.Jobs.
func (n *node) EnqueueAt(ctx context.Context, tx linkspan.Tx, at time.Time, a job.Args) error {
	return n.do(ctx, tx, func(*memTx) error {
		n.data.jobs = append(n.data.jobs, plannedJob{at, a})
		return nil
	})
}

// deleteIntegration removes an integration behind everybody's back.
func (m *memory) deleteIntegration(key string) {
	m.busy <- struct{}{}
	defer func() { <-m.busy }()
	integrations := maps.Clone(m.data.integrations)
	delete(integrations, key)
	m.data.integrations = integrations
}
