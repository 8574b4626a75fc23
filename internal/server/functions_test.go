package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

// The functions of the tests, as the published command line sends them.
const (
	syncFlow = `{"syncName":"fetchIssues","providerConfigKey":"seeded","models":["GithubIssue"],"version":"1.0.0","runs":"every hour",
		"track_deletes":false,"auto_start":true,"attributes":{},"metadata":{"description":"Fetches issues.\n- since: From when on.","scopes":["repo"]},
		"input":"SyncMetadata_seeded_fetchIssues","sync_type":"full","type":"sync","fileBody":{"js":"exports.default={type:'sync'}","ts":"export default createSync({})"},
		"endpoints":[{"method":"GET","path":"/example/github/issues","group":"Issues"}],"webhookSubscriptions":[],
		"models_json_schema":{"definitions":{"GithubIssue":{"type":"object","properties":{"id":{"type":"string"}},"required":["id"],"additionalProperties":false},
			"SyncMetadata_seeded_fetchIssues":{"type":"object","properties":{"since":{"type":"string"},"of":{"$ref":"#/definitions/Owner"}}},"Owner":{"type":"string"},"Spare":{"type":"null"}}},"features":[]}`
	actionFlow = `{"syncName":"createIssue","providerConfigKey":"seeded","models":["ActionOutput_seeded_createIssue"],"runs":null,
		"metadata":{"description":"Creates one.","scopes":[]},"input":"ActionInput_seeded_createIssue","type":"action","fileBody":{"js":"exports.default={type:'action'}","ts":"export default createAction({})"},
		"endpoints":[{"POST":"/issues"}],"track_deletes":false,"features":["checkpoints"],
		"models_json_schema":{"definitions":{"ActionOutput_seeded_createIssue":{"type":"null"},"ActionInput_seeded_createIssue":{"type":"null"}}}}`
	eventScripts = `[{"providerConfigKey":"seeded","scripts":[{"name":"hello","event":"pre-connection-deletion","fileBody":{"js":"exports.default={type:'onEvent'}","ts":"export default createOnEvent({})"}}]}]`
	confirmTail  = `"reconcile":false,"debug":false,"sdkVersion":"0.71.10-zero"`
	deployTail   = `"reconcile":true,"debug":false,"nangoYamlBody":"","sdkVersion":"0.71.10-zero","source":"repo"`
)

func deployBody(flows, scripts, mode, tail string) string {
	return `{"flowConfigs":[` + flows + `],"onEventScriptsByProvider":` + scripts + `,"deployMode":"` + mode + `",` + tail + `}`
}

// deployAll deploys all functions of the tests.
func (r *rig) deployAll(key string) {
	r.t.Helper()
	r.must(key, "POST", "/sync/deploy", deployBody(syncFlow+","+actionFlow, eventScripts, "all", deployTail))
}

const nothingChanges = `"newSyncs":[],"updatedSyncs":[],"deletedSyncs":[],"newActions":[],"updatedActions":[],"deletedActions":[],
	"newOnEventScripts":[],"updatedOnEventScripts":[],"deletedOnEventScripts":[],"deletedModels":[]`

// confirmed is nothingChanges with some of its empty lists filled.
func confirmed(lists ...string) string {
	text := nothingChanges
	for i := 0; i < len(lists); i += 2 {
		text = strings.Replace(text, `"`+lists[i]+`":[]`, `"`+lists[i]+`":[`+lists[i+1]+`]`, 1)
	}
	return "{" + text + "}"
}

