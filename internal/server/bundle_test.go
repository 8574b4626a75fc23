package server_test

import (
	"fmt"
	"strings"
	"testing"
)

// unified writes a function made by createFunction as the published tool sends it,
// with members in place of its own, such as `"trigger":{"kind":"http"}`.
func unified(name string, members ...string) string {
	own := []string{
		`"description":"Says hello"`, `"trigger":{"kind":"none"}`, `"requires":{"connection":true,"outbound":true,"invoke":false}`,
		`"capabilities":{"usesRecords":false,"usesCheckpoints":false,"usesMetadata":false,"usesOutbound":true,"usesInvoke":false}`, `"limits":{}`,
		`"input_schema_ref":null`, `"output_schema_ref":"#/definitions/Out"`, `"model_schema_refs":[]`, `"metadata_schema_ref":null`,
		`"checkpoint_schema_ref":null`, `"json_schema":{"definitions":{"Out":{"type":"string"},"Item":{"type":"object"}}}`,
		`"fileBody":{"js":"exports.default={type:'function',exec(){}}","ts":"export default 1"}`, `"integrationId":"seeded"`,
	}
	for _, m := range members {
		key, _, _ := strings.Cut(m, ":")
		found := false
		for i := range own {
			if strings.HasPrefix(own[i], key+":") {
				own[i], found = m, true
			}
		}
		if !found {
			own = append(own, m)
		}
	}
	return `{"name":"` + name + `",` + strings.Join(own, ",") + `}`
}

const (
	bundlePath = "/functions/deployments/bundle"
	records    = `"capabilities":{"usesRecords":true,"usesCheckpoints":false,"usesMetadata":false,"usesOutbound":true,"usesInvoke":false}`
)

func bundleBody(scope string, functions ...string) string {
	return `{"reconciliationScope":` + scope + `,"functions":[` + strings.Join(functions, ",") + `]}`
}

// TestUnifiedFunctions deploys functions made by createFunction beside others.
func TestUnifiedFunctions(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-basic","unique_key":"other"}`)
	r.deployAll(devKey)
	const environment, seeded = `{"kind":"environment"}`, `{"kind":"integration","integrationId":"seeded"}`
	all := []string{
		unified("plain"),
		unified("hooked", `"trigger":{"kind":"http","subscriptions":["issue"]}`, `"limits":{"concurrency":{"perConnection":1}}`),
		unified("timed", `"trigger":{"kind":"schedule","frequency":"10m"}`, `"model_schema_refs":["#/definitions/Item"]`, records, `"output_schema_ref":null`),
		unified("told", `"trigger":{"kind":"event","events":["pre-connection-deletion","validate-connection"]}`),
	}
	there := unified("there", `"integrationId":"other"`)
	created := `{"created":[{"integrationId":"other","name":"there"},{"integrationId":"seeded","name":"hooked"},{"integrationId":"seeded","name":"plain"},
		{"integrationId":"seeded","name":"told"},{"integrationId":"seeded","name":"timed"}],"updated":[],"unchanged":[],"deleted":[]}`
	r.same(r.call(devKey, "POST", bundlePath+"/preview", bundleBody(environment, append(all, there)...)), 200, created)
	r.same(r.call(devKey, "POST", bundlePath, bundleBody(environment, append(all, there)...)), 200, created)

	var found []string
	list, err := r.functions.All(t.Context(), r.dev.ID)
	check(t, err)
	for _, f := range list {
		if u := f.Version.Definition.Unified; u != nil {
			d := f.Version.Definition
			found = append(found, fmt.Sprint(f.IntegrationKey, " ", f.Kind, " ", f.Name, " ", u.Trigger, " ", u.Events, d.WebhookSubscriptions, d.Models, " ", d.Frequency, " ", d.AutoStart, " ", u.PerConnection, " ", f.Source))
		}
	}
	want := []string{
		"seeded action plain none [] [] [Out]  false 0 repo",
		"seeded action hooked http [] [issue] [Out]  false 1 repo",
		"seeded sync timed schedule [] [] [Item] 10m true 0 repo",
		"seeded on-event told event [pre-connection-deletion validate-connection] [] []  false 0 repo",
		"other action there none [] [] [Out]  false 0 repo",
	}
	if strings.Join(found, "\n") != strings.Join(want, "\n") {
		t.Errorf("deployed:\n%s", strings.Join(found, "\n"))
	}
	one := r.must(devKey, "GET", "/integrations/seeded/functions/told", "").(map[string]any)["data"].(map[string]any)
	if one["type"] != "on-event" || one["trigger"] != "event" || fmt.Sprint(one["events"]) != "[pre-connection-deletion validate-connection]" {
		t.Errorf("shown as %v", one)
	}

	// What is not named goes, if it came this way and is in the scope.
	r.same(r.call(devKey, "POST", bundlePath, bundleBody(seeded, all[0], all[1], unified("told", `"trigger":{"kind":"event","events":["validate-connection"]}`))), 200,
		`{"created":[],"updated":[{"integrationId":"seeded","name":"told"}],"unchanged":[{"integrationId":"seeded","name":"hooked"},{"integrationId":"seeded","name":"plain"}],
		"deleted":[{"integrationId":"seeded","name":"timed"}]}`)
	// The other way of deploying leaves these alone,
	r.same(r.call(devKey, "POST", "/sync/deploy/confirmation", deployBody("", "[]", "all", confirmTail)), 200, confirmed(
		"deletedSyncs", `{"name":"fetchIssues","providerConfigKey":"seeded","connections":1,"auto_start":true}`,
		"deletedActions", `{"name":"createIssue","providerConfigKey":"seeded"}`,
		"deletedOnEventScripts", `{"providerConfigKey":"seeded","name":"hello","event":"pre-connection-deletion"}`, "deletedModels", `"GithubIssue"`))
	// unless it names some: then it is about both.
	mixed := strings.Replace(deployBody(actionFlow, "[]", "all", deployTail), `"flowConfigs":`, `"functions":[`+all[0]+`],"flowConfigs":`, 1)
	r.same(r.call(devKey, "POST", "/sync/deploy", mixed), 200,
		`[{"name":"createIssue","version":"1","models":["ActionOutput_seeded_createIssue"],"providerConfigKey":"seeded","type":"action"},
		{"name":"plain","version":"1","models":["Out"],"providerConfigKey":"seeded","type":"action"}]`)
	list, err = r.functions.All(t.Context(), r.dev.ID)
	check(t, err)
	if len(list) != 2 {
		t.Errorf("%d functions are left", len(list))
	}
	// A bundle of nothing is a folder of nothing.
	r.same(r.call(devKey, "POST", bundlePath, bundleBody(environment)), 200,
		`{"created":[],"updated":[],"unchanged":[],"deleted":[{"integrationId":"seeded","name":"createIssue"},{"integrationId":"seeded","name":"plain"}]}`)
}

