package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

// saveOperations inserts operations. One that exists is brought up to date
// unless it has ended: final states stay.
func saveOperations() bulk {
	return bulk{
		table: "operations",
		columns: []column{
			{"id", "text"},
			{"account_id", "bigint"},
			{"environment_id", "bigint"},
			{"type", "text"},
			{"action", "text"},
			{"state", "text"},
			{"message", "text"},
			{"integration_key", "text"},
			{"provider", "text"},
			{"connection_name", "text"},
			{"connection_uuid", "text"},
			{"error", "text"},
			{"request", "text"},
			{"response", "text"},
			{"meta", "text"},
			{"created_at", "bigint"},
			{"started_at", "bigint"},
			{"ended_at", "bigint"},
			{"expires_at", "bigint"},
		},
		tail: `on conflict (id) do update set state = excluded.state, message = excluded.message,
			integration_key = excluded.integration_key, provider = excluded.provider, connection_name = excluded.connection_name,
			connection_uuid = excluded.connection_uuid, error = excluded.error, request = excluded.request, response = excluded.response,
			meta = excluded.meta, started_at = excluded.started_at, ended_at = excluded.ended_at, expires_at = excluded.expires_at
			where operations.ended_at is null and operations.environment_id = excluded.environment_id`,
	}
}

func saveMessages() bulk {
	return bulk{
		table: "messages",
		columns: []column{
			{"operation_id", "text"},
			{"environment_id", "bigint"},
			{"type", "text"},
			{"source", "text"},
			{"level", "text"},
			{"text", "text"},
			{"request", "text"},
			{"response", "text"},
			{"error", "text"},
			{"retry", "text"},
			{"meta", "text"},
			{"created_at", "bigint"},
			{"ended_at", "bigint"},
		},
	}
}

// SaveOperations stores operations and messages in bulk. An operation that
// exists already is brought up to date, unless it has ended. Of several entries
// for one operation the last counts. An operation without an account gets its
// environment's. Text that cannot be stored as it is gets replacement characters.
func (s *Store) SaveOperations(ctx context.Context, tx linkspan.Tx, ops []linkspan.Operation, msgs []linkspan.Message) error {
	if len(ops)+len(msgs) == 0 {
		return nil
	}
	accounts, err := s.accountsOf(ctx, tx, ops)
	if err != nil {
		return wrap("SaveOperations", fmt.Errorf("looking accounts up: %w", err))
	}
	operations, err := operationValues(ops, accounts)
	if err != nil {
		return wrap("SaveOperations", err)
	}
	messages, err := messageValues(msgs)
	if err != nil {
		return wrap("SaveOperations", err)
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := t.insert(ctx, saveOperations(), operations); err != nil {
			return fmt.Errorf("operations: %w", err)
		}
		if err := t.insert(ctx, saveMessages(), messages); err != nil {
			return fmt.Errorf("messages: %w", err)
		}
		return nil
	})
	return wrap("SaveOperations", err)
}

// accountsOf returns whose the environments are of operations that do not say:
// much of what happens to a connection knows its environment only. One query
// serves the batch, deleted environments included.
func (s *Store) accountsOf(ctx context.Context, tx linkspan.Tx, ops []linkspan.Operation) (map[linkspan.EnvironmentID]linkspan.AccountID, error) {
	var envs []linkspan.EnvironmentID
	for i := range ops {
		if ops[i].AccountID == 0 {
			envs = append(envs, ops[i].EnvironmentID)
		}
	}
	if len(envs) == 0 {
		return nil, nil
	}
	slices.Sort(envs)
	text, err := jsonText(slices.Compact(envs))
	if err != nil {
		return nil, err
	}
	accounts := make(map[linkspan.EnvironmentID]linkspan.AccountID)
	_, err = all(ctx, s.read(tx), func(r scanner) (struct{}, error) {
		var (
			env     linkspan.EnvironmentID
			account linkspan.AccountID
		)
		err := r.Scan(&env, &account)
		accounts[env] = account
		return struct{}{}, err
	}, "select id, account_id from environments where id in ("+s.dialect.ids("$1")+")", text)
	return accounts, err
}

