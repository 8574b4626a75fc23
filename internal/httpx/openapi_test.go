package httpx_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/httpx"
)

type listOf[T any] struct {
	Data []T `json:"data"`
}

type thing struct {
	ID     int            `json:"id"`
	Name   *string        `json:"name"`
	Note   string         `json:"note,omitempty"`
	Parent *thing         `json:"parent"`
	Meta   map[string]any `json:"meta" check:"nullable" doc:"Anything."`
}

// oneOrMany describes itself.
type oneOrMany struct{ raw any }

func (o *oneOrMany) Present(bool) any { return &o.raw }

func (o oneOrMany) OpenAPI() map[string]any {
	return map[string]any{"type": []string{"string", "array"}}
}

type newThing struct {
	IDs  oneOrMany         `json:"ids"`
	Name string            `json:"name" check:"required,min=1,max=255,pattern=pck" doc:"Its name."`
	URL  string            `json:"url" check:"blank,format=url"`
	Tags map[string]string `json:"tags" check:"max=10,keys.max=64,each.min=1"`
	Hook optional          `json:"hook" check:"nullable"`
	Cred *credentials      `json:"cred"`
	N    int               `json:"n" check:"default=5"`
}

type thingQuery struct {
	Limit int               `query:"limit" check:"min=1,max=100,default=20" doc:"How many."`
	IDs   []string          `query:"ids" check:"csv"`
	Tags  map[string]string `query:"tags"`
}

func things() []httpx.Route {
	return []httpx.Route{
		{
			Method: "GET", Pattern: "/things", Auth: httpx.AuthEnvironmentOrSession, Scopes: []string{"a", "b"},
			Summary: "List things", Tag: "Things", Query: thingQuery{}, Reply: listOf[thing]{},
		},
		{Method: "POST", Pattern: "/things", Auth: httpx.AuthAccount, Summary: "Make a thing", Body: newThing{}, Reply: thing{}, Status: 201},
		{Method: "DELETE", Pattern: "/things/{thing_id}", Summary: "Delete", Deprecated: true, Status: 204, Path: struct {
			ID int `path:"thing_id" check:"min=1"`
		}{}},
		{Raw: true, Pattern: "/proxy/", Auth: httpx.AuthEnvironment, Summary: "Proxy"},
		{Method: "GET", Pattern: "/internal"},
	}
}

// at walks to a place in a document.
func at(t *testing.T, doc any, steps ...string) any {
	t.Helper()
	for _, step := range steps {
		object, ok := doc.(map[string]any)
		if !ok || object[step] == nil {
			t.Fatalf("no %q on the way %q", step, steps)
		}
		doc = object[step]
	}
	return doc
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(httpx.OpenAPI(httpx.Info{Title: "T", Version: "1"}, things()))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(httpx.OpenAPI(httpx.Info{Title: "T", Version: "1"}, things()))
	if err != nil || string(again) != string(text) {
		t.Errorf("two documents of the same routes differ: %v", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		where []string
		want  string
	}{
		{[]string{"paths", "/things", "get"}, `{
			"operationId": "getThings", "summary": "List things", "tags": ["Things"],
			"security": [{"environment_key": []}, {"connect_session": []}], "x-scopes-any-of": ["a", "b"],
			"parameters": [
				{"name": "limit", "in": "query", "description": "How many.", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
				{"name": "ids", "in": "query", "style": "form", "explode": false, "schema": {"type": "array", "items": {"type": "string"}}},
				{"name": "tags", "in": "query", "style": "deepObject", "explode": true, "schema": {"type": "object", "additionalProperties": {"type": "string"}}}
			],
			"responses": {
				"200": {"description": "Success.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/listOfThing"}}}},
				"400": {"$ref": "#/components/responses/BadRequest"},
				"401": {"$ref": "#/components/responses/Unauthorized"},
				"403": {"$ref": "#/components/responses/Forbidden"},
				"429": {"$ref": "#/components/responses/TooManyRequests"},
				"default": {"$ref": "#/components/responses/Error"}
			}}`},
		{[]string{"paths", "/things/{thing_id}", "delete"}, `{
			"operationId": "deleteThingsThingId", "summary": "Delete", "deprecated": true,
			"parameters": [{"name": "thing_id", "in": "path", "required": true, "schema": {"type": "integer", "minimum": 1}}],
			"responses": {"204": {"description": "Success."}, "404": {"$ref": "#/components/responses/NotFound"}, "default": {"$ref": "#/components/responses/Error"}}}`},
		{[]string{"components", "schemas", "listOfThing"}, `{
			"type": "object", "required": ["data"],
			"properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/thing"}}}}`},
		{[]string{"components", "schemas", "thing"}, `{
			"type": "object", "required": ["id", "name", "parent", "meta"],
			"properties": {
				"id": {"type": "integer"}, "name": {"type": ["string", "null"]}, "note": {"type": "string"},
				"parent": {"anyOf": [{"$ref": "#/components/schemas/thing"}, {"type": "null"}]},
				"meta": {"type": ["object", "null"], "additionalProperties": {}, "description": "Anything."}}}`},
		{[]string{"components", "schemas", "newThing"}, `{
			"type": "object", "required": ["name"], "additionalProperties": false,
			"properties": {
				"ids": {"type": ["string", "array"]},
				"name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9~:.@ _-]+$", "description": "Its name."},
				"url": {"anyOf": [{"type": "string", "format": "uri"}, {"const": ""}]},
				"tags": {"type": "object", "maxProperties": 10, "additionalProperties": {"type": "string", "minLength": 1}, "propertyNames": {"type": "string", "maxLength": 64}},
				"hook": {"type": ["string", "null"]},
				"cred": {"oneOf": [{"$ref": "#/components/schemas/apiKey"}, {"$ref": "#/components/schemas/basic"}], "discriminator": {"propertyName": "type",
					"mapping": {"API_KEY": "#/components/schemas/apiKey", "BASIC": "#/components/schemas/basic"}}},
				"n": {"type": "integer", "default": 5}}}`},
	}
	for _, tt := range tests {
		var want any
		if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, at(t, doc, tt.where...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.where, diff)
		}
	}
	if paths, _ := at(t, doc, "paths").(map[string]any); len(paths) != 3 || len(at(t, doc, "paths", "/proxy/{path}").(map[string]any)) != 5 {
		t.Errorf("paths = %v", paths)
	}
}