// TestUnifiedFunctionsRefused sends what can't be.
func TestUnifiedFunctionsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	before := r.dump(r.dev)
	const environment = `{"kind":"environment"}`
	flags := func(change string) string {
		name, value, _ := strings.Cut(change, "=")
		text := `"capabilities":{"usesRecords":false,"usesCheckpoints":false,"usesMetadata":false,"usesOutbound":true,"usesInvoke":false}`
		return strings.NewReplacer(`"`+name+`":true`, `"`+name+`":`+value, `"`+name+`":false`, `"`+name+`":`+value).Replace(text)
	}
	for name, c := range map[string]struct{ body, issue string }{
		"unknown key":     {bundleBody(environment, unified("f", `"color":"red"`)), "Unrecognized key"},
		"trigger":         {bundleBody(environment, unified("f", `"trigger":{"kind":"socket"}`)), "Invalid option"},
		"key of another":  {bundleBody(environment, unified("f", `"trigger":{"kind":"none","frequency":"1h"}`)), "Unrecognized key"},
		"no frequency":    {bundleBody(environment, unified("f", `"trigger":{"kind":"schedule"}`)), "expected string"},
		"frequency":       {bundleBody(environment, unified("f", `"trigger":{"kind":"schedule","frequency":"often"}`)), "is no frequency"},
		"no events":       {bundleBody(environment, unified("f", `"trigger":{"kind":"event","events":[]}`)), "Too small"},
		"event":           {bundleBody(environment, unified("f", `"trigger":{"kind":"event","events":["birthday"]}`)), "Invalid option"},
		"debounce":        {bundleBody(environment, unified("f", `"trigger":{"kind":"http","debounce":{"windowMs":5}}`)), "can't be gathered"},
		"no connection":   {bundleBody(environment, unified("f", `"requires":{"connection":false}`, flags("usesOutbound=false"))), "without a connection"},
		"outbound":        {bundleBody(environment, unified("f", flags("usesOutbound=false"))), "usesOutbound must be true"},
		"records":         {bundleBody(environment, unified("f", flags("usesRecords=true"))), "usesRecords must be false"},
		"metadata":        {bundleBody(environment, unified("f", flags("usesMetadata=true"))), "usesMetadata must be false"},
		"checkpoints":     {bundleBody(environment, unified("f", flags("usesCheckpoints=true"))), "usesCheckpoints must be false"},
		"invoke":          {bundleBody(environment, unified("f", `"requires":{"invoke":true}`)), "usesInvoke must be true"},
		"ref":             {bundleBody(environment, unified("f", `"input_schema_ref":"Out"`)), "must match pattern"},
		"ref to a path":   {bundleBody(environment, unified("f", `"input_schema_ref":"#/definitions/Out/x"`)), "must match pattern"},
		"ref to no name":  {bundleBody(environment, unified("f", `"input_schema_ref":"#/definitions/"`)), "must match pattern"},
		"ref to nothing":  {bundleBody(environment, unified("f", `"input_schema_ref":"#/definitions/In"`)), "no definition of that name"},
		"models":          {bundleBody(environment, unified("f", `"model_schema_refs":["#/definitions/Item"]`, records)), "Only functions with a schedule"},
		"per connection":  {bundleBody(environment, unified("f", `"limits":{"concurrency":{"perConnection":2}}`)), `expected 1 or "max"`},
		"twice":           {bundleBody(environment, unified("f"), unified("f", `"trigger":{"kind":"http"}`)), "two functions of this name"},
		"scope":           {bundleBody(`{"kind":"integration","integrationId":"other"}`, unified("f")), "another integration"},
		"schema":          {bundleBody(environment, unified("f", `"json_schema":{"definitions":{"Out":{"type":"text"}}}`)), "is not valid"},
		"no code":         {bundleBody(environment, unified("f", `"fileBody":{"js":" ","ts":""}`)), "is empty"},
		"name":            {bundleBody(environment, unified("f g")), "must match pattern"},
		"description":     {bundleBody(environment, unified("f", `"description":"`+strings.Repeat("x", 2001)+`"`)), "Too big"},
		"no capabilities": {bundleBody(environment, strings.Replace(unified("f"), `"capabilities":`, `"scopes":`, 1)), "expected object"},
	} {
		for _, path := range []string{bundlePath + "/preview", bundlePath} {
			t.Log(name, path) // shown when something fails
			r.expect(r.call(devKey, "POST", path, c.body), 400, "invalid_body", c.issue)
		}
	}
	got := r.call(devKey, "POST", bundlePath, bundleBody(environment, unified("a", `"integrationId":"x"`), unified("b", `"integrationId":"y"`)))
	r.expect(got, 400, "integration_not_found")
	if !strings.Contains(got.body, "Integration(s) not found: x, y") {
		t.Errorf("it says %s", got.body)
	}
	if after := r.dump(r.dev); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
	if list, err := r.functions.All(t.Context(), r.dev.ID); err != nil || len(list) != 0 {
		t.Errorf("deployed: %v, %v", list, err)
	}
}

