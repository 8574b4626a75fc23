package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/linkspan/linkspan/api"
)

// pageSize is how many items the iterators ask for at a time.
const pageSize = 100

// Connections returns a page of connections, newest first, without their
// credentials.
func (c *Client) Connections(ctx context.Context, q api.ConnectionsQuery) ([]api.Connection, error) {
	reply, err := bare[api.Connections](ctx, c, call{method: http.MethodGet, path: "/connections", query: encodeQuery(q)})
	return reply.Connections, err
}

// AllConnections walks over all connections that q selects, page by page; a
// limit in q is the size of a page. The walk ends with the first error.
func (c *Client) AllConnections(ctx context.Context, q api.ConnectionsQuery) iter.Seq2[api.Connection, error] {
	size := pageSize
	if q.Limit != nil {
		size = *q.Limit
	}
	return func(yield func(api.Connection, error) bool) {
		page := 0
		if q.Page != nil {
			page = *q.Page
		}
		for q := q; ; page++ { // a copy, since the walk may be taken again
			q.Limit, q.Page = &size, &page
			list, err := c.Connections(ctx, q)
			if err != nil {
				yield(api.Connection{}, err)
				return
			}
			for _, conn := range list {
				if !yield(conn, nil) {
					return
				}
			}
			if len(list) < size {
				return
			}
		}
	}
}

// Connection returns a connection with its credentials, refreshed if they were
// due. Codes: unknown_provider_config, not_found, invalid_credentials.
func (c *Client) Connection(ctx context.Context, id string, q api.ConnectionQuery) (api.FullConnection, error) {
	return bare[api.FullConnection](ctx, c, call{method: http.MethodGet, path: join("connections", id), query: encodeQuery(q)})
}

// ImportConnection stores credentials obtained elsewhere, replacing those of a
// connection of the same id. Codes: not_found, invalid_body,
// connection_test_failed, unsupported_provider.
func (c *Client) ImportConnection(ctx context.Context, in api.ImportConnection) (api.FullConnection, error) {
	return bare[api.FullConnection](ctx, c, call{method: http.MethodPost, path: "/connections", body: in})
}

// PatchConnection changes the fields of in that are set. Codes:
// unknown_provider_config, not_found.
func (c *Client) PatchConnection(ctx context.Context, providerConfigKey, id string, in api.PatchConnection) error {
	return c.do(ctx, call{
		method: http.MethodPatch, path: join("connections", id), query: keyQuery(providerConfigKey), body: in,
	}, nil)
}

// DeleteConnection removes a connection. Codes: unknown_provider_config,
// unknown_connection.
func (c *Client) DeleteConnection(ctx context.Context, providerConfigKey, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: join("connections", id), query: keyQuery(providerConfigKey)}, nil)
}

// SetMetadata replaces the metadata of one connection or several. When one of
// them does not exist, none is changed. Code: unknown_connection.
func (c *Client) SetMetadata(ctx context.Context, in api.ConnectionMetadata) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/connections/metadata", body: in}, nil)
}

// MergeMetadata lays metadata over that of one connection or several, key by
// key. When one of them does not exist, none is changed. Code:
// unknown_connection.
func (c *Client) MergeMetadata(ctx context.Context, in api.ConnectionMetadata) error {
	return c.do(ctx, call{method: http.MethodPatch, path: "/connections/metadata", body: in}, nil)
}

func keyQuery(providerConfigKey string) map[string][]string {
	return encodeQuery(api.ConnectionKeyQuery{ProviderConfigKey: providerConfigKey})
}
