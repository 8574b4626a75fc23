package httpx

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// Info heads the OpenAPI document.
type Info struct {
	Title, Version, Description string
}

// OpenAPI describes the routes as an OpenAPI 3.1 document. The maps of the
// result are encoded by encoding/json in one order, so equal routes give equal
// text. Routes without a Summary are left out: they are not for callers of the
// API.
func OpenAPI(info Info, routes []Route) map[string]any {
	b := specBuilder{schemas: map[string]any{}, names: map[schemaKey]string{}}
	paths := map[string]any{}
	for i := range routes {
		b.addRoute(paths, &routes[i])
	}
	b.schemas["Error"] = errorSchema()
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": info.Title, "version": info.Version, "description": info.Description},
		"paths":   paths,
		"components": map[string]any{
			"schemas":   b.schemas,
			"responses": errorResponses(),
			"securitySchemes": map[string]any{
				"environment_key": bearerScheme("An environment's API key, a UUID of version 4."),
				"account_key":     bearerScheme("An account's API key, a UUID of version 4."),
				"connect_session": bearerScheme("A connect session token."),
				"browser_session": queryScheme("connect_session_token", "A connect session token, in the query."),
				"public_key":      queryScheme("public_key", "An environment's public key, where its settings allow that."),
			},
		},
	}
}

func bearerScheme(description string) map[string]any {
	return map[string]any{"type": "http", "scheme": "bearer", "description": description}
}

func queryScheme(name, description string) map[string]any {
	return map[string]any{"type": "apiKey", "in": "query", "name": name, "description": description}
}

func ref(section, name string) map[string]any {
	return map[string]any{"$ref": "#/components/" + section + "/" + name}
}

