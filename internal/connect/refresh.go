package connect

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/webhook"
)

const (
	// leaseKind is the kind of the leases of refreshes; their key is the
	// connection's UUID.
	leaseKind = "refresh"
	// firstPoll and lastPoll are how long another replica's refresh is waited
	// for before looking again.
	firstPoll = 25 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
	// holdDeadline bounds how long the lease is renewed, and everything up to
	// the provider's answer.
	holdDeadline = 60 * time.Second
	// storeDeadline bounds the attempts to store new credentials. It outlasts
	// the failover of a database: the answer in memory may be the only grant.
	storeDeadline = 5 * time.Minute
	firstRetry    = 50 * time.Millisecond
	// lastRetry is short, because others may take the lapsed lease over as soon
	// as the database is back, and would send a refresh token that is spent.
	lastRetry = 250 * time.Millisecond
	// lastWords bounds what is done after the deadlines above have passed.
	lastWords = 5 * time.Second
)

// refreshAcross refreshes the connection, or waits for the replica that does.
func (s *Service) refreshAcross(ctx context.Context, e *entry, m mode) (*entry, error) {
	pause := firstPoll
	for {
		out, acquired, err := s.tryRefresh(ctx, e, m)
		if acquired {
			return out, err
		}
		if err != nil {
			return s.withoutLease(e, m, err)
		}
		cur, err := s.read(ctx, e.key())
		if err != nil {
			return nil, err
		}
		if out, done, err := s.waited(cur, e, m); done {
			return out, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, linkspan.E("connect.Fresh", linkspan.KindTimeout, "", err,
				"The credentials are being refreshed by another server, which takes too long.").WithHint("Try again in a few seconds.")
		}
		pause = min(2*pause, lastPoll)
	}
}

// tryRefresh refreshes the connection if nobody else does. The lease renews
// itself until the context it was acquired with ends.
func (s *Service) tryRefresh(ctx context.Context, e *entry, m mode) (out *entry, acquired bool, err error) {
	ctx, abandon := context.WithTimeout(context.WithoutCancel(ctx), holdDeadline)
	defer abandon()
	held, ok, err := s.leases.Acquire(ctx, leaseKind, e.target.Load().Connection.UUID)
	if err != nil || !ok {
		return nil, false, err
	}
	out, err = s.refreshHeld(ctx, held, e, m)
	return out, true, err
}

// withoutLease answers when the database can't grant a lease: with credentials
// that still work, if there are.
func (s *Service) withoutLease(e *entry, m mode, err error) (*entry, error) {
	if m == modeDue && e.usable(s.now()) {
		return e, nil
	}
	return nil, fmt.Errorf("acquiring the lease to refresh connection %q: %w", e.target.Load().Connection.Name, err)
}

// waited reports whether cur, what is stored now, ends the wait of a caller that
// came with e.
func (s *Service) waited(cur, e *entry, m mode) (*entry, bool, error) {
	if newer(cur, e) {
		return cur, true, nil
	}
	now := s.now()
	if m == modeDue && cur.usable(now) {
		return cur, true, nil
	}
	if cur.target.Load().Connection.Refresh.FailedAt.Equal(e.target.Load().Connection.Refresh.FailedAt) {
		return nil, false, nil
	}
	return s.settled(cur, m, now)
}

// newer reports whether cur has other credentials than e.
func newer(cur, e *entry) bool {
	a, b := &cur.target.Load().Connection, &e.target.Load().Connection
	return a.UUID != b.UUID || a.CredentialsVersion != b.CredentialsVersion
}

// refreshHeld refreshes under the lease, unless the wait for it made that
// unnecessary.
func (s *Service) refreshHeld(ctx context.Context, held *lease.Held, e *entry, m mode) (*entry, error) {
	lost := true // until a result is stored, a panic included
	defer func() {
		if !lost {
			s.release(ctx, held)
		}
	}()
	cur, err := s.read(ctx, e.key())
	if err != nil {
		lost = false
		return nil, err
	}
	if out, done, err := s.needless(cur, e, m); done {
		lost = false
		return out, err
	}
	if err := held.Note(ctx, calling(cur)); err != nil {
		lost = false // nothing was sent
		return s.withoutLease(cur, m, err)
	}
	r := refresh{Service: s, held: held, cur: cur, mode: m, interrupted: interrupted(held.Lease(), cur)}
	out, stored, err := r.run(ctx)
	lost = !stored
	return out, err
}

