package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) connectionRoutes() []httpx.Route {
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/connections", Auth: httpx.AuthEnvironment, Tag: tagConnections,
			Scopes:  []string{linkspan.ScopeConnectionsList, linkspan.ScopeConnectionsListCreds},
			Summary: "List connections", Description: "Newest first, without credentials. Ask for further pages until one is empty.",
			Query: api.ConnectionsQuery{}, Reply: api.Connections{}, Handler: s.listConnections,
		},
		{
			Method: http.MethodPost, Pattern: "/connections", Auth: httpx.AuthEnvironment, Tag: tagConnections,
			Scopes:  []string{linkspan.ScopeConnectionsCreate},
			Summary: "Import a connection", Status: http.StatusCreated,
			Description: "Stores credentials obtained elsewhere. A connection of the same id at the same integration gets them instead of its own. " +
				"Keys and passwords are tried out first where the provider has a way to; when they fail, nothing is stored.",
			Body: api.ImportConnection{}, Reply: api.FullConnection{}, Handler: s.importConnection,
		},
		{
			Method: http.MethodGet, Pattern: "/connections/{connection_id}", Auth: httpx.AuthEnvironment, Tag: tagConnections,
			Scopes:  []string{linkspan.ScopeConnectionsRead, linkspan.ScopeConnectionsReadCreds},
			Summary: "Get a connection with its credentials",
			Description: "Credentials that expire soon are refreshed first. They are empty for keys without the scope " +
				linkspan.ScopeConnectionsReadCreds + ".",
			Path: api.ConnectionPath{}, Query: api.ConnectionQuery{}, Reply: api.FullConnection{}, Handler: s.getConnection,
		},
		{
			Method: http.MethodPatch, Pattern: "/connections/{connection_id}", Auth: httpx.AuthEnvironment, Tag: tagConnections,
			Scopes:  []string{linkspan.ScopeConnectionsUpdate},
			Summary: "Change a connection", Description: "Changes the fields that are given; tags are replaced as a whole.",
			Path: api.ConnectionPath{}, Query: api.ConnectionKeyQuery{}, Body: api.PatchConnection{}, Reply: api.Success{}, Handler: s.patchConnection,
		},
		{
			Method: http.MethodDelete, Pattern: "/connections/{connection_id}", Auth: httpx.AuthEnvironment, Tag: tagConnections,
			Scopes:  []string{linkspan.ScopeConnectionsDelete},
			Summary: "Delete a connection", Description: "It stops working at once; its data is erased after 31 days.",
			Path: api.ConnectionPath{}, Query: api.ConnectionKeyQuery{}, Reply: api.Success{}, Handler: s.deleteConnection,
		},
		{
			Method: http.MethodPost, Pattern: "/connections/metadata", Auth: httpx.AuthEnvironment, Tag: tagConnections,
			Scopes:  []string{linkspan.ScopeConnectionsUpdate},
			Summary: "Replace the metadata of connections", Status: http.StatusCreated,
			Description: "When one of several connections does not exist, none is changed. The reply repeats the request.",
			Body:        api.ConnectionMetadata{}, Reply: api.ConnectionMetadata{}, Handler: s.setMetadata,
		},
		{
			Method: http.MethodPatch, Pattern: "/connections/metadata", Auth: httpx.AuthEnvironment, Tag: tagConnections,
			Scopes:  []string{linkspan.ScopeConnectionsUpdate},
			Summary: "Merge metadata into that of connections",
			Description: "Keys that are given replace those of the same name, others stay. When one of several connections does not exist, none " +
				"is changed. The reply repeats the request.",
			Body: api.ConnectionMetadata{}, Reply: api.ConnectionMetadata{}, Handler: s.mergeMetadata,
		},
	}
}

// legacyConnectionRoutes are the older paths of the same resources.
func (s *Server) legacyConnectionRoutes() []httpx.Route {
	routes := []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/connection", Scopes: []string{linkspan.ScopeConnectionsList, linkspan.ScopeConnectionsListCreds},
			Summary: "List connections (older path)", Query: api.ConnectionsQuery{}, Reply: api.Connections{}, Handler: s.listConnections,
		},
		{
			Method: http.MethodPost, Pattern: "/connection", Scopes: []string{linkspan.ScopeConnectionsCreate},
			Summary: "Import a connection (older form)", Status: http.StatusCreated,
			Description: "Credentials are given flat in the body. The reply repeats it.",
			Body:        map[string]any{}, Reply: map[string]any{}, Handler: s.legacyImport,
		},
		{
			Method: http.MethodGet, Pattern: "/connection/{connection_id}", Scopes: []string{linkspan.ScopeConnectionsRead, linkspan.ScopeConnectionsReadCreds},
			Summary: "Get a connection with its credentials (older path)", Path: api.ConnectionPath{}, Query: api.ConnectionQuery{},
			Reply: api.FullConnection{}, Handler: s.getConnection,
		},
		{
			Method: http.MethodDelete, Pattern: "/connection/{connection_id}", Scopes: []string{linkspan.ScopeConnectionsDelete},
			Summary: "Delete a connection (older path)", Path: api.ConnectionPath{}, Query: api.ConnectionKeyQuery{},
			Reply: api.Success{}, Handler: s.deleteConnection,
		},
		{
			Method: http.MethodPost, Pattern: "/connection/metadata", Scopes: []string{linkspan.ScopeConnectionsUpdate},
			Summary: "Replace the metadata of connections (older path)", Status: http.StatusCreated,
			Body: api.ConnectionMetadata{}, Reply: api.ConnectionMetadata{}, Handler: s.setMetadata,
		},
		{
			Method: http.MethodPatch, Pattern: "/connection/metadata", Scopes: []string{linkspan.ScopeConnectionsUpdate},
			Summary: "Merge metadata into that of connections (older path)",
			Body:    api.ConnectionMetadata{}, Reply: api.ConnectionMetadata{}, Handler: s.mergeMetadata,
		},
		{
			Method: http.MethodPost, Pattern: "/connection/{connection_id}/metadata", Scopes: []string{linkspan.ScopeConnectionsUpdate},
			Summary: "Replace a connection's metadata (older form)", Status: http.StatusCreated,
			Path: api.ConnectionPath{}, Query: api.LegacyKeyQuery{}, Header: api.LegacyKeyHeader{},
			Body: map[string]any{}, Reply: map[string]any{}, Handler: s.legacySetMetadata,
		},
		{
			Method: http.MethodPatch, Pattern: "/connection/{connection_id}/metadata", Scopes: []string{linkspan.ScopeConnectionsUpdate},
			Summary: "Merge metadata into a connection's (older form)",
			Path:    api.ConnectionPath{}, Query: api.LegacyKeyQuery{}, Header: api.LegacyKeyHeader{},
			Body: map[string]any{}, Reply: map[string]any{}, Handler: s.legacyMergeMetadata,
		},
	}
	for i := range routes {
		routes[i].Auth, routes[i].Tag, routes[i].Deprecated = httpx.AuthEnvironment, tagConnections, true
	}
	return routes
}
