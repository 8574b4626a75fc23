package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

func webhookAAD(uuid string) vault.AAD {
	return vault.AAD{Table: "webhook_events", Column: "body", Row: uuid}
}

// WebhookEnvironment returns an environment, of whatever account, with its
// present settings and signing keys.
func (s *Store) WebhookEnvironment(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error) {
	return s.environment(ctx, tx, "WebhookEnvironment", "e.id = $1", int64(env))
}

// WebhookOverride returns the URL to which webhooks about a connection go instead of
// to those of its environment, also when it was deleted. Empty: there is none.
func (s *Store) WebhookOverride(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection string) (string, error) {
	found, err := all(ctx, s.read(tx), value[string], "select webhook_url_override from connections where uuid = $1 and environment_id = $2", connection, int64(env))
	if err != nil || len(found) == 0 {
		return "", wrap("WebhookOverride", err)
	}
	return found[0], nil
}

// InsertWebhook stores an event and its deliveries, which are due at once, and
// sets their IDs and times. All replicas learn of it.
func (s *Store) InsertWebhook(ctx context.Context, tx linkspan.Tx, e *linkspan.WebhookEvent, deliveries []linkspan.WebhookDelivery) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		sealed, err := s.sealText(ctx, t, e.EnvironmentID, webhookAAD(e.UUID), e.Body.Reveal())
		if err != nil {
			return err
		}
		e.CreatedAt = t.now
		e.ID, err = one(ctx, t, value[linkspan.WebhookEventID], `
			insert into webhook_events (uuid, environment_id, type, operation, integration_key, provider, connection_name,
				connection_uuid, body, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id`,
			e.UUID, int64(e.EnvironmentID), e.Type, e.Operation, storable(e.IntegrationKey), storable(e.Provider), storable(e.ConnectionName),
			e.ConnectionUUID, sealed, micros(t.now))
		if err != nil {
			return err
		}
		for i := range deliveries {
			deliveries[i].EventID, deliveries[i].EnvironmentID = e.ID, e.EnvironmentID
			if err := s.insertDelivery(ctx, t, &deliveries[i]); err != nil {
				return err
			}
		}
		t.changed(linkspan.ChangeWebhooksDue, e.EnvironmentID, "")
		return nil
	})
	return wrap("InsertWebhook", err)
}

// insertDelivery adds a delivery that is due at once, by the database's clock.
func (s *Store) insertDelivery(ctx context.Context, t *txn, d *linkspan.WebhookDelivery) error {
	d.State, d.CreatedAt = linkspan.DeliveryPending, t.now
	d.URL, d.Destination = storable(d.URL), storable(d.Destination)
	_, err := one(ctx, t, func(r scanner) (struct{}, error) {
		return struct{}{}, r.Scan(&d.ID, timeInto{&d.NextAt})
	}, `
		insert into webhook_deliveries (uuid, event_id, environment_id, url, destination, state, attempts, attempt, holder,
			next_at, last_status, last_error, operation_id, created_at)
		values ($1, $2, $3, $4, $5, $6, 0, 0, '', `+s.dialect.now+`, 0, '', $7, $8) returning id, next_at`,
		d.UUID, int64(d.EventID), int64(d.EnvironmentID), d.URL, d.Destination, string(d.State), string(d.Operation), micros(d.CreatedAt))
	return err
}

// deliveryColumns are read by deliveryDest; d is the delivery, e its event.
const deliveryColumns = `d.id, d.uuid, d.event_id, d.environment_id, d.url, d.destination, d.state, d.attempts, d.attempt, d.holder,
	d.next_at, d.lease_until, d.last_status, d.last_error, d.operation_id, d.created_at, d.ended_at,
	e.uuid, e.type, e.operation, e.integration_key, e.provider, e.connection_name, e.connection_uuid, e.created_at`

const deliveryTables = " from webhook_deliveries d join webhook_events e on e.id = d.event_id"

