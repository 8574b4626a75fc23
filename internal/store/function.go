package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan"
)

// selectFunctions reads functions with their active version; i is the
// integration. What belongs to a deleted one does not exist.
const selectFunctions = `select f.id, f.uuid, f.environment_id, f.integration_id, i.key, i.provider, f.kind, f.name, f.enabled, f.source,
	f.created_at, f.updated_at, v.id, v.uuid, v.number, v.label, v.definition, v.code_hash, v.source_hash, v.created_at
	from functions f join integrations i on i.id = f.integration_id and i.environment_id = f.environment_id
	join function_versions v on v.id = f.version_id and v.function_id = f.id
	where f.environment_id = $1 and i.deleted_at is null `

func scanFunction(s scanner) (f linkspan.Function, err error) {
	v := &f.Version
	err = s.Scan(&f.ID, &f.UUID, &f.EnvironmentID, &f.IntegrationID, &f.IntegrationKey, &f.Provider, &f.Kind, &f.Name, &f.Enabled, &f.Source,
		timeInto{&f.CreatedAt}, timeInto{&f.UpdatedAt}, &v.ID, &v.UUID, &v.Number, &v.Label, jsonInto{&v.Definition}, &v.CodeHash, &v.SourceHash,
		timeInto{&v.CreatedAt})
	v.FunctionID, v.EnvironmentID = f.ID, f.EnvironmentID
	return f, err
}

func functionBulk() bulk {
	return bulk{table: "functions", columns: []column{
		{"uuid", "text"},
		{"environment_id", "bigint"},
		{"integration_id", "bigint"},
		{"kind", "text"},
		{"name", "text"},
		{"enabled", "boolean"},
		{"source", "text"},
		{"version_id", "bigint"},
		{"created_at", "bigint"},
		{"updated_at", "bigint"},
	}}
}

func functionVersionBulk() bulk {
	return bulk{table: "function_versions", columns: []column{
		{"uuid", "text"},
		{"environment_id", "bigint"},
		{"function_id", "bigint"},
		{"number", "bigint"},
		{"label", "text"},
		{"definition", "text"},
		{"code_hash", "text"},
		{"source_hash", "text"},
		{"created_at", "bigint"},
	}}
}

// FunctionIntegrations returns the environment's integrations by ID, Key and
// Provider alone, oldest first. In a transaction they are not deleted or renamed
// until it ends, and get no new connections: those would not get what is deployed.
func (s *Store) FunctionIntegrations(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Integration, error) {
	list, err := all(ctx, s.read(tx), func(r scanner) (i linkspan.Integration, err error) {
		i.EnvironmentID = env
		return i, r.Scan(&i.ID, &i.Key, &i.Provider)
	}, "select id, key, provider from integrations where environment_id = $1 and deleted_at is null order by id"+locked(tx, s.dialect.forNoKeyUpdate), int64(env))
	return list, wrap("FunctionIntegrations", err)
}

// locked is a lock of rows in a transaction, and nothing outside of one, where it
// would hold for no time.
func locked(tx linkspan.Tx, lock string) string {
	if tx == nil {
		return ""
	}
	return lock
}

// FunctionConnections counts an environment's connections by integration.
func (s *Store) FunctionConnections(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (map[linkspan.IntegrationID]int, error) {
	counts := make(map[linkspan.IntegrationID]int)
	_, err := all(ctx, s.read(tx), func(r scanner) (struct{}, error) {
		var (
			id linkspan.IntegrationID
			n  int
		)
		err := r.Scan(&id, &n)
		counts[id] = n
		return struct{}{}, err
	}, "select integration_id, count(*) from connections where environment_id = $1 and deleted_at is null group by integration_id", int64(env))
	return counts, wrap("FunctionConnections", err)
}

// Functions returns an environment's functions, oldest first. In a transaction
// nobody changes them until it ends.
func (s *Store) Functions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Function, error) {
	return s.functions(ctx, tx, "Functions", "and f.deleted_at is null order by f.id"+s.lockFunctions(tx), int64(env))
}

// RemovedFunctions returns the environment's functions that were removed, oldest
// first, locked like those of Functions.
func (s *Store) RemovedFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Function, error) {
	return s.functions(ctx, tx, "RemovedFunctions", "and f.deleted_at is not null order by f.id"+s.lockFunctions(tx), int64(env))
}