func TestDeploys(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	sync, action := `{"name":"fetchIssues","providerConfigKey":"seeded","connections":1,"auto_start":true}`, `{"name":"createIssue","providerConfigKey":"seeded"}`
	event := `{"providerConfigKey":"seeded","name":"hello","event":"pre-connection-deletion"}`
	both := syncFlow + "," + actionFlow
	confirm := func(flows, scripts, mode string) reply {
		return r.call(devKey, "POST", "/sync/deploy/confirmation", deployBody(flows, scripts, mode, confirmTail), "User-Agent", "nango-cli/0.71.10 (linux/6; node.js/22)")
	}
	r.same(confirm(both, eventScripts, "all"), 200, confirmed("newSyncs", sync, "newActions", action, "newOnEventScripts", event))
	r.same(r.call(devKey, "POST", "/sync/deploy", deployBody(both, eventScripts, "all", deployTail)), 200,
		`[{"name":"fetchIssues","version":"1.0.0","models":["GithubIssue"],"providerConfigKey":"seeded","type":"sync"},
		{"name":"createIssue","version":"1","models":["ActionOutput_seeded_createIssue"],"providerConfigKey":"seeded","type":"action"},
		{"name":"hello","version":"1","models":[],"providerConfigKey":"seeded","type":"on-event"}]`)
	r.same(confirm(both, eventScripts, "all"), 200, confirmed())
	changed := strings.Replace(both, "type:'action'", "type: 'action'", 1)
	r.same(confirm(changed, eventScripts, "all"), 200, confirmed("updatedActions", action))
	r.same(confirm("", "[]", "all"), 200, confirmed("deletedSyncs", sync, "deletedActions", action, "deletedOnEventScripts", event, "deletedModels", `"GithubIssue"`))
	r.same(confirm(actionFlow, "[]", "integration"), 200, confirmed("deletedSyncs", sync, "deletedOnEventScripts", event, "deletedModels", `"GithubIssue"`))
	r.same(confirm("", "[]", "integration"), 200, confirmed())
	r.same(confirm(actionFlow, "[]", "single"), 200, confirmed())
	// Without the list of functions at events they are left alone.
	alone := `{"flowConfigs":[],"deployMode":"all",` + deployTail + `}`
	r.same(r.call(devKey, "POST", "/sync/deploy", alone), 200, `[]`)
	r.same(confirm("", "[]", "all"), 200, confirmed("deletedOnEventScripts", event))
	// An older client: one schema for all, single without a mode, scripts of its own.
	old := strings.Replace(actionFlow, `"models_json_schema"`, `"model_schema":[],"x"`, 1)
	old = old[:strings.Index(old, `,"x"`)] + "}"
	legacy := func(definitions string) string {
		return `{"flowConfigs":[` + old + `],"singleDeployMode":true,"jsonSchema":{"$schema":"x","definitions":{` + definitions + `}},
			"postConnectionScriptsByProvider":[{"providerConfigKey":"seeded","scripts":[{"name":"greet","fileBody":{"js":"x","ts":"y"}}]}],"reconcile":true,"debug":false}`
	}
	r.expect(r.call(devKey, "POST", "/sync/deploy", legacy(`"Spare":{}`)), 400, "deploy_missing_json_schema_model")
	r.must(devKey, "POST", "/sync/deploy", legacy(`"Spare":{},"ActionOutput_seeded_createIssue":{"type":"null"},"ActionInput_seeded_createIssue":{"type":"null"}`))
	r.same(r.call(devKey, "GET", "/integrations/seeded/functions?search=E", ""), 200, `{"data":[
		{"type":"action","name":"createIssue","description":"Creates one.","input":"ActionInput_seeded_createIssue","returns":["ActionOutput_seeded_createIssue"],
			"json_schema":{"definitions":{"ActionInput_seeded_createIssue":{"type":"null"},"ActionOutput_seeded_createIssue":{"type":"null"}}},
			"id":2,"enabled":true,"last_deployed":"<Z>","source":"repo","version":"1"},
		{"type":"on-event","name":"greet","event":"post-connection-creation","id":4,"enabled":true,"last_deployed":"<Z>","source":"repo","version":"1"},
		{"type":"on-event","name":"hello","event":"pre-connection-deletion","id":3,"enabled":true,"last_deployed":"<Z>","source":"repo","version":"1"}],
		"pagination":{"total":3,"page":0,"limit":20}}`)
}