func deliveryDest(d *linkspan.WebhookDelivery) []any {
	e := &d.Event
	return []any{
		&d.ID, &d.UUID, &d.EventID, &d.EnvironmentID, &d.URL, &d.Destination, &d.State, &d.Attempts, &d.Attempt, &d.Holder,
		timeInto{&d.NextAt},
		timeInto{&d.LeaseUntil},
		&d.LastStatus, &d.LastError, &d.Operation,
		timeInto{&d.CreatedAt},
		timeInto{&d.EndedAt},
		&e.UUID, &e.Type, &e.Operation, &e.IntegrationKey, &e.Provider, &e.ConnectionName, &e.ConnectionUUID,
		timeInto{&e.CreatedAt},
	}
}

func scanDelivery(r scanner) (d linkspan.WebhookDelivery, err error) {
	err = r.Scan(deliveryDest(&d)...)
	d.Event.ID, d.Event.EnvironmentID = d.EventID, d.EnvironmentID
	return d, err
}

// WebhookDeliveries returns the selected deliveries, newest first, without the
// bodies of their events.
func (s *Store) WebhookDeliveries(ctx context.Context, tx linkspan.Tx, f linkspan.DeliveryFilter) ([]linkspan.WebhookDelivery, error) {
	c := &conditions{}
	c.add("d.environment_id = " + c.arg(int64(f.EnvironmentID)))
	if len(f.States) > 0 {
		if err := c.in(s.dialect, "d.state", texts(f.States)); err != nil {
			return nil, wrap("WebhookDeliveries", err)
		}
		if !slices.Contains(f.States, linkspan.DeliveryDelivered) {
			c.add("d.state <> 'delivered'") // says the same, as the index does
		}
	}
	for _, equal := range []struct{ column, value string }{
		{"e.type", f.Type},
		{"e.integration_key", f.IntegrationKey},
		{"e.connection_name", f.ConnectionName},
	} {
		if equal.value != "" {
			c.add(equal.column + " = " + c.arg(equal.value))
		}
	}
	if f.Before != 0 {
		c.add("d.id < " + c.arg(int64(f.Before)))
	}
	list, err := all(ctx, s.read(tx), scanDelivery, "select "+deliveryColumns+deliveryTables+" where "+c.where()+
		" order by d.id desc limit "+c.arg(f.Limit), c.args...)
	return list, wrap("WebhookDeliveries", err)
}

// ReplayDelivery makes a pending delivery of the environment due at once. Of one
// that has ended it makes a copy that is due at once, with fresh's UUID and
// Operation. It returns what will be sent. All replicas learn of it.
func (s *Store) ReplayDelivery(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string, fresh linkspan.WebhookDelivery) (linkspan.WebhookDelivery, error) {
	var out linkspan.WebhookDelivery
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		out, err = one(ctx, t, scanDelivery, "select "+deliveryColumns+deliveryTables+" where d.environment_id = $1 and d.uuid = $2"+
			s.dialect.of(s.dialect.forUpdate, "d"), int64(env), uuid)
		if err != nil {
			return err
		}
		t.changed(linkspan.ChangeWebhooksDue, env, "")
		if out.State != linkspan.DeliveryPending {
			copied := linkspan.WebhookDelivery{
				UUID: fresh.UUID, Operation: fresh.Operation, EventID: out.EventID, EnvironmentID: env, URL: out.URL,
				Destination: out.Destination, Event: out.Event,
			}
			out = copied
			return s.insertDelivery(ctx, t, &out)
		}
		out.NextAt, err = one(ctx, t, func(r scanner) (at time.Time, err error) { return at, r.Scan(timeInto{&at}) },
			"update webhook_deliveries set next_at = "+s.dialect.now+" where id = $1 returning next_at", int64(out.ID))
		return err
	})
	return out, wrap("ReplayDelivery", err)
}