func operationValues(ops []linkspan.Operation, accounts map[linkspan.EnvironmentID]linkspan.AccountID) ([]any, error) {
	last := make(map[linkspan.OperationID]int, len(ops))
	for i := range ops {
		last[ops[i].ID] = i
	}
	var e jsonEncoder
	values := make([]any, 0, len(last)*len(saveOperations().columns))
	for i := range ops {
		o := &ops[i]
		if last[o.ID] != i {
			continue
		}
		values = append(values,
			storable(string(o.ID)), int64(cmp.Or(o.AccountID, accounts[o.EnvironmentID])), int64(o.EnvironmentID), storable(string(o.Type)), storable(string(o.Action)),
			storable(string(o.State)), storable(o.Message), storable(o.IntegrationKey), storable(o.Provider), storable(o.ConnectionName),
			storable(o.ConnectionUUID), encode(&e, o.Error), requestJSON(o.Request), responseJSON(o.Response), e.raw(o.Meta),
			micros(o.CreatedAt), micros(o.StartedAt), nullMicros(o.EndedAt), nullMicros(o.ExpiresAt))
	}
	return values, e.err
}

func messageValues(msgs []linkspan.Message) ([]any, error) {
	var e jsonEncoder
	values := make([]any, 0, len(msgs)*len(saveMessages().columns))
	for i := range msgs {
		m := &msgs[i]
		values = append(values,
			storable(string(m.OperationID)), int64(m.EnvironmentID), storable(m.Type), storable(m.Source), storable(m.Level), storable(m.Text),
			requestJSON(m.Request), responseJSON(m.Response), encode(&e, m.Error), encode(&e, m.Retry), e.raw(m.Meta),
			micros(m.CreatedAt), nullMicros(m.EndedAt))
	}
	return values, e.err
}

// jsonEncoder encodes optional parts and keeps the first error.
type jsonEncoder struct{ err error }

