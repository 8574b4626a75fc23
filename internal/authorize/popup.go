package authorize

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
)

const (
	// pollPopups is how often the results of all waiting pages are looked for, in
	// one query, should nothing have announced them. It is a safety net: the feed
	// names every result, or says that it has lost some.
	pollPopups = 5 * time.Second
	// retryPopup is when a result is fetched again that could not be.
	retryPopup = time.Second
)

// waiting knows which pages wait here for results. One of the waiting, whoever
// has the turn, looks for the results of all: nobody asks the database on their
// own, and there is no goroutine when nobody waits.
type waiting struct {
	mu    sync.Mutex
	pages map[string]map[chan struct{}]struct{}
	// lost asks for a look at once.
	lost chan struct{}
	// turn holds a value as long as somebody has it. looked is when the last look
	// was and belongs to whoever has the turn.
	turn   chan struct{}
	looked time.Time
}

// follow wakes those whose result the feed announces. Results for pages that do
// not wait here cost one look into a map.
func (w *waiting) follow(f *change.Feed) {
	w.pages = make(map[string]map[chan struct{}]struct{})
	w.lost, w.turn = make(chan struct{}, 1), make(chan struct{}, 1)
	f.Subscribe(func(c linkspan.Change) {
		switch c.Kind {
		case linkspan.ChangePopupResult:
			w.wake(c.Key)
		case linkspan.ChangeLost:
			signal(w.lost)
		default:
		}
	})
}

// join registers a waiting page until leave is called.
func (w *waiting) join(popupID string) (woken <-chan struct{}, leave func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pages[popupID] == nil {
		w.pages[popupID] = make(map[chan struct{}]struct{}, 1)
	}
	w.pages[popupID][ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.pages[popupID], ch)
		if len(w.pages[popupID]) == 0 {
			delete(w.pages, popupID)
		}
	}
}

func (w *waiting) wake(popupID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.pages[popupID] {
		signal(ch)
	}
}

// ids are the pages that wait.
func (w *waiting) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.pages))
}

// signal never blocks: a value that waits already says the same.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Wait blocks until there is a result for a page, wherever it was written, and
// returns the message to send it. The result is gone then. It ends with an error
// when ctx does; a database that can't be asked only makes it wait.
func (s *Service) Wait(ctx context.Context, popupID string) (message string, err error) {
	woken, leave := s.waiting.join(popupID)
	defer leave()
	failing := false
	for {
		p, err := s.store.TakePopupResult(ctx, nil, popupID)
		if err == nil {
			return p.Message, nil
		}
		var retry <-chan time.Time
		if ctx.Err() == nil && linkspan.KindOf(err) != linkspan.KindNotFound {
			retry = time.After(retryPopup)
			if !failing {
				failing = true
				s.log.WarnContext(ctx, "looking for the result of an authorization failed; it is tried again", "error", err)
			}
		}
		if err := s.await(ctx, woken, retry); err != nil {
			return "", fmt.Errorf("waiting for the result of an authorization: %w", err)
		}
	}
}

// await returns when there may be a result for a page that waits. Meanwhile it
// looks for those of all pages, if nobody else does.
func (s *Service) await(ctx context.Context, woken <-chan struct{}, retry <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-woken:
		return nil
	case <-retry:
		return nil
	case s.waiting.turn <- struct{}{}:
	}
	defer func() { <-s.waiting.turn }()
	for ctx.Err() == nil {
		next := time.NewTimer(time.Until(s.waiting.looked.Add(pollPopups)))
		select {
		case <-ctx.Done():
		case <-woken:
		case <-retry:
		case <-s.waiting.lost:
			s.look(ctx)
			next.Stop()
			continue
		case <-next.C:
			s.look(ctx)
			continue
		}
		next.Stop()
		break
	}
	return context.Cause(ctx)
}

// look wakes the pages whose results are there. Whoever calls it has the turn.
func (s *Service) look(ctx context.Context) {
	ready, err := s.store.PopupResultsFor(ctx, nil, s.waiting.ids())
	if ctx.Err() != nil {
		signal(s.waiting.lost) // the next one looks instead
		return
	}
	s.waiting.looked = time.Now()
	if err != nil {
		s.log.WarnContext(ctx, "looking for the results of authorizations failed; it is tried again", "error", err)
		return
	}
	for _, id := range ready {
		s.waiting.wake(id)
	}
}

// popupOf returns the id of a page if it has the shape that we gave it, or "".
func popupOf(id string) string {
	if !linkspan.IsUUIDv4(id) {
		return ""
	}
	return strings.ToLower(id)
}

// tellPopup tells a waiting page why there is no connection. It is best effort:
// the page in the popup shows the same.
func (s *Service) tellPopup(ctx context.Context, popupID, integrationKey, name string, f failure) {
	if popupID == "" {
		return
	}
	p := linkspan.PopupResult{PopupID: popupID, Message: connect.PopupError(integrationKey, name, f.code, f.text())}
	if err := s.store.InsertPopupResult(ctx, nil, p); err != nil {
		s.log.WarnContext(ctx, "telling a waiting page of a failed authorization failed", "error", err)
	}
}

// PurgeFlows deletes authorizations in progress that expired two days ago or
// longer, at most limit of them, and returns how many.
func (s *Service) PurgeFlows(ctx context.Context, limit int) (int, error) {
	n, err := s.store.PurgeOAuthSessions(ctx, nil, s.now().Add(-keepFlows), limit)
	if err != nil {
		return n, fmt.Errorf("purging old authorizations in progress: %w", err)
	}
	return n, nil
}

// PurgePopupResults deletes results that no page has fetched for a day, at most
// limit of them, and returns how many.
func (s *Service) PurgePopupResults(ctx context.Context, limit int) (int, error) {
	n, err := s.store.PurgePopupResults(ctx, nil, s.now().Add(-keepPopupResults), limit)
	if err != nil {
		return n, fmt.Errorf("purging old results of authorizations: %w", err)
	}
	return n, nil
}