// DueDeliveries returns deliveries whose holders let their leases lapse, at most
// limit, and then at most limit of those that are due: at most perGroup of each
// pair of destination and environment, in the order of these pairs, from behind
// that of after. The pairs in without are passed over. Only ID, EnvironmentID,
// Destination, Attempts, Attempt and LeaseUntil are filled in; LeaseUntil is zero
// unless a lease lapsed.
func (s *Store) DueDeliveries(ctx context.Context, tx linkspan.Tx, after linkspan.WebhookDelivery, without []linkspan.WebhookDelivery, perGroup, limit int) ([]linkspan.WebhookDelivery, error) {
	names := make([]string, len(without))
	for i := range without {
		names[i] = without[i].Destination + " " + strconv.FormatInt(int64(without[i].EnvironmentID), 10)
	}
	skip, err := jsonText(names)
	if err != nil {
		return nil, wrap("DueDeliveries", err)
	}
	list, err := all(ctx, s.read(tx), func(r scanner) (d linkspan.WebhookDelivery, err error) {
		var lapsed int
		return d, r.Scan(&lapsed, &d.ID, &d.EnvironmentID, &d.Destination, &d.Attempts, &d.Attempt, timeInto{&d.LeaseUntil})
	}, s.dueQuery(), after.Destination, int64(after.EnvironmentID), perGroup, limit, skip)
	return list, wrap("DueDeliveries", err)
}

// dueQuery walks through the index of what is due without reading more of it
// than it returns (a loose index scan): from each row it steps to the next one
// of the same group that is due, or, when there is none or there were enough, to
// the first one of the next group, due or not. A row and its predecessor tell
// how far into the group it is; it ends after enough due ones.
//
// The clock is read in a subquery, once, or PostgreSQL would not use it to bound
// the index.
func (s *Store) dueQuery() string {
	const (
		free  = "d.state = 'pending' and d.lease_until is null"
		order = " order by d.destination, d.environment_id, d.next_at, d.id limit 1"
		rank  = "case when p.destination = h.destination and p.environment_id = h.environment_id then w.n + 1 else 1 end"
	)
	now := "(select " + s.dialect.now + ")"
	// One text is looked up far faster than a pair.
	skipped := "h.destination || ' ' || h.environment_id in (" + s.dialect.list("$5") + ")"
	taken := "w.taken + case when h.next_at <= " + now + " and not " + skipped + " then 1 else 0 end"
	return `
		with recursive walk(id, n, previous, taken) as (
			select (select d.id from webhook_deliveries d where ` + free + ` and (d.destination, d.environment_id) > ($1, $2)` + order + `),
				cast(0 as bigint), cast(0 as bigint), cast(0 as bigint)
			union all
			select coalesce(
				case when ` + rank + ` < $3 and not ` + skipped + ` then (
					select d.id from webhook_deliveries d where ` + free + ` and d.destination = h.destination and d.environment_id = h.environment_id
						and (d.next_at, d.id) > (h.next_at, h.id) and d.next_at <= ` + now + order + `) end,
				(select d.id from webhook_deliveries d where ` + free + `
					and (d.destination, d.environment_id) > (h.destination, h.environment_id)` + order + `)),
				` + rank + `, w.id, ` + taken + `
			from walk w join webhook_deliveries h on h.id = w.id left join webhook_deliveries p on p.id = w.previous
			where ` + taken + ` < $4
		)
		select 1 as lapsed, id, environment_id, destination, attempts, attempt, lease_until from (
			select h.id, h.environment_id, h.destination, h.attempts, h.attempt, h.lease_until from webhook_deliveries h
			where h.lease_until is not null and h.lease_until <= ` + now + ` and not ` + skipped + `
			order by h.lease_until limit cast($4 as bigint)) as left_behind
		union all
		select 0 as lapsed, h.id, h.environment_id, h.destination, h.attempts, h.attempt, null
			from walk w join webhook_deliveries h on h.id = w.id where h.next_at <= ` + now + ` and not ` + skipped + `
		order by lapsed desc, destination, environment_id, id`
}

