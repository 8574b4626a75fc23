package catalog_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/catalog"
)

// TestDocumentation checks that the reference of the format names every key and
// every function, and that its example is a valid provider.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(text)
	if example == nil {
		t.Fatal("the documentation has no example")
	}
	if _, err := catalog.ParseProvider("acme.yaml", "acme", []byte(example[1])); err != nil {
		t.Error(err)
	}
	for key := range yamlKeys(reflect.TypeFor[catalog.Provider](), map[string]bool{}) {
		if !regexp.MustCompile("[`.]" + regexp.QuoteMeta(key) + "[`.]").MatchString(text) {
			t.Errorf("the key %s is not explained", key)
		}
	}
	for _, category := range catalog.Categories() {
		if !strings.Contains(text, category) {
			t.Errorf("the category %s is not listed", category)
		}
	}
	for _, mode := range catalog.AuthModes() {
		if !strings.Contains(text, "`"+string(mode)+"`") {
			t.Errorf("the mode %s is not listed", mode)
		}
	}
}

// yamlKeys collects the keys of all structs that a file can hold.
func yamlKeys(t reflect.Type, keys map[string]bool) map[string]bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return yamlKeys(t.Elem(), keys)
	case reflect.Struct:
		for field := range t.Fields() {
			if key := field.Tag.Get("yaml"); key != "" {
				keys[key] = true
				yamlKeys(field.Type, keys)
			}
		}
	default:
	}
	return keys
}
