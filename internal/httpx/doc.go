// Package httpx is the HTTP layer without a domain: a router whose handlers
// return errors, strict decoding of bodies, queries and path values by struct
// tags, the public error envelope, and an OpenAPI document made from the same
// route table and the same tags.
//
// Input types describe themselves with tags:
//
//	type CreateIntegration struct {
//		UniqueKey string            `json:"unique_key" check:"required,min=1,max=255,pattern=pck"`
//		Tags      map[string]string `json:"tags" check:"max=10,keys.max=64,each.min=1,each.max=255"`
//		Override  *string           `json:"webhook_url_override" check:"nullable,blank,format=url"`
//	}
//
// Fields are optional unless they say required. The rules are
//
//	required       the key must be present
//	nullable       null is accepted
//	blank          the empty string is accepted whatever the other rules say
//	min=N, max=N   length of strings (UTF-16 units, as JavaScript counts) and
//	               lists, number of entries of maps, value of numbers
//	pattern=NAME   one of the named patterns of the wire contract, see patterns.go
//	format=NAME    email, url, uuid or datetime
//	enum=a|b       one of the values
//	default=V      value when absent (queries)
//	csv            a comma-separated string is a list (queries)
//	loose          unknown keys of this struct are ignored; for a top-level
//	               struct write the rule on a blank field (_ struct{})
//	each.RULE      the rule holds for every element of a list or map
//	keys.RULE      the rule holds for every key of a map
//
// A doc tag says in words what a field is, for the OpenAPI document.
//
// Names come from the json tag, or from the query, header or path tag where
// that is what is decoded. Untyped values (any) hold numbers as json.Number, so
// that large integers keep their digits. Optional interfaces of input types:
//
//	Check() []linkspan.Issue
//	      more rules, called when the struct itself is sound; paths are
//	      relative to the struct
//	Present(null bool) any
//	      on a pointer: tells absent, null and set apart. It is called when the
//	      key is present and returns a pointer to decode the value into, which
//	      is left alone for null
//	Discriminator() (key string, variants map[string]any) and SetVariant(any)
//	      on a pointer: the value is one of several structs, chosen by the
//	      string at key. variants holds a zero value of each; SetVariant gets a
//	      pointer to the decoded one
//	OpenAPI() map[string]any
//	      the schema of a type that marshals itself, for the OpenAPI document
package httpx
