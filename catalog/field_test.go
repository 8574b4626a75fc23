package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/catalog"
)

func TestFieldValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		field catalog.Field
		value string
		rule  string
	}{
		{"required", catalog.Field{Required: true}, "", "required"},
		{"required with empty default", catalog.Field{Required: true, Default: new("")}, "", ""},
		{"required of the system", catalog.Field{Required: true, System: true}, "", ""},
		{"optional empty", catalog.Field{Pattern: catalog.NewPattern("^x$")}, "", ""},
		{"pattern", catalog.Field{Pattern: catalog.NewPattern("^[a-z]+$")}, "abc", ""},
		{"pattern refuses", catalog.Field{Pattern: catalog.NewPattern("^[a-z]+$")}, "abc1", "pattern"},
		{"pattern is not anchored", catalog.Field{Pattern: catalog.NewPattern("b")}, "abc", ""},
		{"pattern with look-ahead", catalog.Field{Pattern: catalog.NewPattern("^(?!no)")}, "nothing", "pattern"},
		{"digits are ASCII as in JavaScript", catalog.Field{Pattern: catalog.NewPattern(`^\d$`)}, "٣", "pattern"},
		{"choice", catalog.Field{Choices: []catalog.Choice{{Value: "a"}}}, "a", ""},
		{"choice refuses", catalog.Field{Choices: []catalog.Choice{{Value: "a"}}}, "b", "choices"},
		{"hostname", catalog.Field{Format: "hostname"}, "a-1.example.com", ""},
		{"hostname refuses", catalog.Field{Format: "hostname"}, "https://a", "format"},
		{"uri", catalog.Field{Format: "uri"}, "https://a.example/x", ""},
		{"uri refuses", catalog.Field{Format: "uri"}, "a.example", "format"},
		{"uuid", catalog.Field{Format: "uuid"}, "123e4567-e89b-12d3-a456-426614174000", ""},
		{"uuid refuses", catalog.Field{Format: "uuid"}, "123e4567e89b12d3a456426614174000", "format"},
		{"email", catalog.Field{Format: "email"}, "a@b.example", ""},
		{"email refuses a name", catalog.Field{Format: "email"}, "A <a@b.example>", "format"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.field.Name = "f"
			err := test.field.Validate(test.value)
			problem, _ := errors.AsType[*catalog.FieldError](err)
			switch {
			case test.rule == "" && err != nil:
				t.Errorf("got %v, want none", err)
			case test.rule != "" && (problem == nil || problem.Rule != test.rule):
				t.Errorf("got %v, want the rule %s", err, test.rule)
			case problem != nil && test.value != "" && strings.Contains(problem.Message, test.value) && len(test.value) > 3:
				t.Errorf("%q shows the value", problem.Message)
			}
		})
	}
}

func TestPatternTimesOut(t *testing.T) {
	t.Parallel()
	field := catalog.Field{Name: "f", Pattern: catalog.NewPattern("^(([a-z])+.)+[A-Z]([a-z])+$")}
	err := field.Validate(strings.Repeat("a", 60))
	if _, refused := errors.AsType[*catalog.FieldError](err); err == nil || refused {
		t.Errorf("got %v, want an error about the pattern", err)
	}
}

func TestFieldsVisible(t *testing.T) {
	t.Parallel()
	p, err := open(t).Provider("aws-sigv4")
	if err != nil {
		t.Fatal(err)
	}
	fields := p.Inputs.IntegrationConfig
	visible := func(values map[string]string) []string {
		var names []string
		for _, f := range fields.Ordered() {
			if f.VisibleWhen != nil && fields.Visible(f.Name, values) {
				names = append(names, f.Name)
			}
		}
		return names
	}
	if diff := cmp.Diff([]string{"awsAccessKeyId", "awsSecretAccessKey"}, visible(nil)); diff != "" {
		t.Error("by default:", diff)
	}
	custom := map[string]string{"stsMode": "custom", "stsAuthType": "basic"}
	if diff := cmp.Diff([]string{"stsEndpointUrl", "stsAuthType", "stsAuthUsername", "stsAuthPassword"}, visible(custom)); diff != "" {
		t.Error("custom:", diff)
	}
	hidden := map[string]string{"stsMode": "builtin", "stsAuthType": "basic"}
	if fields.Visible("stsAuthPassword", hidden) {
		t.Error("a field below an invisible one is visible")
	}
	if fields.Visible("nope", nil) {
		t.Error("an unknown field is visible")
	}

	var failed []string
	for _, err := range fields.Validate(custom) {
		if problem, ok := errors.AsType[*catalog.FieldError](err); ok {
			failed = append(failed, problem.Field)
		}
	}
	if diff := cmp.Diff([]string{"service", "stsAuthPassword"}, failed); diff != "" {
		t.Error("Validate:", diff)
	}
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	plain, listed := catalog.Retry{}, catalog.Retry{Status: []string{"403", "5xx", "429-430"}}
	for status, want := range map[int][2]bool{
		200: {false, false}, 400: {false, false}, 401: {true, false}, 403: {false, true}, 429: {true, true},
		430: {false, true}, 431: {false, false}, 500: {true, true}, 599: {true, true},
	} {
		if got := [2]bool{plain.Retryable(status), listed.Retryable(status)}; got != want {
			t.Errorf("Retryable(%d) = %v, want %v", status, got, want)
		}
	}
}

func TestParamFallback(t *testing.T) {
	t.Parallel()
	p, err := open(t).Provider("basecamp")
	if err != nil {
		t.Fatal(err)
	}
	agent := p.API.Headers.Lookup("User-Agent")
	if agent == nil || !agent.Mentions("connectionConfig") {
		t.Fatal("the user-agent header is not found")
	}
	for value, want := range map[string]string{"Mine (me@example.com)": "Mine (me@example.com)", "": "Linkspan (https://github.com/linkspan/linkspan)"} {
		scope := catalog.NewScope(map[string]any{"connectionConfig": map[string]string{"appDetails": value}})
		if got, ok := agent.ExpandText(scope); got != want || !ok {
			t.Errorf("with %q: %q, %v; want %q", value, got, ok, want)
		}
	}
}