// FunctionsNamed returns the integration's functions with a name, of all kinds,
// locked like those of Functions.
func (s *Store) FunctionsNamed(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) ([]linkspan.Function, error) {
	return s.functions(ctx, tx, "FunctionsNamed", "and i.key = $2 and f.name = $3 and f.deleted_at is null order by f.id"+s.lockFunctions(tx),
		int64(env), integrationKey, name)
}

// FunctionsOfKind returns the integration's functions of one kind, by name.
func (s *Store) FunctionsOfKind(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey string, kind linkspan.FunctionKind) ([]linkspan.Function, error) {
	return s.functions(ctx, tx, "FunctionsOfKind", "and i.key = $2 and f.kind = $3 and f.deleted_at is null order by f.name",
		int64(env), integrationKey, string(kind))
}

func (s *Store) lockFunctions(tx linkspan.Tx) string {
	return locked(tx, s.dialect.of(s.dialect.forNoKeyUpdate, "f"))
}

func (s *Store) functions(ctx context.Context, tx linkspan.Tx, op, rest string, args ...any) ([]linkspan.Function, error) {
	list, err := all(ctx, s.read(tx), scanFunction, selectFunctions+rest, args...)
	return list, wrap(op, err)
}

// FunctionPage returns at most limit functions of an integration, by name, from
// behind offset others, and how many there are. An empty kind is any; search is
// a part of the name, ignoring case.
func (s *Store) FunctionPage(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, kind linkspan.FunctionKind, search string, limit, offset int) ([]linkspan.Function, int, error) {
	c := &conditions{}
	c.arg(int64(env)) // $1 of selectFunctions
	c.add("f.integration_id = " + c.arg(int64(integration)))
	c.add("f.deleted_at is null")
	if kind != "" {
		c.add("f.kind = " + c.arg(string(kind)))
	}
	if search != "" {
		c.add("lower(f.name) like " + c.arg("%"+escapeLike(strings.ToLower(search))+"%") + ` escape '\'`)
	}
	total, err := one(ctx, s.read(tx), value[int], "select count(*) from functions f where f.environment_id = $1 and "+c.where(), c.args...)
	if err != nil {
		return nil, 0, wrap("FunctionPage", err)
	}
	rest := "and " + c.where() + " order by f.name, f.kind limit " + c.arg(limit) + " offset " + c.arg(offset)
	list, err := s.functions(ctx, tx, "FunctionPage", rest, c.args...)
	return list, total, err
}

// LastFunctionVersions returns the newest version of each of the environment's
// functions, removed ones included: ID, FunctionID, Number and Label alone.
func (s *Store) LastFunctionVersions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.FunctionVersion, error) {
	list, err := all(ctx, s.read(tx), func(r scanner) (v linkspan.FunctionVersion, err error) {
		v.EnvironmentID = env
		return v, r.Scan(&v.ID, &v.FunctionID, &v.Number, &v.Label)
	}, `select v.id, v.function_id, v.number, v.label from function_versions v
		join (select function_id, max(number) as number from function_versions where environment_id = $1 group by function_id) as last
			on last.function_id = v.function_id and last.number = v.number
		where v.environment_id = $1 order by v.function_id`, int64(env))
	return list, wrap("LastFunctionVersions", err)
}

// SaveFunctions inserts those functions that have no ID and those versions that
// have none, makes the versions the active ones, takes over the sources, and
// brings back functions that were removed. Their enabled is written when they are
// inserted only. Ids and times are set.
func (s *Store) SaveFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, list []linkspan.Function) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if len(list) == 0 {
			return nil
		}
		if err := s.insertFunctions(ctx, t, env, list); err != nil {
			return fmt.Errorf("inserting functions: %w", err)
		}
		if err := s.insertFunctionVersions(ctx, t, env, list); err != nil {
			return fmt.Errorf("inserting versions of functions: %w", err)
		}
		bySource := make(map[linkspan.FunctionSource][][2]int64)
		for i := range list {
			f := &list[i]
			f.UpdatedAt = t.now
			bySource[f.Source] = append(bySource[f.Source], [2]int64{int64(f.ID), int64(f.Version.ID)})
		}
		for source, active := range bySource {
			text, err := jsonText(active)
			if err != nil {
				return err
			}
			// The sum keeps SQLite from going through all functions of the environment
			// for each of these.
			n, err := t.exec(ctx, "update functions set version_id = u.at, source = $2, updated_at = $3, deleted_at = null from "+s.dialect.pairs("$1")+`
				where functions.id = u.id and functions.environment_id + 0 = $4`, text, string(source), micros(t.now), int64(env))
			if err != nil {
				return fmt.Errorf("activating versions: %w", err)
			}
			if n != int64(len(active)) {
				return errNoRow
			}
		}
		t.changed(linkspan.ChangeFunctions, env, "")
		return nil
	})
	return wrap("SaveFunctions", err)
}

