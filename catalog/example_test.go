package catalog_test

import (
	"fmt"

	"github.com/linkspan/linkspan/catalog"
)

func Example() {
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	zendesk, err := cat.Provider("zendesk")
	if err != nil {
		fmt.Println(err)
		return
	}
	scope := catalog.NewScope(map[string]any{
		"connectionConfig": map[string]string{"subdomain": "acme"},
	})
	base, err := zendesk.API.BaseURL.ExpandBase(scope)
	fmt.Println(zendesk.DisplayName, zendesk.Auth.Mode, base, err)
	// Output: Zendesk OAUTH2 https://acme.zendesk.com <nil>
}

func ExampleTemplate_Expand() {
	header, err := catalog.ParseTemplate("Basic ${base64(${username}:${password})}")
	if err != nil {
		fmt.Println(err)
		return
	}
	value, ok := header.Expand(catalog.NewScope(map[string]any{"username": "ada", "password": "${not scanned}"}))
	fmt.Println(value, ok)
	// Output: Basic YWRhOiR7bm90IHNjYW5uZWR9 true
}

func ExampleField_Validate() {
	field := catalog.Field{Name: "region", Title: "Region", Required: true, Pattern: catalog.NewPattern("^[a-z]{2}$"), Example: "eu"}
	fmt.Println(field.Validate("eu"))
	fmt.Println(field.Validate("Europe"))
	// Output:
	// <nil>
	// Region must match ^[a-z]{2}$ (for example eu).
}
