package server

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

// defaultDeliveries is the size of a page that the caller does not choose.
const defaultDeliveries = 20

func (s *Server) listDeliveries(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.WebhookDeliveriesQuery](r)
	if err != nil {
		return err
	}
	limit := defaultDeliveries
	if q.Limit != nil {
		limit = *q.Limit
	}
	f := linkspan.DeliveryFilter{
		EnvironmentID:  environmentOf(r).ID,
		Type:           deref(q.Type),
		IntegrationKey: deref(q.IntegrationID),
		ConnectionName: deref(q.ConnectionID),
		Limit:          limit + 1, // one more tells whether there is a next page
	}
	for _, state := range q.State {
		f.States = append(f.States, linkspan.DeliveryState(state))
	}
	if q.Cursor != nil {
		before, err := strconv.ParseInt(*q.Cursor, 10, 64)
		if err != nil || before == 0 {
			return httpx.Invalid("invalid_query_params", "custom", "The cursor is none that this server gave", "cursor")
		}
		f.Before = linkspan.WebhookDeliveryID(before)
	}
	found, err := s.cfg.Webhooks.Deliveries(r.Context(), f)
	if err != nil {
		return err
	}
	page := api.WebhookDeliveries{Data: make([]api.WebhookDelivery, 0, len(found))}
	for i := range found {
		if i == limit {
			page.NextCursor = new(strconv.FormatInt(int64(found[i-1].ID), 10))
			break
		}
		page.Data = append(page.Data, delivery(&found[i]))
	}
	return httpx.WriteJSON(w, http.StatusOK, page)
}

func (s *Server) replayDelivery(w http.ResponseWriter, r *http.Request) error {
	path, err := httpx.DecodePath[api.WebhookDeliveryPath](r)
	if err != nil {
		return err
	}
	if err := noInput(r); err != nil {
		return err
	}
	again, err := s.cfg.Webhooks.Replay(r.Context(), environmentOf(r).ID, path.DeliveryID)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return linkspan.E("server.replayDelivery", linkspan.KindNotFound, "not_found", err, "There is no delivery %s in this environment.", path.DeliveryID)
	}
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusAccepted, api.Data[api.WebhookDelivery]{Data: delivery(&again)})
}

func delivery(d *linkspan.WebhookDelivery) api.WebhookDelivery {
	shown := api.WebhookDelivery{
		ID:            d.UUID,
		EventID:       d.Event.UUID,
		Type:          d.Event.Type,
		Operation:     d.Event.Operation,
		URL:           shownURL(d.URL),
		State:         string(d.State),
		Attempts:      d.Attempts,
		LastError:     pointer(d.LastError),
		IntegrationID: pointer(d.Event.IntegrationKey),
		ConnectionID:  pointer(d.Event.ConnectionName),
		CreatedAt:     api.At(d.CreatedAt),
		EndedAt:       api.MaybeAt(d.EndedAt),
		LogID:         pointer(string(d.Operation)),
	}
	if d.State == linkspan.DeliveryPending {
		shown.NextAttemptAt = api.MaybeAt(d.NextAt)
	}
	if d.LastStatus != 0 {
		shown.LastStatus = &d.LastStatus
	}
	return shown
}

// shownURL is a URL without what receivers put into it to know who calls.
func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return masked
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = masked
	}
	return u.String()
}