// ClaimDeliveries makes holder the one that works for ttl, by the database's
// clock, on those of the deliveries that are still due and free. It raises their
// attempt numbers and returns them with their events. A body that can't be
// decrypted is zero, which is logged.
func (s *Store) ClaimDeliveries(ctx context.Context, tx linkspan.Tx, ids []linkspan.WebhookDeliveryID, holder string, ttl time.Duration) ([]linkspan.WebhookDelivery, error) {
	if holder == "" {
		return nil, errors.New("store.ClaimDeliveries: a claim needs a holder")
	}
	wanted, err := jsonText(ids)
	if err != nil {
		return nil, wrap("ClaimDeliveries", err)
	}
	var claimed []linkspan.WebhookDelivery
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		now := s.dialect.now
		got, err := all(ctx, t, value[int64], `
			update webhook_deliveries set holder = $1, attempt = attempt + 1, lease_until = `+now+` + $2
			where id in (select id from webhook_deliveries where id in (`+s.dialect.ids("$3")+`) and state = 'pending' and next_at <= `+now+`
				and (lease_until is null or lease_until <= `+now+`)`+s.dialect.skipLocked+`)
			returning id`, holder, ttl.Microseconds(), wanted)
		if err != nil || len(got) == 0 {
			return err
		}
		claimed, err = s.claimed(ctx, t, got)
		return err
	})
	return claimed, wrap("ClaimDeliveries", err)
}

// claimed reads deliveries with the bodies of their events.
func (s *Store) claimed(ctx context.Context, t *txn, ids []int64) ([]linkspan.WebhookDelivery, error) {
	text, err := jsonText(ids)
	if err != nil {
		return nil, err
	}
	var bodies [][]byte
	list, err := all(ctx, t, func(r scanner) (d linkspan.WebhookDelivery, err error) {
		var sealed []byte
		err = r.Scan(append(deliveryDest(&d), &sealed)...)
		d.Event.ID, d.Event.EnvironmentID = d.EventID, d.EnvironmentID
		bodies = append(bodies, sealed)
		return d, err
	}, "select "+deliveryColumns+", e.body"+deliveryTables+" where d.id in ("+s.dialect.ids("$1")+") order by d.id", text)
	if err != nil {
		return nil, err
	}
	for i := range list {
		e := &list[i].Event
		if e.Body, err = s.openText(ctx, t, e.EnvironmentID, webhookAAD(e.UUID), bodies[i]); err != nil {
			if t.failed != nil || ctx.Err() != nil {
				return nil, err
			}
			s.log.ErrorContext(ctx, "decrypting a stored webhook failed", "event", e.UUID, "error", err)
			e.Body = linkspan.Secret{}
		}
	}
	return list, nil
}

// fences makes the argument for dialect.pairs that names attempts.
func fences(held []linkspan.WebhookDelivery) (string, error) {
	pairs := make([][2]int64, len(held))
	for i := range held {
		pairs[i] = [2]int64{int64(held[i].ID), held[i].Attempt}
	}
	return jsonText(pairs)
}

// RenewDeliveries lets leases last for ttl from now, by the database's clock,
// and returns the ids of those that nobody else has taken over.
func (s *Store) RenewDeliveries(ctx context.Context, tx linkspan.Tx, held []linkspan.WebhookDelivery, ttl time.Duration) ([]linkspan.WebhookDeliveryID, error) {
	text, err := fences(held)
	if err != nil {
		return nil, wrap("RenewDeliveries", err)
	}
	var kept []linkspan.WebhookDeliveryID
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		kept, err = all(ctx, t, value[linkspan.WebhookDeliveryID], "update webhook_deliveries set lease_until = "+s.dialect.now+" + $1 from "+
			s.dialect.pairs("$2")+` where webhook_deliveries.id = u.id and webhook_deliveries.attempt = u.at and webhook_deliveries.lease_until is not null
			returning webhook_deliveries.id`, ttl.Microseconds(), text)
		return err
	})
	return kept, wrap("RenewDeliveries", err)
}

