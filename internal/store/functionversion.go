package store

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

const selectFunctionVersions = `select id, uuid, function_id, environment_id, number, label, definition, code_hash, source_hash, created_at
	from function_versions where environment_id = $1 and function_id = $2 `

func scanFunctionVersion(s scanner) (v linkspan.FunctionVersion, err error) {
	return v, s.Scan(&v.ID, &v.UUID, &v.FunctionID, &v.EnvironmentID, &v.Number, &v.Label, jsonInto{&v.Definition}, &v.CodeHash, &v.SourceHash,
		timeInto{&v.CreatedAt})
}

// FunctionVersions returns at most limit versions of a function, newest first,
// from behind offset others, and how many there are.
func (s *Store) FunctionVersions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.FunctionID, limit, offset int) ([]linkspan.FunctionVersion, int, error) {
	total, err := one(ctx, s.read(tx), value[int], "select count(*) from function_versions where environment_id = $1 and function_id = $2",
		int64(env), int64(id))
	if err != nil {
		return nil, 0, wrap("FunctionVersions", err)
	}
	list, err := all(ctx, s.read(tx), scanFunctionVersion, selectFunctionVersions+"order by number desc limit $3 offset $4",
		int64(env), int64(id), limit, offset)
	return list, total, wrap("FunctionVersions", err)
}

// FunctionVersion returns a function's version of a number.
func (s *Store) FunctionVersion(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.FunctionID, number int64) (linkspan.FunctionVersion, error) {
	v, err := one(ctx, s.read(tx), scanFunctionVersion, selectFunctionVersions+"and number = $3", int64(env), int64(id), number)
	return v, wrap("FunctionVersion", err)
}

// Texts are stored as a byte that names the form, and the form: DEFLATE
// (RFC 1951), which takes bundles to about a quarter.
const codeDeflate = 1

// codeBatch bounds the bytes of code that one transaction writes, so that others
// get their turn on a database with one writer.
const codeBatch = 4 << 20

// StoreFunctionCode keeps texts by their hash. Those that are there already count
// as stored now, so that PurgeFunctionCode leaves them alone. It runs on its own,
// in several transactions.
func (s *Store) StoreFunctionCode(ctx context.Context, env linkspan.EnvironmentID, texts map[string]string) error {
	hashes := slices.Sorted(maps.Keys(texts)) // one order for all, so that two never wait for each other
	// It takes over a megabyte: one is enough for all texts.
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		return fmt.Errorf("compressing code: %w", err)
	}
	for len(hashes) > 0 {
		var (
			batch []any
			size  int
		)
		for len(hashes) > 0 && size < codeBatch {
			data, err := deflate(w, texts[hashes[0]])
			if err != nil {
				return wrap("StoreFunctionCode", err)
			}
			size += len(data)
			batch = append(batch, hashes[0], data)
			hashes = hashes[1:]
		}
		if err := s.storeCode(ctx, env, batch); err != nil {
			return wrap("StoreFunctionCode", err)
		}
	}
	return nil
}

// storeCode writes pairs of hash and data.
func (s *Store) storeCode(ctx context.Context, env linkspan.EnvironmentID, pairs []any) error {
	return s.write(ctx, nil, func(ctx context.Context, t *txn) error {
		values := make([]any, 0, 2*len(pairs))
		for i := 0; i < len(pairs); i += 2 {
			values = append(values, int64(env), pairs[i], pairs[i+1], micros(t.now))
		}
		return t.insert(ctx, bulk{
			table:   "function_code",
			columns: []column{{"environment_id", "bigint"}, {"hash", "text"}, {"data", "bytea"}, {"created_at", "bigint"}},
			tail:    "on conflict (environment_id, hash) do update set created_at = excluded.created_at",
		}, values)
	})
}

// FunctionCode returns the text of a hash.
func (s *Store) FunctionCode(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, hash string) (string, error) {
	data, err := one(ctx, s.read(tx), value[[]byte], "select data from function_code where environment_id = $1 and hash = $2", int64(env), hash)
	if err != nil {
		return "", wrap("FunctionCode", err)
	}
	text, err := inflate(data)
	return text, wrap("FunctionCode", err)
}

// deflate compresses a text with a writer that may have been used before.
func deflate(w *flate.Writer, text string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte(codeDeflate)
	w.Reset(&b)
	if _, err := io.WriteString(w, text); err != nil {
		return nil, fmt.Errorf("compressing code: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing code: %w", err)
	}
	return b.Bytes(), nil
}

func inflate(data []byte) (string, error) {
	if len(data) == 0 || data[0] != codeDeflate {
		return "", errors.New("code is stored in a form that this version does not know")
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(data[1:])))
	if err != nil {
		return "", fmt.Errorf("decompressing code: %w", err)
	}
	return string(text), nil
}

// TrimFunctionVersions removes the versions of functions except the newest keep
// and the active one, of at most limit functions that have more, and returns of
// how many. It runs on its own, in one transaction for each function.
func (s *Store) TrimFunctionVersions(ctx context.Context, keep, limit int) (int, error) {
	type crowd struct{ function, newest int64 }
	// Not more than one too many: that may be an active one, which stays.
	list, err := all(ctx, s.read(nil), func(r scanner) (c crowd, err error) {
		return c, r.Scan(&c.function, &c.newest)
	}, "select function_id, max(number) from function_versions group by function_id having count(*) > $1 order by function_id limit $2", keep+1, limit)
	if err != nil {
		return 0, wrap("TrimFunctionVersions", err)
	}
	for _, c := range list {
		err := s.write(ctx, nil, func(ctx context.Context, t *txn) error {
			// Held against a rollback to a version that is about to go.
			active, err := one(ctx, t, value[int64], "select version_id from functions where id = $1"+s.dialect.forUpdate, c.function)
			if errors.Is(err, errNoRow) {
				return nil // gone meanwhile, and its versions with it
			}
			if err != nil {
				return err
			}
			_, err = t.exec(ctx, "delete from function_versions where function_id = $1 and number <= $2 and id <> $3", c.function, c.newest-int64(keep), active)
			return err
		})
		if err != nil {
			return 0, wrap("TrimFunctionVersions", err)
		}
	}
	return len(list), nil
}

// PurgeFunctions removes at most limit functions for good, with their versions,
// that were removed before the time. It returns how many.
func (s *Store) PurgeFunctions(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		// The time is asked for twice: what is deployed again meanwhile stays.
		n, err = t.exec(ctx, "delete from functions where deleted_at < $1 and id in (select id from functions where deleted_at < $1 order by id limit $2)",
			micros(before), limit)
		return err
	})
	return int(n), wrap("PurgeFunctions", err)
}

// PurgeFunctionCode removes at most limit texts that no version refers to and
// that were stored before the time. It returns how many it removed.
func (s *Store) PurgeFunctionCode(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		// The time is asked for twice: a text that is stored again meanwhile stays.
		n, err = t.exec(ctx, `delete from function_code where created_at < $1 and (environment_id, hash) in (
			select environment_id, hash from function_code where created_at < $1
			except select environment_id, code_hash from function_versions
			except select environment_id, source_hash from function_versions
			limit $2)`, micros(before), limit)
		return err
	})
	return int(n), wrap("PurgeFunctionCode", err)
}