func TestRefusedDeploys(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.deployAll(devKey)
	before := r.dump(r.dev)
	with := func(flow, from, to string) string {
		if !strings.Contains(flow, from) {
			t.Fatalf("%s has no %s", flow, from)
		}
		return deployBody(strings.Replace(flow, from, to, 1), "[]", "all", deployTail)
	}
	plain := deployBody(actionFlow, eventScripts, "all", deployTail)
	for name, c := range map[string]struct{ body, code, issue string }{
		"nothing":               {`{}`, "invalid_body", "Invalid input: expected array, received undefined"},
		"unknown key":           {strings.Replace(plain, `"debug"`, `"x":1,"debug"`, 1), "invalid_body", `Unrecognized key: "x"`},
		"unknown key of a flow": {with(actionFlow, `"runs"`, `"x":1,"runs"`), "invalid_body", `Unrecognized key: "x"`},
		"mode":                  {deployBody(actionFlow, "[]", "some", deployTail), "invalid_body", "Invalid option"},
		"type":                  {with(actionFlow, `"type":"action"`, `"type":"on-event"`), "invalid_body", "Invalid option"},
		"name":                  {with(actionFlow, `"createIssue"`, `"../x"`), "invalid_body", "must match pattern"},
		"frequency":             {with(syncFlow, "every hour", "every fortnight"), "invalid_body", "is no frequency"},
		"short frequency":       {with(syncFlow, "every hour", "every 10s"), "invalid_body", "too short"},
		"incremental deletes": {
			with(strings.Replace(syncFlow, `"track_deletes":false`, `"track_deletes":true`, 1), `"sync_type":"full"`, `"sync_type":"incremental"`), "invalid_body",
			"Track deletes is not supported for incremental syncs",
		},
		"definition of a model": {with(syncFlow, `"models":["GithubIssue"]`, `"models":["Other"]`), "invalid_body", "models_json_schema is missing definitions for some models or input"},
		"schema":                {with(syncFlow, `"type":"string"`, `"type":"text"`), "invalid_body", "is not valid"},
		"method":                {with(syncFlow, `"method":"GET"`, `"method":"FETCH"`), "invalid_body", "Invalid option"},
		"endpoint":              {with(syncFlow, `"path":"/example/github/issues",`, ``), "invalid_body", "Invalid input"},
		"feature":               {with(actionFlow, `"checkpoints"`, `"magic"`), "invalid_body", `expected "checkpoints"`},
		"no code":               {with(actionFlow, `exports.default={type:'action'}`, ``), "invalid_body", "is empty"},
		"event":                 {strings.Replace(plain, "pre-connection-deletion", "birthday", 1), "invalid_body", "Invalid option"},
		"version of the tool":   {strings.Replace(plain, "0.71.10-zero", "1.0", 1), "invalid_body", "must match pattern"},
		"source":                {strings.Replace(plain, `"source":"repo"`, `"source":"catalog"`, 1), "invalid_body", "Invalid option"},
		"twice":                 {deployBody(actionFlow+","+actionFlow, "[]", "all", deployTail), "invalid_body", "is there twice"},
		"integration":           {with(actionFlow, `"providerConfigKey":"seeded"`, `"providerConfigKey":"nope"`), "unknown_provider_config", ""},
		"boolean":               {deployBody(actionFlow, "[]", "all", strings.Replace(deployTail, "true", "1", 1)), "invalid_body", "expected boolean"},
	} {
		for _, path := range []string{"/sync/deploy/confirmation", "/sync/deploy"} {
			t.Log(name, path) // shown when something fails
			got := r.call(devKey, "POST", path, c.body)
			if c.issue == "" {
				r.expect(got, 400, c.code)
			} else {
				r.expect(got, 400, c.code, c.issue)
			}
		}
	}
	twice := r.call(devKey, "POST", "/sync/deploy", deployBody(actionFlow+","+actionFlow, "[]", "all", deployTail)).err(t)
	if path := fmt.Sprint(twice.Error.Errors[0].Path); path != "[flowConfigs 1]" {
		t.Errorf("the issue is at %s", path)
	}
	for agent, ok := range map[string]bool{
		"nango-cli/0.39.24 (linux)": false, "nango-cli/0.39.25 (linux)": true, "nango-cli/0.40.0": true, "nango-cli/1.0.0-beta.1 (x)": true, "nango-cli/x": false,
		"nango-cli/0.9.99": false, "nango-cli/": false, "curl/8": true, "linkspan/0.1.0": true,
	} {
		got := r.call(devKey, "POST", "/sync/deploy/confirmation", plain, "User-Agent", agent)
		if ok != (got.status == 200) || !ok && got.code(t) != "invalid_cli_version" {
			t.Errorf("%s: %d %s", agent, got.status, got.body)
		}
	}
	r.expect(r.call(devKey, "POST", "/sync/deploy?x=1", plain), 400, "invalid_query_params")
	if after := r.dump(r.dev); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

func TestBundles(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-basic","unique_key":"other"}`)
	r.deployAll(devKey)
	const bundle, preview = "/functions/deployments/bundle", "/functions/deployments/bundle/preview"
	none := `{"created":[],"updated":[],"unchanged":[],"deleted":[]}`
	deleted := `{"created":[],"updated":[],"unchanged":[],"deleted":[{"integrationId":"seeded","name":"createIssue"},{"integrationId":"seeded","name":"hello"},{"integrationId":"seeded","name":"fetchIssues"}]}`
	scope := func(scope, functions string) string {
		return `{"reconciliationScope":` + scope + `,"functions":[` + functions + `]}`
	}
	r.same(r.call(devKey, "POST", preview, scope(`{"kind":"integration","integrationId":"other"}`, "")), 200, none)
	r.same(r.call(devKey, "POST", preview, scope(`{"kind":"environment"}`, "")), 200, deleted)
	r.expect(r.call(devKey, "POST", preview, scope(`{"kind":"integration","integrationId":"nope"}`, "")), 400, "integration_not_found")
	r.expect(r.call(devKey, "POST", bundle, scope(`{"kind":"integration","integrationId":"nope"}`, "")), 400, "integration_not_found")
	r.expect(r.call(devKey, "POST", bundle, scope(`{"kind":"integration"}`, "")), 400, "invalid_body", "expected string")
	r.expect(r.call(devKey, "POST", bundle, scope(`{"kind":"environment","integrationId":"seeded"}`, "")), 400, "invalid_body", "Unrecognized key")
	r.expect(r.call(devKey, "POST", bundle, scope(`{"kind":"environment"}`, `{"name":"f"}`)), 400, "invalid_body")
	r.same(r.call(devKey, "POST", bundle, scope(`{"kind":"integration","integrationId":"seeded"}`, "")), 200, deleted)
	r.same(r.call(devKey, "POST", bundle, scope(`{"kind":"environment"}`, "")), 200, none)
}

// A deploy may name integrations that it has no functions of: they are emptied.
func TestDeployThatEmptiesAnIntegration(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.must(devKey, "POST", "/integrations", `{"provider":"test-basic","unique_key":"other"}`)
	r.deployAll(devKey)
	body := func(mode, integrations string) string {
		return `{"flowConfigs":[],"onEventScriptsByProvider":[],"deployMode":"` + mode + `","integrations":` + integrations + `,"reconcile":true}`
	}
	for _, path := range []string{"/sync/deploy/confirmation", "/sync/deploy"} {
		r.expect(r.call(devKey, "POST", path, body("all", `["seeded"]`)), 400, "invalid_body", "integrations are of")
		r.expect(r.call(devKey, "POST", path, body("integration", `["nope"]`)), 400, "unknown_provider_config")
	}
	left := func() int {
		t.Helper()
		list := r.call(devKey, "GET", "/integrations/seeded/functions", "")
		var page struct{ Data []any }
		if err := json.Unmarshal([]byte(list.body), &page); err != nil {
			t.Fatal(err)
		}
		return len(page.Data)
	}
	for _, c := range []struct {
		integrations string
		left         int
	}{{`[]`, 3}, {`["other"]`, 3}, {`["other","seeded"]`, 0}} {
		r.same(r.call(devKey, "POST", "/sync/deploy", body("integration", c.integrations)), 200, `[]`)
		if n := left(); n != c.left {
			t.Errorf("a deploy of %s left %d functions, want %d", c.integrations, n, c.left)
		}
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	const path = "/integrations/seeded/functions"
	r.same(r.call(devKey, "GET", path+"?limit=5&page=2", ""), 200, `{"data":[],"pagination":{"total":0,"page":2,"limit":5}}`)
	r.same(r.call(devKey, "GET", "/scripts/config?format=nango", ""), 200, `[]`)
	r.same(r.call(devKey, "GET", "/scripts/config?format=openai", ""), 200, `{"data":[]}`)
	r.same(r.call(devKey, "GET", "/providers/test-key/templates", ""), 200, `{"data":[]}`)
	r.deployAll(devKey)
	schema := `{"definitions":{"GithubIssue":{"type":"object","properties":{"id":{"type":"string"}},"required":["id"],"additionalProperties":false},
		"SyncMetadata_seeded_fetchIssues":{"type":"object","properties":{"since":{"type":"string"},"of":{"$ref":"#/definitions/Owner"}}},"Owner":{"type":"string"},"Spare":{"type":"null"}}}`
	sync := func(enabled string) string {
		return `{"type":"sync","name":"fetchIssues","description":"Fetches issues.\n- since: From when on.","scopes":["repo"],"input":"SyncMetadata_seeded_fetchIssues","returns":["GithubIssue"],
		"json_schema":` + schema + `,"runs":"every hour","auto_start":true,"track_deletes":false,
		"id":1,"enabled":` + enabled + `,"last_deployed":"<Z>","source":"repo","version":"1.0.0"}`
	}
	action := `{"type":"action","name":"createIssue","description":"Creates one.","input":"ActionInput_seeded_createIssue","returns":["ActionOutput_seeded_createIssue"],
		"json_schema":{"definitions":{"ActionInput_seeded_createIssue":{"type":"null"},"ActionOutput_seeded_createIssue":{"type":"null"}}},
		"id":2,"enabled":true,"last_deployed":"<Z>","source":"repo","version":"1"}`
	event := `{"type":"on-event","name":"hello","event":"pre-connection-deletion","id":3,"enabled":true,"last_deployed":"<Z>","source":"repo","version":"1"}`
	for query, want := range map[string][2]string{
		"": {action + "," + sync("true") + "," + event, `"total":3,"page":0,"limit":20`}, "?type=sync": {sync("true"), `"total":1,"page":0,"limit":20`},
		"?type=on-event": {event, `"total":1,"page":0,"limit":20`}, "?search=ISSUE&limit=1&page=1": {sync("true"), `"total":2,"page":1,"limit":1`},
	} {
		r.same(r.call(devKey, "GET", path+query, ""), 200, `{"data":[`+want[0]+`],"pagination":{`+want[1]+`}}`)
	}
	r.same(r.call(devKey, "GET", path+"/fetchIssues", ""), 200, `{"data":`+sync("true")+`}`)
	r.same(r.call(devKey, "PATCH", path+"/fetchIssues?type=sync", `{"enabled":false}`), 200, `{"data":`+sync("false")+`}`)
	r.same(r.call(devKey, "GET", path+"/hello?type=on-event", ""), 200, `{"data":`+event+`}`)
	r.same(r.call(devKey, "GET", path+"/createIssue/code", "", "User-Agent", "node"), 200, `{"type":"action","code":"export default createAction({})"}`)
	r.same(r.call(devKey, "GET", "/config/seeded", ""), 200, `{"config":{"unique_key":"seeded","provider":"test-key","syncs":[`+script("fetchIssues", schema)+`],"actions":[`+script("createIssue", "")+`]}}`)
	r.same(r.call(devKey, "GET", "/scripts/config", ""), 200, `[{"providerConfigKey":"seeded","provider":"test-key","syncs":[`+script("fetchIssues", schema)+`],
		"actions":[`+script("createIssue", "")+`],"on-events":[`+script("hello", "")+`]}]`)
	r.same(r.call(devKey, "GET", "/scripts/config?format=openai&provider_config_key=x", ""), 200, `{"data":[
		{"name":"createIssue","description":"Creates one.","parameters":{"type":"object","properties":{},"required":[]}}]}`)
	r.must(devKey, "PATCH", path+"/fetchIssues", `{"enabled":true}`)
	r.same(r.call(devKey, "GET", "/scripts/config?format=openai", ""), 200, `{"data":[
		{"name":"fetchIssues","description":"Fetches issues.\n- since: From when on.","parameters":{"type":"object",
			"properties":{"since":{"type":"string","description":"From when on."},"of":{"$ref":"#/definitions/Owner"}},"required":[],"definitions":{"Owner":{"type":"string"}}}},
		{"name":"createIssue","description":"Creates one.","parameters":{"type":"object","properties":{},"required":[]}}]}`)

	for call, want := range map[string]struct {
		status int
		code   string
	}{
		"GET " + path + "?type=x":                     {400, "invalid_query_params"},
		"GET " + path + "?limit=101":                  {400, "invalid_query_params"},
		"GET /integrations/nope/functions":            {404, "not_found"},
		"GET " + path + "/nope":                       {404, "not_found"},
		"GET " + path + "/fetchIssues?type=action":    {404, "not_found"},
		"GET " + path + "/nope/code":                  {404, "not_found"},
		"GET " + path + "/no%20pe":                    {400, "invalid_uri_params"},
		"DELETE " + path + "/fetchIssues":             {400, "invalid_query_params"},
		"DELETE " + path + "/hello?type=on-event":     {400, "invalid_query_params"},
		"DELETE " + path + "/nope?type=sync":          {404, "not_found"},
		"DELETE " + path + "/createIssue?type=action": {400, "function_managed_by_deploy"},
		"PATCH " + path + "/fetchIssues":              {400, "invalid_body"},
		"POST " + path + "/fetchIssues/rollback":      {400, "invalid_body"},
	} {
		method, path, _ := strings.Cut(call, " ")
		r.expect(r.call(devKey, method, path, ""), want.status, want.code)
	}
}

// script is a function of the tests in the older, longer form.
func script(name, schema string) string {
	rest := `"last_deployed":"<Z>","is_public":false,"pre_built":false,"attributes":{},"models":[],"enabled":true,"source":"repo","sdk_version":"0.71.10-zero","track_deletes":false,"webhookSubscriptions":[]`
	switch name {
	case "fetchIssues":
		return strings.Replace(`{"id":1,"name":"fetchIssues","type":"sync","returns":["GithubIssue"],"description":"Fetches issues.\n- since: From when on.","runs":"every hour","auto_start":true,
			"sync_type":"full","scopes":["repo"],"version":"1.0.0","endpoints":[{"method":"GET","path":"/example/github/issues","group":"Issues"}],"features":[],
			"input":"SyncMetadata_seeded_fetchIssues","json_schema":`+schema+`,`+rest+`}`, `"enabled":true`, `"enabled":false`, 1)
	case "createIssue":
		return `{"id":2,"name":"createIssue","type":"action","returns":["ActionOutput_seeded_createIssue"],"description":"Creates one.","auto_start":false,
			"scopes":[],"version":"1","endpoints":[{"method":"POST","path":"/issues"}],"features":["checkpoints"],"input":"ActionInput_seeded_createIssue",
			"json_schema":{"definitions":{"ActionInput_seeded_createIssue":{"type":"null"},"ActionOutput_seeded_createIssue":{"type":"null"}}},` + rest + `}`
	default:
		return `{"id":3,"name":"hello","type":"on-event","event":"pre-connection-deletion","returns":[],"description":"","auto_start":false,"scopes":[],"version":"1",
			"endpoints":[],"features":[],"json_schema":null,` + rest + `}`
	}
}

func TestFunctionsOfOneName(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	same := strings.Replace(actionFlow, `"createIssue"`, `"fetchIssues"`, 1)
	standalone := strings.Replace(deployTail, "repo", "standalone", 1)
	r.must(devKey, "POST", "/sync/deploy", deployBody(syncFlow+","+same, "[]", "all", standalone))
	const path = "/integrations/seeded/functions/fetchIssues"
	for _, call := range []string{"GET " + path, "GET " + path + "/code", "GET " + path + "/versions"} {
		method, path, _ := strings.Cut(call, " ")
		got := r.call(devKey, method, path, "")
		r.expect(got, 409, "ambiguous_function")
		if payload := string(got.err(t).Error.Payload); payload != `{"matches":[{"type":"sync","name":"fetchIssues"},{"type":"action","name":"fetchIssues"}]}` {
			t.Errorf("payload %s", payload)
		}
	}
	r.same(r.call(devKey, "DELETE", path+"?type=sync", "", "Content-Type", "application/json"), 200, `{"data":{"success":true}}`)
	r.same(r.call(devKey, "GET", path+"/code", ""), 200, `{"type":"action","code":"export default createAction({})"}`)
}

func TestVersionsAndRollback(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	for i := range 3 {
		flow := strings.Replace(actionFlow, "createAction({})", fmt.Sprintf("createAction({ /* %d */ })", i), 1)
		r.must(devKey, "POST", "/sync/deploy", deployBody(flow, "[]", "all", deployTail))
	}
	const path = "/integrations/seeded/functions/createIssue"
	version := func(n int, active bool) string {
		return fmt.Sprintf(`{"version":%d,"label":"%d","active":%t,"sdk_version":"0.71.10-zero","created_at":"<Z>"}`, n, n, active)
	}
	r.same(r.call(devKey, "GET", path+"/versions", ""), 200, `{"data":[`+version(3, true)+","+version(2, false)+","+version(1, false)+`],"pagination":{"total":3,"page":0,"limit":20}}`)
	r.expect(r.call(devKey, "POST", path+"/rollback", `{"version":4}`), 404, "not_found")
	r.expect(r.call(devKey, "POST", path+"/rollback", `{"version":"1"}`), 400, "invalid_body")
	if got := r.must(devKey, "POST", path+"/rollback?type=action", `{"version":1}`); at(t, got, "data", "version") != "1" {
		t.Errorf("rolled back to %v", got)
	}
	r.same(r.call(devKey, "GET", path+"/code", ""), 200, `{"type":"action","code":"export default createAction({ /* 0 */ })"}`)
	r.same(r.call(devKey, "GET", path+"/versions?limit=1&page=2", ""), 200, `{"data":[`+version(1, true)+`],"pagination":{"total":3,"page":2,"limit":1}}`)
}

// A deploy that others are in the way of is a conflict, also for bundles.
func TestConcurrentDeploys(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	if _, ok, err := r.store.AcquireLease(t.Context(), nil, "deploy", fmt.Sprint(int64(r.dev.ID)), "somebody", 1e12); err != nil || !ok {
		t.Fatal(err)
	}
	r.expect(r.call(devKey, "POST", "/sync/deploy", deployBody(actionFlow, "[]", "all", deployTail)), 409, "concurrent_deployment")
	r.expect(r.call(devKey, "POST", "/functions/deployments/bundle", `{"reconciliationScope":{"kind":"environment"},"functions":[]}`), 409, "concurrent_deployment")
}

func useFunctions(t *testing.T, c *client.Client) {
	t.Helper()
	ctx := t.Context()
	_, err := c.CreateIntegration(ctx, api.CreateIntegration{Provider: "test-key", UniqueKey: "fn"})
	check(t, err)
	flow := func(name, code string) api.DeployFunction {
		return api.DeployFunction{
			SyncName: name, ProviderConfigKey: "fn", Type: "action", Models: []string{}, FileBody: api.DeployFile{JS: code, TS: code},
			Endpoints: []api.DeployEndpoint{{Method: "GET", Path: "/x"}},
		}
	}
	d := api.Deploy{
		FlowConfigs: []api.DeployFunction{flow("one", "1"), flow("two", "1")}, OnEventScriptsByProvider: []api.DeployOnEvent{},
		DeployMode: api.DeployAll, Reconcile: true, Source: "standalone", SDKVersion: "1.2.3-zero",
	}
	if plan, err := c.ConfirmDeploy(ctx, d); err != nil || len(plan.NewActions) != 2 || plan.DeletedModels == nil {
		t.Errorf("confirmation: %+v, %v", plan, err)
	}
	if list, err := c.Deploy(ctx, d); err != nil || len(list) != 2 || list[0].Version != "1" {
		t.Errorf("deployed %+v, %v", list, err)
	}
	d.FlowConfigs[0] = flow("one", "2")
	_, err = c.Deploy(ctx, d)
	check(t, err)
	if f, err := c.Function(ctx, "fn", "one", api.FunctionQuery{Type: new("action")}); err != nil || f.Version != "2" || f.JSONSchema.Value != nil || f.Returns == nil {
		t.Errorf("function %+v, %v", f, err)
	}
	if v, err := c.FunctionVersions(ctx, "fn", "one", api.FunctionVersionsQuery{Limit: new(1)}); err != nil || v.Pagination.Total != 2 || !v.Data[0].Active {
		t.Errorf("versions %+v, %v", v, err)
	}
	if f, err := c.RollbackFunction(ctx, "fn", "one", api.FunctionQuery{}, api.RollbackFunction{Version: 1}); err != nil || f.Version != "1" {
		t.Errorf("rolled back to %+v, %v", f, err)
	}
	if code, err := c.FunctionCode(ctx, "fn", "one", api.FunctionQuery{}); err != nil || code.Type != "action" || code.Code != "1" || code.Files != nil {
		t.Errorf("code %+v, %v", code, err)
	}
	if f, err := c.UpdateFunction(ctx, "fn", "one", api.FunctionQuery{}, api.UpdateFunction{}); err != nil || f.Enabled {
		t.Errorf("switched off: %+v, %v", f, err)
	}
	if list, err := c.Tools(ctx); err != nil || len(list) != 1 || list[0].Name != "two" {
		t.Errorf("tools %+v, %v", list, err)
	}
	if list, err := c.ScriptsConfig(ctx); err != nil || len(list) != 1 || len(list[0].Actions) != 2 {
		t.Errorf("scripts %+v, %v", list, err)
	}
	check(t, c.DeleteFunction(ctx, "fn", "one", api.DeleteFunctionQuery{Type: "action"}))
	if _, err := c.Function(ctx, "fn", "one", api.FunctionQuery{}); !client.HasCode(err, "not_found") {
		t.Errorf("after the deletion: %v", err)
	}
	b := api.DeployBundle{ReconciliationScope: api.DeployScope{Kind: "environment"}, Functions: []api.DeployUnified{}}
	if plan, err := c.PreviewBundle(ctx, b); err != nil || len(plan.Deleted) != 0 { // it is not of a folder
		t.Errorf("preview %+v, %v", plan, err)
	}
	if done, err := c.DeployBundle(ctx, b); err != nil || done.Created == nil {
		t.Errorf("bundle %+v, %v", done, err)
	}
}
