package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

// micros is how times are stored.
func micros(t time.Time) int64 { return t.UnixMicro() }

// nullMicros is micros, and null for the zero time.
func nullMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// timeInto scans a stored time; null is the zero time.
type timeInto struct{ t *time.Time }

// Scan implements sql.Scanner.
func (d timeInto) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d.t = time.Time{}
	case int64:
		*d.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", src)
	}
	return nil
}

// jsonText is how values are stored as JSON. It must only be given values that
// encode.
func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding %T: %w", v, err)
	}
	return string(b), nil
}

// jsonInto scans stored JSON; null leaves the destination alone.
type jsonInto struct{ v any }

// Scan implements sql.Scanner.
func (d jsonInto) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), d.v)
	case []byte:
		return json.Unmarshal(v, d.v)
	default:
		return fmt.Errorf("JSON is stored as %T", src)
	}
}

// decodeObject decodes a JSON object and keeps its numbers as they were
// written (json.Number), so that big ids survive.
func decodeObject(b []byte) (map[string]any, error) {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("decoding a stored object: %w", err)
	}
	return m, nil
}

// hashInto scans the 32 bytes of a hash.
type hashInto struct{ h *[32]byte }

// Scan implements sql.Scanner.
func (d hashInto) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(d.h) {
		return fmt.Errorf("a hash is stored as %T of length %d", src, len(b))
	}
	copy(d.h[:], b)
	return nil
}

// conditions collects the parts of a where clause and their arguments.
type conditions struct {
	parts []string
	args  []any
}

// arg adds an argument and returns its placeholder.
func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *conditions) add(cond string) { c.parts = append(c.parts, cond) }

func (c *conditions) where() string { return strings.Join(c.parts, " and ") }

// in makes "column in (…)" for a list of strings.
func (c *conditions) in(d dialect, column string, list []string) error {
	text, err := jsonText(list)
	if err != nil {
		return err
	}
	c.add(column + " in (" + d.list(c.arg(text)) + ")")
	return nil
}

// pairsJSON makes the argument of dialect.pairs.
func pairsJSON[ID ~int64](m map[ID]time.Time) string {
	var b strings.Builder
	b.WriteByte('[')
	for id, at := range m {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "[%d,%d]", id, micros(at))
	}
	b.WriteByte(']')
	return b.String()
}

// sealText seals a secret; nothing is stored for an empty one.
func (s *Store) sealText(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, aad vault.AAD, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	return s.vault.Seal(ctx, tx, env, aad, []byte(text))
}

// openText is the inverse of sealText.
func (s *Store) openText(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, aad vault.AAD, sealed []byte) (linkspan.Secret, error) {
	if len(sealed) == 0 {
		return linkspan.Secret{}, nil
	}
	b, err := s.vault.Open(ctx, tx, env, aad, sealed)
	return linkspan.NewSecret(string(b)), err
}

// insertNumbered inserts rows and returns the numbers that the database gave those
// that it stored, by their UUIDs.
func insertNumbered[ID ~int64](ctx context.Context, s *Store, t *txn, b bulk, values []any, uuids []string) (map[string]ID, error) {
	if len(uuids) == 0 {
		return nil, nil //nolint:nilnil // nothing was inserted
	}
	if err := checkText(values); err != nil {
		return nil, err
	}
	var (
		query string
		args  []any
	)
	if s.pg != nil {
		// Not looked for afterwards: a plan from when the table was small would read
		// all of it.
		query, args = b.unnest(values)
		query += " returning id, uuid"
	} else {
		if err := t.insert(ctx, b, values); err != nil {
			return nil, err
		}
		text, err := jsonText(uuids)
		if err != nil {
			return nil, err
		}
		query, args = "select id, uuid from "+b.table+" where uuid in ("+s.dialect.list("$1")+")", []any{text}
	}
	ids := make(map[string]ID, len(uuids))
	_, err := all(ctx, t, func(row scanner) (struct{}, error) {
		var (
			id   ID
			uuid string
		)
		err := row.Scan(&id, &uuid)
		ids[uuid] = id
		return struct{}{}, err
	}, query, args...)
	return ids, err
}
