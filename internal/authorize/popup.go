package authorize

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
)

// pollPopup is how often a waiting page's result is looked for when nothing
// announced it.
const pollPopup = time.Second

// waiting knows which pages wait here for results.
type waiting struct {
	mu    sync.Mutex
	pages map[string]map[chan struct{}]struct{}
}

// follow wakes those whose result the feed announces. Results for pages that do
// not wait here cost one look into a map.
func (w *waiting) follow(f *change.Feed) {
	w.pages = make(map[string]map[chan struct{}]struct{})
	f.Subscribe(func(c linkspan.Change) {
		switch c.Kind {
		case linkspan.ChangePopupResult:
			w.wake(c.Key)
		case linkspan.ChangeLost:
			w.wakeAll()
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

func (w *waiting) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, page := range w.pages {
		for ch := range page {
			signal(ch)
		}
	}
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
	tick := time.NewTicker(pollPopup)
	defer tick.Stop()
	failing := false
	for {
		p, err := s.store.TakePopupResult(ctx, nil, popupID)
		if err == nil {
			return p.Message, nil
		}
		if ctx.Err() == nil && linkspan.KindOf(err) != linkspan.KindNotFound && !failing {
			failing = true
			s.log.WarnContext(ctx, "looking for the result of an authorization failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for the result of an authorization: %w", context.Cause(ctx))
		case <-woken:
		case <-tick.C:
		}
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