func (s *Store) insertFunctions(ctx context.Context, t *txn, env linkspan.EnvironmentID, list []linkspan.Function) error {
	var (
		values []any
		fresh  []string
	)
	for i := range list {
		f := &list[i]
		if f.ID != 0 {
			continue
		}
		f.EnvironmentID, f.CreatedAt = env, t.now
		fresh = append(fresh, f.UUID)
		values = append(values, f.UUID, int64(env), int64(f.IntegrationID), string(f.Kind), f.Name, f.Enabled, string(f.Source), int64(0),
			micros(t.now), micros(t.now))
	}
	ids, err := insertNumbered[linkspan.FunctionID](ctx, s, t, functionBulk(), values, fresh)
	if err != nil {
		return err
	}
	for i := range list {
		if f := &list[i]; f.ID == 0 {
			f.ID = ids[f.UUID]
		}
	}
	return nil
}

func (s *Store) insertFunctionVersions(ctx context.Context, t *txn, env linkspan.EnvironmentID, list []linkspan.Function) error {
	var (
		values []any
		fresh  []string
	)
	for i := range list {
		v := &list[i].Version
		if v.ID != 0 {
			continue
		}
		definition, err := jsonText(v.Definition)
		if err != nil {
			return err
		}
		v.EnvironmentID, v.FunctionID, v.CreatedAt = env, list[i].ID, t.now
		fresh = append(fresh, v.UUID)
		values = append(values, v.UUID, int64(env), int64(v.FunctionID), v.Number, v.Label, definition, v.CodeHash, v.SourceHash, micros(t.now))
	}
	ids, err := insertNumbered[linkspan.FunctionVersionID](ctx, s, t, functionVersionBulk(), values, fresh)
	if err != nil {
		return err
	}
	for i := range list {
		if v := &list[i].Version; v.ID == 0 {
			v.ID = ids[v.UUID]
		}
	}
	return nil
}

// RemoveFunctions removes functions. Their rows and versions stay.
func (s *Store) RemoveFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.FunctionID) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if len(ids) == 0 {
			return nil
		}
		text, err := jsonText(ids)
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, "update functions set deleted_at = $2, updated_at = $2 where environment_id = $3 and deleted_at is null and id in ("+
			s.dialect.ids("$1")+")", text, micros(t.now), int64(env))
		if err == nil && n != int64(len(ids)) {
			err = errNoRow
		}
		t.changed(linkspan.ChangeFunctions, env, "")
		return err
	})
	return wrap("RemoveFunctions", err)
}

// SetFunctionEnabled switches a function on or off.
func (s *Store) SetFunctionEnabled(ctx context.Context, tx linkspan.Tx, f *linkspan.Function, enabled bool) error {
	err := s.updateFunction(ctx, tx, f, "enabled", enabled)
	if err == nil {
		f.Enabled = enabled
	}
	return wrap("SetFunctionEnabled", err)
}

// SetFunctionVersion makes one of a function's versions the active one.
func (s *Store) SetFunctionVersion(ctx context.Context, tx linkspan.Tx, f *linkspan.Function, v *linkspan.FunctionVersion) error {
	if v.FunctionID != f.ID || v.EnvironmentID != f.EnvironmentID {
		return wrap("SetFunctionVersion", errNoRow)
	}
	err := s.updateFunction(ctx, tx, f, "version_id", int64(v.ID))
	if err == nil {
		f.Version = *v
	}
	return wrap("SetFunctionVersion", err)
}

func (s *Store) updateFunction(ctx context.Context, tx linkspan.Tx, f *linkspan.Function, column string, v any) error {
	return s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		f.UpdatedAt = t.now
		t.changed(linkspan.ChangeFunctions, f.EnvironmentID, "")
		return affected(t.exec(ctx, "update functions set "+column+" = $1, updated_at = $2 where id = $3 and environment_id = $4 and deleted_at is null",
			v, micros(t.now), int64(f.ID), int64(f.EnvironmentID)))
	})
}