// release gives the lease back. It is not called when the provider may have
// exchanged the refresh token and nothing of that is stored: then the lease
// lapses with its note, which tells whoever comes next.
func (s *Service) release(ctx context.Context, held *lease.Held) {
	if err := held.Release(ctx); err != nil {
		s.log.WarnContext(ctx, "releasing the lease of a refresh failed; it lapses by itself", "error", err)
	}
}

// needless reports whether what is stored now makes the refresh unnecessary or
// forbids it.
func (s *Service) needless(cur, e *entry, m mode) (*entry, bool, error) {
	now := s.now()
	if newer(cur, e) || !cur.target.Load().Credentials.Refreshable() || m == modeDue && !cur.due(now) {
		return cur, true, nil
	}
	return s.settled(cur, m, now)
}

// calling is the note of a refresh whose refresh token is about to be sent. The
// version names the credentials, and with them the token.
func calling(e *entry) string {
	return "calling " + strconv.FormatInt(e.target.Load().Connection.CredentialsVersion, 10)
}

// interrupted reports whether an earlier refresh with these credentials sent the
// refresh token and never stored an answer.
func interrupted(l linkspan.Lease, cur *entry) bool {
	return l.TakenOver && l.State == calling(cur) || wasInterrupted(cur.target.Load().Connection.Refresh)
}

// refresh is one refresh under a lease.
type refresh struct {
	*Service

	held *lease.Held
	cur  *entry
	mode mode
	// interrupted is set when an earlier refresh with the same token was.
	interrupted bool
	op          *oplog.Op
}

// run calls the provider once and stores what comes of it. stored reports
// whether the outcome is in the database.
func (r *refresh) run(ctx context.Context) (out *entry, stored bool, err error) {
	t := r.cur.target.Load()
	r.op = r.startOperation(linkspan.ActionRefreshToken, t)
	if r.interrupted {
		r.op.Message(linkspan.Message{Level: "warn", Text: "An earlier refresh was interrupted after it had been sent and before its answer was stored. It is tried again with the stored refresh token."})
	}
	fresh, err := r.refresher.Refresh(ctx, oauth.RefreshRequest{
		Provider: t.Provider, Integration: t.Integration.Secrets, ConnectionConfig: t.Connection.Config,
		// Whether an interrupted refresh cost the refresh token must not stay open
		// until the access token ends: some providers take it again only for a while.
		Credentials: t.Credentials, MayExtend: r.mode == modeDue && !r.interrupted, Trace: r.op.Message,
	})
	if err != nil {
		return r.failed(ctx, asFailure(err))
	}
	return r.succeeded(ctx, fresh)
}

// succeeded stores new credentials, for as long as that takes.
func (r *refresh) succeeded(ctx context.Context, fresh credential.Credentials) (*entry, bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeDeadline+lastWords)
	defer cancel()
	saved, err := r.keep(ctx, fresh)
	switch linkspan.KindOf(err) {
	case linkspan.KindConflict, linkspan.KindNotFound:
		// Somebody imported other credentials or deleted the connection while
		// the provider was asked: that is the later wish.
		r.op.Succeed("Refreshed the credentials, but newer ones had been stored in the meantime; those count.")
		out, err := r.read(ctx, r.cur.key())
		return out, true, err
	}
	if err != nil {
		return nil, r.noteLoss(ctx), r.loss(err)
	}
	if r.interrupted {
		r.op.Succeed("Refreshed the credentials, which recovered the connection from a refresh that was interrupted.")
	} else {
		r.op.Succeed("Refreshed the credentials.")
	}
	out, err := r.newEntry(r.cur.target.Load().Integration, saved)
	return out, true, err
}

