package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// maxPrepared bounds how many statements are kept prepared, on each connection.
// Their texts are few, but those of searches differ by what is searched for.
const maxPrepared = 256

// preparer is a pool of SQLite's that prepares each text once: SQLite takes longer
// to read most queries of ours than to run them. A value that stands alone as a
// limit makes it read the statement anew whenever one is bound, since it plans for
// that very value: queries that run often cast theirs. It is safe for concurrent use.
type preparer struct {
	*sql.DB

	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newPreparer(db *sql.DB) *preparer { return &preparer{DB: db, stmts: make(map[string]*sql.Stmt)} }

// QueryContext implements sqlRunner.
func (p *preparer) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return p.DB.QueryContext(ctx, query, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

// stmt returns the statement of a text; nil: there are too many.
func (p *preparer) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.RLock()
	stmt, full := p.stmts[query], len(p.stmts) >= maxPrepared
	p.mu.RUnlock()
	if stmt != nil || full {
		return stmt, nil
	}
	stmt, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.stmts[query]; first != nil {
		return first, stmt.Close() // somebody else was faster
	}
	p.stmts[query] = stmt
	return stmt, nil
}

// close gives the statements up, before the pool is closed.
func (p *preparer) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, stmt := range p.stmts {
		err = errors.Join(err, stmt.Close())
	}
	clear(p.stmts)
	return err
}