func encode[T any](e *jsonEncoder, v *T) any {
	if v == nil {
		return nil
	}
	text, err := jsonText(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	return text
}

// raw passes JSON on that is encoded already. What turns out not to be JSON is
// kept as a string: it must be readable later.
func (e *jsonEncoder) raw(m json.RawMessage) any {
	if len(m) == 0 {
		return nil
	}
	if !json.Valid(m) {
		text := string(m)
		return encode(e, &text)
	}
	return storable(string(m))
}

const operationColumns = `o.id, o.account_id, o.environment_id, o.type, o.action, o.state, o.message, o.integration_key, o.provider,
	o.connection_name, o.connection_uuid, o.error, o.request, o.response, o.meta, o.created_at, o.started_at, o.ended_at, o.expires_at`

func scanOperation(s scanner) (o linkspan.Operation, err error) {
	return o, s.Scan(&o.ID, &o.AccountID, &o.EnvironmentID, &o.Type, &o.Action, &o.State, &o.Message, &o.IntegrationKey, &o.Provider,
		&o.ConnectionName, &o.ConnectionUUID, jsonInto{&o.Error}, jsonInto{&o.Request}, jsonInto{&o.Response}, jsonInto{&o.Meta},
		timeInto{&o.CreatedAt}, timeInto{&o.StartedAt}, timeInto{&o.EndedAt}, timeInto{&o.ExpiresAt})
}

// idsFrom is the lowest id an operation created at t can have. Ids begin with
// the milliseconds of their creation, so bounds on them let the index serve
// bounds on time.
func idsFrom(t time.Time) string {
	const timePrefix = 9
	return string(linkspan.NewOperationID(t))[:timePrefix]
}

// Operations returns the selected operations, newest first.
func (s *Store) Operations(ctx context.Context, tx linkspan.Tx, f linkspan.OperationFilter) ([]linkspan.Operation, error) {
	c := &conditions{}
	c.add("o.environment_id = " + c.arg(int64(f.EnvironmentID)))
	if len(f.Types) > 0 {
		if err := c.in(s.dialect, "o.type", texts(f.Types)); err != nil {
			return nil, wrap("Operations", err)
		}
	}
	if len(f.States) > 0 {
		if err := c.in(s.dialect, "o.state", texts(f.States)); err != nil {
			return nil, wrap("Operations", err)
		}
	}
	if f.IntegrationKey != "" {
		c.add("o.integration_key = " + c.arg(f.IntegrationKey))
	}
	if f.ConnectionName != "" {
		c.add("o.connection_name <> ''") // lets the partial index serve
		c.add("o.connection_name = " + c.arg(f.ConnectionName))
	}
	if !f.From.IsZero() {
		c.add("o.id >= " + c.arg(idsFrom(f.From)))
		c.add("o.created_at >= " + c.arg(micros(f.From)))
	}
	if !f.To.IsZero() {
		c.add("o.id < " + c.arg(idsFrom(f.To.Add(time.Millisecond))))
		c.add("o.created_at < " + c.arg(micros(f.To)))
	}
	if f.Before != "" {
		c.add("o.id < " + c.arg(string(f.Before)))
	}
	ops, err := all(ctx, s.read(tx), scanOperation, "select "+operationColumns+" from operations o where "+c.where()+
		" order by o.id desc limit "+c.arg(f.Limit), c.args...)
	return ops, wrap("Operations", err)
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

// Operation returns an operation of the environment.
func (s *Store) Operation(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.OperationID) (linkspan.Operation, error) {
	o, err := one(ctx, s.read(tx), scanOperation, "select "+operationColumns+" from operations o where o.environment_id = $1 and o.id = $2",
		int64(env), string(id))
	return o, wrap("Operation", err)
}

// Messages returns at most limit messages of an operation of the environment,
// oldest first, after the message with the given id.
func (s *Store) Messages(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, op linkspan.OperationID, afterID int64, limit int) ([]linkspan.Message, error) {
	msgs, err := all(ctx, s.read(tx), func(r scanner) (m linkspan.Message, err error) {
		return m, r.Scan(&m.ID, &m.OperationID, &m.EnvironmentID, &m.Type, &m.Source, &m.Level, &m.Text, jsonInto{&m.Request},
			jsonInto{&m.Response}, jsonInto{&m.Error}, jsonInto{&m.Retry}, jsonInto{&m.Meta}, timeInto{&m.CreatedAt}, timeInto{&m.EndedAt})
	}, `select id, operation_id, environment_id, type, source, level, text, request, response, error, retry, meta, created_at, ended_at
		from messages where operation_id = $1 and environment_id = $2 and id > $3 order by id limit $4`,
		string(op), int64(env), afterID, limit)
	return msgs, wrap("Messages", err)
}

// ExpireOperations ends at most limit operations that should have ended by now
// and returns how many.
func (s *Store) ExpireOperations(ctx context.Context, tx linkspan.Tx, now time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, `update operations set state = $1, ended_at = $2
		where ended_at is null and id in (select id from operations where ended_at is null and expires_at is not null and expires_at <= $2
			order by expires_at limit $3`+s.dialect.skipLocked+")", string(linkspan.StateTimeout), micros(now), limit)
	return n, wrap("ExpireOperations", err)
}

// PurgeOperations removes at most limit operations created before the given
// time, and as many messages of such operations. It returns how many rows it
// removed; call it again while that is limit or more.
func (s *Store) PurgeOperations(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	var total int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		total = 0
		for _, query := range []string{
			"delete from messages where id in (select id from messages where operation_id < $1 order by operation_id limit $2" + s.dialect.skipLocked + ")",
			"delete from operations where id in (select id from operations where id < $1 order by id limit $2" + s.dialect.skipLocked + ")",
		} {
			n, err := t.exec(ctx, query, idsFrom(before), limit)
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	return int(total), wrap("PurgeOperations", err)
}