// keep stores new credentials, trying again while the database has trouble: the
// provider may not accept the old refresh token any more.
func (r *refresh) keep(ctx context.Context, fresh credential.Credentials) (linkspan.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, storeDeadline)
	defer cancel()
	c := r.cur.target.Load().Connection
	c.Credentials, c.ExpiresAt, c.Refresh = fresh.Encode(), fresh.ExpiresAt, linkspan.RefreshState{}
	pause := firstRetry
	for {
		saved, err := r.save(ctx, c)
		if err == nil {
			return saved, nil
		}
		if k := linkspan.KindOf(err); k == linkspan.KindConflict || k == linkspan.KindNotFound {
			return saved, err
		}
		if waitErr := sleep(ctx, pause); waitErr != nil {
			return saved, fmt.Errorf("storing refreshed credentials: %w", err)
		}
		pause = min(2*pause, lastRetry)
	}
}

// save writes the credentials in one transaction, fenced twice: by the lease and
// by the version they were made from. When only the lease is lost the version
// decides alone: whoever took over has the old refresh token, which the provider
// may have retired, so dropping the new one would lose the connection, and a
// result that the other one stored first makes this write fail.
func (r *refresh) save(ctx context.Context, c linkspan.Connection) (linkspan.Connection, error) {
	var saved linkspan.Connection
	err := r.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		saved = c
		if err := r.held.Check(ctx, tx); err != nil && !errors.Is(err, lease.ErrLost) {
			return fmt.Errorf("checking the lease: %w", err)
		}
		return r.store.SaveCredentials(ctx, tx, &saved)
	})
	return saved, err
}

// noteLoss remembers on the connection that new credentials were lost, and
// reports whether that worked.
func (r *refresh) noteLoss(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	c := &r.cur.target.Load().Connection
	st := c.Refresh
	st.FailedAt, st.Reason, st.Operation = r.now(), reasonUnsettled, r.op.ID()
	st.Message = "The provider gave new credentials, which could not be stored."
	return r.noteFailure(ctx, st, lossNews(c.Refresh, st)) == nil
}

// noteFailure stores the state after a failure, and has the customer's backend
// told in the same transaction if there is news.
func (r *refresh) noteFailure(ctx context.Context, st linkspan.RefreshState, news *webhook.Failure) error {
	c := r.cur.target.Load().Connection
	if news == nil {
		return r.store.SaveRefreshState(ctx, nil, c.ID, c.UUID, c.CredentialsVersion, st)
	}
	return r.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := r.store.SaveRefreshState(ctx, tx, c.ID, c.UUID, c.CredentialsVersion, st); err != nil {
			return err
		}
		return r.announce(ctx, tx, &c, webhook.Refresh, news)
	})
}

// loss is the answer when new credentials could not be stored. Handing them out
// all the same would hide the loss until they expire.
func (r *refresh) loss(cause error) error {
	e := linkspan.E("connect.Fresh", linkspan.KindUnavailable, CodeRefreshInterrupted, cause,
		"The provider gave new credentials, but the database could not store them.").WithHint("Try again in a minute.")
	r.op.FailWith(e)
	return e
}

// failed stores that the provider gave no new credentials.
func (r *refresh) failed(ctx context.Context, f *oauth.Failure) (*entry, bool, error) {
	now := r.now().UTC().Truncate(time.Microsecond)
	c := r.cur.target.Load().Connection
	before := c.Refresh
	c.Refresh = failed(before, f, r.interrupted, r.op.ID(), now)
	err := r.noteFailure(ctx, c.Refresh, refreshNews(before, c.Refresh, r.interrupted, f))
	if k := linkspan.KindOf(err); err != nil && (k == linkspan.KindConflict || k == linkspan.KindNotFound) {
		r.op.Fail(f.Code, c.Refresh.Message)
		out, err := r.read(ctx, r.cur.key())
		return out, true, err
	}
	// A refusal changes nothing at the provider; after anything else it is not
	// known whether it does, so the note on the lease must stay.
	stored := err == nil || f.Class == oauth.Permanent
	if err != nil {
		r.log.ErrorContext(ctx, "noting a failed refresh failed", "error", err, "connection", c.UUID)
	}
	out, err := r.newEntry(r.cur.target.Load().Integration, c)
	if err != nil {
		return nil, stored, err
	}
	failure := failureError(out.target.Load(), f, r.interrupted)
	r.op.Fail(failure.Err.Code, failure.Err.Msg)
	if r.mode == modeDue && f.Class != oauth.Permanent && out.usable(now) {
		return out, stored, nil
	}
	return nil, stored, failure
}

// sleep waits for d or for the end of ctx, which it then reports.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
