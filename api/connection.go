package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Connection is one end user's authorised account at an integration, as lists
// show it.
type Connection struct {
	ID                int64             `json:"id"`
	ConnectionID      string            `json:"connection_id"`
	ProviderConfigKey string            `json:"provider_config_key"`
	Provider          string            `json:"provider"`
	Errors            []ConnectionError `json:"errors"`
	EndUser           *EndUser          `json:"end_user"`
	Tags              map[string]string `json:"tags"`
	Metadata          map[string]any    `json:"metadata" check:"nullable"`
	Created           Time              `json:"created"`
}

// FullConnection is a connection with its credentials.
type FullConnection struct {
	ID                 int64             `json:"id"`
	ConnectionID       string            `json:"connection_id"`
	ProviderConfigKey  string            `json:"provider_config_key"`
	Provider           string            `json:"provider"`
	Errors             []ConnectionError `json:"errors"`
	EndUser            *EndUser          `json:"end_user"`
	Tags               map[string]string `json:"tags"`
	Metadata           map[string]any    `json:"metadata" check:"nullable"`
	ConnectionConfig   map[string]any    `json:"connection_config"`
	WebhookURLOverride *string           `json:"webhook_url_override"`
	CreatedAt          Time              `json:"created_at"`
	UpdatedAt          Time              `json:"updated_at"`
	LastFetchedAt      *Time             `json:"last_fetched_at"`
	// Credentials are empty when the key may not see them.
	Credentials Credentials `json:"credentials"`
}

// ConnectionError says what is wrong with a connection and where to read more.
type ConnectionError struct {
	// Type is "auth" or "sync".
	Type string `json:"type"`
	// LogID is the operation that failed.
	LogID string `json:"log_id"`
}

// EndUser is the older description of whose account it is; tags replace it.
type EndUser struct {
	ID           string            `json:"id"`
	DisplayName  *string           `json:"display_name"`
	Email        *string           `json:"email"`
	Tags         map[string]string `json:"tags"`
	Organization *Organization     `json:"organization"`
}

// Organization is the end user's company.
type Organization struct {
	ID          string  `json:"id"`
	DisplayName *string `json:"display_name"`
}

// Credentials are a connection's credentials by field name; "type" says which
// fields there are. Printing or logging them yields "[redacted]".
type Credentials map[string]any

// Type returns the kind of the credentials, such as "OAUTH2", or "" for none.
func (c Credentials) Type() string { return c.Text("type") }

// Text returns a field that is text, or "".
func (c Credentials) Text(field string) string {
	s, _ := c[field].(string)
	return s
}

// String implements fmt.Stringer.
func (c Credentials) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (c Credentials) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb reaches the fields.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// Connections is a page of connections, newest first.
type Connections struct {
	Connections []Connection `json:"connections"`
}

// ConnectionsQuery selects connections.
type ConnectionsQuery struct {
	ConnectionID          *string           `query:"connectionId" check:"min=1,max=255" doc:"Keeps only connections of exactly this id."`
	Search                *string           `query:"search" check:"min=1,max=255" doc:"Matches a part of the id, or of the end user's name or e-mail."`
	EndUserID             *string           `query:"endUserId" check:"min=1,max=255"`
	EndUserOrganizationID *string           `query:"endUserOrganizationId" check:"min=1,max=255"`
	IntegrationID         []string          `query:"integrationId" check:"csv,max=100,each.min=1,each.max=255" doc:"Keeps only connections of these integrations."`
	Tags                  map[string]string `query:"tags" check:"max=10" doc:"Tags that must all match."`
	Limit                 *int              `query:"limit" check:"min=1,max=2000"`
	Page                  *int              `query:"page" check:"min=0"`
}

// ConnectionQuery names the integration of a connection and says how to read
// its credentials.
type ConnectionQuery struct {
	ProviderConfigKey        string `query:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
	ForceRefresh             *bool  `query:"force_refresh" doc:"Refreshes the credentials even if they are still valid."`
	RefreshToken             *bool  `query:"refresh_token" doc:"Shows the refresh token too."`
	RefreshGithubAppJwtToken *bool  `query:"refresh_github_app_jwt_token" doc:"Shows the app's own token of GitHub apps."`
}

// ConnectionKeyQuery names the integration of a connection.
type ConnectionKeyQuery struct {
	ProviderConfigKey string `query:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
}