func jsonContent(schema any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

// specBuilder gathers the named schemas of a document.
type specBuilder struct {
	schemas map[string]any
	names   map[schemaKey]string
}

// schemaKey tells input and output apart: what a caller may leave out and what
// a reply always holds are different promises.
type schemaKey struct {
	typ   reflect.Type
	input bool
}

func (b *specBuilder) addRoute(paths map[string]any, r *Route) {
	if r.Summary == "" {
		return
	}
	path, methods := r.Pattern, []string{r.Method}
	if r.Raw {
		path += "{path}"
	}
	path = strings.ReplaceAll(path, "...}", "}")
	if r.Method == "" {
		methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	}
	item, ok := paths[path].(map[string]any)
	if !ok {
		item = map[string]any{}
		paths[path] = item
	}
	for _, method := range methods {
		item[strings.ToLower(method)] = b.operation(r, method, path)
	}
}

func (b *specBuilder) operation(r *Route, method, path string) map[string]any {
	op := map[string]any{
		"operationId": operationID(method, path),
		"summary":     r.Summary,
		"responses":   b.responses(r),
	}
	if r.Description != "" {
		op["description"] = r.Description
	}
	if r.Tag != "" {
		op["tags"] = []string{r.Tag}
	}
	if r.Deprecated {
		op["deprecated"] = true
	}
	if params := b.parameters(r, path); len(params) > 0 {
		op["parameters"] = params
	}
	if r.Body != nil {
		schema := b.schema(shapeOf(reflect.TypeOf(r.Body), fromBody), noRules, true)
		op["requestBody"] = map[string]any{"required": true, "content": jsonContent(schema)}
	}
	if security := r.Auth.security(); len(security) > 0 {
		op["security"] = security
	}
	if len(r.Scopes) > 0 {
		op["x-scopes-any-of"] = r.Scopes
	}
	return op
}

func (b *specBuilder) responses(r *Route) map[string]any {
	if r.Raw { // the answer comes from elsewhere, in any shape
		return map[string]any{"default": map[string]any{"description": "The answer that the operation's description tells of.", "content": map[string]any{"*/*": map[string]any{}}}}
	}
	status := r.Status
	if status == 0 {
		status = http.StatusOK
	}
	success := map[string]any{"description": "Success."}
	if r.Reply != nil {
		success["content"] = jsonContent(b.schema(shapeOf(reflect.TypeOf(r.Reply), fromBody), noRules, false))
	}
	if r.Fail != nil { // for people: failures are pages
		page := map[string]any{"description": "A page that says what went wrong.", "content": map[string]any{"text/html": map[string]any{}}}
		return map[string]any{strconv.Itoa(status): success, "default": page}
	}
	all := map[string]any{strconv.Itoa(status): success, "default": ref("responses", "Error")}
	for status, reply := range r.Also {
		all[strconv.Itoa(status)] = map[string]any{
			"description": http.StatusText(status) + ".",
			"content":     jsonContent(b.schema(shapeOf(reflect.TypeOf(reply), fromBody), noRules, false)),
		}
	}
	for _, e := range expectedErrors() {
		if e.on(r) {
			all[strconv.Itoa(e.status)] = ref("responses", e.name)
		}
	}
	return all
}

// expectedError is a refusal that callers of some routes should expect.
type expectedError struct {
	status            int
	name, description string
	on                func(*Route) bool
}

func expectedErrors() []expectedError {
	authenticated := func(r *Route) bool { return r.Auth != AuthNone }
	return []expectedError{
		{
			http.StatusBadRequest, "BadRequest", "The query, the path, a header or the body is not as described; errors lists what is wrong.",
			func(r *Route) bool { return authenticated(r) || r.Query != nil || r.Body != nil },
		},
		{http.StatusUnauthorized, "Unauthorized", "The key is missing, malformed or unknown.", authenticated},
		{http.StatusForbidden, "Forbidden", "The key may not do this: it is of the other kind or lacks a scope.", authenticated},
		{http.StatusNotFound, "NotFound", "What the path names does not exist.", func(r *Route) bool { return r.Path != nil }},
		{
			http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The body is not JSON.",
			func(r *Route) bool { return r.Body != nil && !r.AnyContentType },
		},
		{http.StatusTooManyRequests, "TooManyRequests", "The account's calls of this minute are used up; Retry-After says when there are more.", authenticated},
	}
}

func errorResponses() map[string]any {
	response := func(description string) map[string]any {
		return map[string]any{"description": description, "content": jsonContent(ref("schemas", "Error"))}
	}
	all := map[string]any{"Error": response("The request failed. The code is stable; the message is for people.")}
	for _, e := range expectedErrors() {
		all[e.name] = response(e.description)
	}
	return all
}

func (k AuthKind) security() []any {
	var names []string
	switch k {
	case AuthNone:
	case AuthEnvironment:
		names = []string{"environment_key"}
	case AuthAccount:
		names = []string{"account_key"}
	case AuthEnvironmentOrSession:
		names = []string{"environment_key", "connect_session"}
	case AuthEnvironmentOrAccount:
		names = []string{"environment_key", "account_key"}
	case AuthSession:
		names = []string{"connect_session"}
	case AuthBrowser:
		names = []string{"browser_session", "public_key"}
	}
	var security []any
	for _, name := range names {
		security = append(security, map[string]any{name: []string{}})
	}
	return security
}

// operationID turns GET /connections/{id} into getConnectionsId.
func operationID(method, path string) string {
	words := strings.FieldsFunc(path, func(c rune) bool { return strings.ContainsRune("/{}-_.", c) })
	for i, word := range words {
		words[i] = upperFirst(word)
	}
	return strings.ToLower(method) + strings.Join(words, "")
}

func upperFirst(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

func (b *specBuilder) parameters(r *Route, path string) []any {
	params := b.pathParameters(r, path)
	for _, in := range []struct {
		zero  any
		where string
		from  source
	}{{r.Query, "query", fromQuery}, {r.Header, "header", fromHeader}} {
		if in.zero == nil {
			continue
		}
		s := shapeOf(reflect.TypeOf(in.zero), in.from)
		for i := range s.fields {
			params = append(params, b.parameter(&s.fields[i], in.where))
		}
	}
	return params
}

func (b *specBuilder) pathParameters(r *Route, path string) []any {
	var typed *shape
	if r.Path != nil {
		typed = shapeOf(reflect.TypeOf(r.Path), fromPath)
	}
	var params []any
	for segment := range strings.SplitSeq(path, "/") {
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		param := map[string]any{"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"}}
		if typed != nil {
			if i, ok := typed.byName[name]; ok {
				param = b.parameter(&typed.fields[i], "path")
				param["required"] = true
			}
		}
		params = append(params, param)
	}
	return params
}

func (b *specBuilder) parameter(f *field, where string) map[string]any {
	param := map[string]any{"name": f.name, "in": where, "schema": b.schema(f.shape, f.rules, true)}
	if f.rules.required {
		param["required"] = true
	}
	if f.doc != "" {
		param["description"] = f.doc
	}
	switch base := f.shape.base(); {
	case where != "query":
	case base.kind == listShape && f.rules.csv:
		param["style"], param["explode"] = "form", false
	case base.kind == mapShape, base.kind == structShape:
		param["style"], param["explode"] = "deepObject", true
	}
	return param
}

// base is the shape behind pointers and present values.
func (s *shape) base() *shape {
	for s.kind == pointerShape || s.kind == presentShape {
		s = s.elem
	}
	return s
}

func errorSchema() map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{
		"type":     "object",
		"required": []string{"error"},
		"properties": map[string]any{"error": map[string]any{
			"type":     "object",
			"required": []string{"code"},
			"properties": map[string]any{
				"code":    text,
				"message": text,
				"errors": map[string]any{"type": "array", "items": map[string]any{
					"type":     "object",
					"required": []string{"code", "message", "path"},
					"properties": map[string]any{
						"code":    text,
						"message": text,
						"path":    map[string]any{"type": "array", "items": map[string]any{"type": []string{"string", "integer"}}},
					},
				}},
				"payload":               map[string]any{},
				"additional_properties": map[string]any{"type": "object"},
			},
		}},
	}
}
