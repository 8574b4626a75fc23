package store

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
)

// InsertPopupResult stores what a waiting page is to be told, and tells the
// replica that holds it. The first result stands: later ones are ignored.
func (s *Store) InsertPopupResult(ctx context.Context, tx linkspan.Tx, p linkspan.PopupResult) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		n, err := t.exec(ctx, "insert into popup_results (popup_id, message, created_at) values ($1, $2, $3) on conflict (popup_id) do nothing",
			p.PopupID, storable(p.Message), micros(t.now))
		if err == nil && n > 0 {
			t.changed(linkspan.ChangePopupResult, 0, p.PopupID)
		}
		return err
	})
	return wrap("InsertPopupResult", err)
}

// TakePopupResult returns what a waiting page is to be told, and removes it. As
// long as there is nothing it only reads.
func (s *Store) TakePopupResult(ctx context.Context, tx linkspan.Tx, popupID string) (linkspan.PopupResult, error) {
	const op = "TakePopupResult"
	scan := func(sc scanner) (p linkspan.PopupResult, err error) {
		return p, sc.Scan(&p.PopupID, &p.Message, timeInto{&p.CreatedAt})
	}
	if _, err := one(ctx, s.read(tx), value[int64], "select 1 from popup_results where popup_id = $1", popupID); err != nil {
		return linkspan.PopupResult{}, wrap(op, err)
	}
	var p linkspan.PopupResult
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		p, err = one(ctx, t, scan, "delete from popup_results where popup_id = $1 returning popup_id, message, created_at", popupID)
		return err
	})
	return p, wrap(op, err)
}

// PopupResultsFor returns those of the ids of waiting pages for which there are
// results. It only reads.
func (s *Store) PopupResultsFor(ctx context.Context, tx linkspan.Tx, popupIDs []string) ([]string, error) {
	if len(popupIDs) == 0 {
		return nil, nil
	}
	c := &conditions{}
	if err := c.in(s.dialect, "popup_id", popupIDs); err != nil {
		return nil, wrap("PopupResultsFor", err)
	}
	found, err := all(ctx, s.read(tx), value[string], "select popup_id from popup_results where "+c.where(), c.args...)
	return found, wrap("PopupResultsFor", err)
}

// PurgePopupResults removes at most limit results from before the given time,
// which nobody fetched, and returns how many it removed.
func (s *Store) PurgePopupResults(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, "delete from popup_results where popup_id in (select popup_id from popup_results where created_at < $1 order by created_at limit $2"+
		s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgePopupResults", err)
}