// ConnectionPath names a connection by its public id.
type ConnectionPath struct {
	ConnectionID string `path:"connection_id" check:"required,min=1,max=255,pattern=cid"`
}

// ConnectionMetadata is the body that sets or merges metadata, and the reply.
type ConnectionMetadata struct {
	// ConnectionID is one id or a list of them.
	ConnectionID      OneOrMany      `json:"connection_id" check:"required"`
	ProviderConfigKey string         `json:"provider_config_key" check:"required,min=1,max=255,pattern=pck"`
	Metadata          map[string]any `json:"metadata" check:"required"`
}

// PatchConnection changes the parts of a connection that are given.
type PatchConnection struct {
	EndUser *EndUserInput `json:"end_user,omitempty"`
	// Tags replace the whole set.
	Tags *map[string]string `json:"tags,omitempty"`
	// WebhookURLOverride is cleared by null and by "".
	WebhookURLOverride Optional[string] `json:"webhook_url_override,omitzero" check:"nullable,blank,max=2048,format=url"`
}

// EndUserInput describes whose account a connection is, in the older way.
type EndUserInput struct {
	ID          string            `json:"id" check:"required,min=1,max=255"`
	Email       *string           `json:"email,omitempty" check:"min=5,format=email"`
	DisplayName *string           `json:"display_name,omitempty" check:"max=255"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// OneOrMany is a list of texts that is a plain text on the wire when it has one
// element that came so.
type OneOrMany struct {
	values []string
	raw    any
}

// One returns a single text.
func One(v string) OneOrMany { return OneOrMany{values: []string{v}, raw: v} }

// Many returns a list.
func Many(v ...string) OneOrMany { return OneOrMany{values: v, raw: v} }

// Values returns the texts.
func (o OneOrMany) Values() []string { return o.values }

// Present tells the server's decoder where the value goes.
func (o *OneOrMany) Present(bool) any { return &o.raw }

// OpenAPI describes the type in the OpenAPI document.
func (o OneOrMany) OpenAPI() map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{"anyOf": []any{text, map[string]any{"type": "array", "items": text}}}
}

// MarshalJSON implements json.Marshaler.
func (o OneOrMany) MarshalJSON() ([]byte, error) { return json.Marshal(o.raw) }

// UnmarshalJSON implements json.Unmarshaler.
func (o *OneOrMany) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &o.raw); err != nil {
		return err
	}
	if !o.resolve() {
		return errors.New("neither a text nor a list of texts")
	}
	return nil
}

// resolve fills values from raw.
func (o *OneOrMany) resolve() bool {
	o.values = nil
	if text, ok := o.raw.(string); ok {
		o.values = []string{text}
		return true
	}
	list, ok := o.raw.([]any)
	for _, element := range list {
		text, isText := element.(string)
		if !isText {
			return false
		}
		o.values = append(o.values, text)
	}
	return ok
}

// maxMetadataTargets bounds how many connections one call changes.
const maxMetadataTargets = 1000

// Check refuses ids that no connection can have.
func (m *ConnectionMetadata) Check() []ErrorIssue {
	ids := &m.ConnectionID
	if !ids.resolve() || len(ids.values) == 0 {
		return badConnectionID()
	}
	if len(ids.values) > maxMetadataTargets {
		return []ErrorIssue{{Code: "too_big", Message: fmt.Sprintf("Too big: expected array to have <=%d items", maxMetadataTargets), Path: []any{"connection_id"}}}
	}
	for _, id := range ids.values {
		if !validConnectionID(id) {
			return badConnectionID()
		}
	}
	return nil
}

func badConnectionID() []ErrorIssue {
	return []ErrorIssue{{Code: "invalid_union", Message: "Invalid input", Path: []any{"connection_id"}}}
}

// validConnectionID is the rule that the check tags call cid.
func validConnectionID(id string) bool {
	const others = `,.;:=+~[]|@${}"'\/_ -`
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return id != "" && len(id) <= 255
}

// LegacyKeyQuery names the integration for the older metadata routes.
type LegacyKeyQuery struct {
	ProviderConfigKey *string `query:"provider_config_key" check:"max=255"`
}

// LegacyKeyHeader names the integration for the older metadata routes; it wins
// over the query.
type LegacyKeyHeader struct {
	ProviderConfigKey *string `header:"Provider-Config-Key" check:"max=255"`
}
