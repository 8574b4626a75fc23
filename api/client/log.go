package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// Operations returns a page of the environment's operations, newest first. It
// needs the scope environment:logs:read.
func (c *Client) Operations(ctx context.Context, q api.OperationsQuery) (api.Operations, error) {
	return bare[api.Operations](ctx, c, call{method: http.MethodGet, path: "/logs/operations", query: encodeQuery(q)})
}

// AllOperations walks over all operations that q selects, newest first, page by
// page. The walk ends with the first error.
func (c *Client) AllOperations(ctx context.Context, q api.OperationsQuery) iter.Seq2[api.Operation, error] {
	return func(yield func(api.Operation, error) bool) {
		for q := q; ; { // a copy, since the walk may be taken again
			page, err := c.Operations(ctx, q)
			if err != nil {
				yield(api.Operation{}, err)
				return
			}
			for _, op := range page.Data {
				if !yield(op, nil) {
					return
				}
			}
			if page.NextCursor == nil {
				return
			}
			q.Before = page.NextCursor
		}
	}
}

// Operation returns an operation with a page of its messages, oldest first.
// Code: not_found.
func (c *Client) Operation(ctx context.Context, id string, q api.OperationQuery) (api.OperationReply, error) {
	return bare[api.OperationReply](ctx, c, call{method: http.MethodGet, path: join("logs", "operations", id), query: encodeQuery(q)})
}