// ReleaseDeliveries gives the leases back of attempts that were not finished:
// the deliveries are as due as they were.
func (s *Store) ReleaseDeliveries(ctx context.Context, tx linkspan.Tx, held []linkspan.WebhookDelivery) error {
	text, err := fences(held)
	if err != nil {
		return wrap("ReleaseDeliveries", err)
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		n, err := t.exec(ctx, "update webhook_deliveries set lease_until = null, holder = '' from "+s.dialect.pairs("$1")+
			" where webhook_deliveries.id = u.id and webhook_deliveries.attempt = u.at and webhook_deliveries.lease_until is not null", text)
		if n > 0 {
			t.changed(linkspan.ChangeWebhooksDue, 0, "")
		}
		return err
	})
	return wrap("ReleaseDeliveries", err)
}

// ReleaseDeliveryClaims gives back those of the deliveries that the holder has
// claimed, as if it had not: they are as due as they were.
func (s *Store) ReleaseDeliveryClaims(ctx context.Context, tx linkspan.Tx, ids []linkspan.WebhookDeliveryID, holder string) error {
	text, err := jsonText(ids)
	if err != nil {
		return wrap("ReleaseDeliveryClaims", err)
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		n, err := t.exec(ctx, "update webhook_deliveries set lease_until = null, holder = '' where id in ("+s.dialect.ids("$1")+
			") and holder = $2 and lease_until is not null", text, holder)
		if n > 0 {
			t.changed(linkspan.ChangeWebhooksDue, 0, "")
		}
		return err
	})
	return wrap("ReleaseDeliveryClaims", err)
}

// FinishDelivery stores what became of an attempt: State, Attempts, LastStatus
// and LastError. A delivery that stays pending is due again in retryIn, by the
// database's clock. It reports whether the attempt was still the newest.
func (s *Store) FinishDelivery(ctx context.Context, tx linkspan.Tx, d linkspan.WebhookDelivery, retryIn time.Duration) (bool, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		next, ended := "null", s.dialect.now
		args := []any{string(d.State), d.Attempts, d.LastStatus, storable(d.LastError), int64(d.ID), d.Attempt}
		if d.State == linkspan.DeliveryPending {
			next, ended = s.dialect.now+" + $7", "null"
			args = append(args, retryIn.Microseconds())
		}
		n, err = t.exec(ctx, `
			update webhook_deliveries set state = $1, attempts = $2, last_status = $3, last_error = $4, holder = '', lease_until = null,
				next_at = `+next+`, ended_at = `+ended+`
			where id = $5 and attempt = $6 and state = 'pending'`, args...)
		return err
	})
	return n > 0, wrap("FinishDelivery", err)
}

// PendingDeliveries counts the deliveries that are due or planned and that nobody
// works on at the moment, up to limit.
func (s *Store) PendingDeliveries(ctx context.Context, tx linkspan.Tx, limit int) (int, error) {
	n, err := one(ctx, s.read(tx), value[int], `select count(*) from (
		select 1 from webhook_deliveries where state = 'pending' and lease_until is null limit $1) as waiting`, limit)
	return n, wrap("PendingDeliveries", err)
}

// PurgeWebhookEvents removes at most limit events, with their deliveries, that
// were created and whose deliveries all ended before the given time. It returns
// how many; call it again while that is limit.
func (s *Store) PurgeWebhookEvents(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, `delete from webhook_events where id in (select e.id from webhook_events e where e.created_at < $1
		and not exists (select 1 from webhook_deliveries d where d.event_id = e.id and (d.ended_at is null or d.ended_at >= $1))
		order by e.created_at limit $2`+s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgeWebhookEvents", err)
}
