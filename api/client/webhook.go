package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// WebhookDeliveries returns a page of the environment's webhook deliveries,
// newest first. It needs the scope environment:webhooks:read.
func (c *Client) WebhookDeliveries(ctx context.Context, q api.WebhookDeliveriesQuery) (api.WebhookDeliveries, error) {
	return bare[api.WebhookDeliveries](ctx, c, call{method: http.MethodGet, path: "/webhooks/deliveries", query: encodeQuery(q)})
}

// AllWebhookDeliveries walks over all deliveries that q selects, newest first,
// page by page. The walk ends with the first error.
func (c *Client) AllWebhookDeliveries(ctx context.Context, q api.WebhookDeliveriesQuery) iter.Seq2[api.WebhookDelivery, error] {
	return func(yield func(api.WebhookDelivery, error) bool) {
		for q := q; ; { // a copy, since the walk may be taken again
			page, err := c.WebhookDeliveries(ctx, q)
			if err != nil {
				yield(api.WebhookDelivery{}, err)
				return
			}
			for _, d := range page.Data {
				if !yield(d, nil) {
					return
				}
			}
			if page.NextCursor == nil {
				return
			}
			q.Cursor = page.NextCursor
		}
	}
}

// ReplayWebhookDelivery sends a webhook again, to the same URL and with the same
// message id. It returns the delivery that will do it, and needs the scope
// environment:webhooks:replay. Code: not_found.
func (c *Client) ReplayWebhookDelivery(ctx context.Context, id string) (api.WebhookDelivery, error) {
	return data[api.WebhookDelivery](ctx, c, call{method: http.MethodPost, path: join("webhooks", "deliveries", id, "replay")})
}