// TestUnifiedFunctionsOfDeploys sends functions made by createFunction beside others:
// they are held to the same, and without them those that are there stay.
func TestUnifiedFunctionsOfDeploys(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	mixed := func(functions string) string {
		return strings.Replace(deployBody(actionFlow, "[]", "all", deployTail), `"flowConfigs":`, `"functions":`+functions+`,"flowConfigs":`, 1)
	}
	for name, c := range map[string]struct{ functions, issue string }{
		"unknown key": {`[` + unified("f", `"color":"red"`) + `]`, "Unrecognized key"},
		"no list":     {`{}`, "expected array"},
		"twice":       {`[` + unified("f") + "," + unified("f", `"trigger":{"kind":"event","events":["validate-connection"]}`) + `]`, "two functions of this name"},
		"capability":  {`[` + unified("f", records) + `]`, "usesRecords must be false"},
		"frequency":   {`[` + unified("f", `"trigger":{"kind":"schedule","frequency":"often"}`) + `]`, "is no frequency"},
	} {
		for _, path := range []string{"/sync/deploy/confirmation", "/sync/deploy"} {
			t.Log(name, path) // shown when something fails
			r.expect(r.call(devKey, "POST", path, mixed(c.functions)), 400, "invalid_body", c.issue)
		}
	}
	left := func() (names []string) {
		list, err := r.functions.All(t.Context(), r.dev.ID)
		check(t, err)
		for _, f := range list {
			names = append(names, f.Name)
		}
		return names
	}
	for _, c := range []struct{ functions, want string }{
		{`[` + unified("f") + `]`, "[createIssue f]"}, {`null`, "[createIssue f]"}, {`[]`, "[createIssue]"},
	} {
		r.must(devKey, "POST", "/sync/deploy", mixed(c.functions))
		if got := fmt.Sprint(left()); got != c.want {
			t.Errorf("after %s: %s, want %s", c.functions, got, c.want)
		}
	}
	// What is said of a hostile bundle stays short.
	many := strings.Repeat(unified("f")+",", 300)
	got := r.call(devKey, "POST", bundlePath, bundleBody(`{"kind":"environment"}`, strings.TrimSuffix(many, ",")))
	r.expect(got, 400, "invalid_body")
	if n := strings.Count(got.body, "two functions of this name"); n != 100 {
		t.Errorf("it says %d things", n)
	}
}
