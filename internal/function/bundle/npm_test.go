package bundle_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packages are functions that use published packages: what comes first in their
// files, and what they return.
func packages() map[string][2]string {
	return map[string][2]string{
		"lodash":            {"import _ from 'lodash'; import chunk from 'lodash/chunk.js';", "[_.groupBy([1.2, 1.8, 2.1], Math.floor), _.get({ a: [{ b: 3 }] }, 'a[0].b'), chunk([1, 2, 3], 2), _.template('<%= a %>!')({ a: 1 }), _.cloneDeep({ d: new Date(0) })]"},
		"lodash-es":         {"import { debounce, kebabCase } from 'lodash-es';", "[typeof debounce, kebabCase('fooBar baz')]"},
		"date-fns":          {"import { addDays, formatISO, parseISO, format, differenceInDays } from 'date-fns';", "[addDays(parseISO('2024-02-28T00:00:00Z'), 2).toISOString(), differenceInDays(new Date(864e5 * 3), new Date(0)), typeof formatISO(new Date(0)), format(new Date(2024, 0, 31), 'do MMMM yyyy')]"},
		"dayjs":             {"import dayjs from 'dayjs'; import utc from 'dayjs/plugin/utc.js'; import relative from 'dayjs/plugin/relativeTime.js'; dayjs.extend(utc); dayjs.extend(relative);", "[dayjs.utc('2024-01-31').add(1, 'month').format('YYYY-MM-DD'), dayjs('2024-01-01').from(dayjs('2024-01-03'))]"},
		"luxon":             {"import { DateTime, Duration } from 'luxon';", "[DateTime.fromISO('2024-03-10T10:00:00Z', { zone: 'utc' }).plus({ months: 1 }).toISO(), Duration.fromISO('PT90M').as('hours')]"},
		"uuid":              {"import { v4, v5, validate } from 'uuid';", "[validate(v4()), v5('a', v5.URL)]"},
		"nanoid":            {"import { nanoid } from 'nanoid';", "nanoid().length"},
		"csv-parse":         {"import { parse } from 'csv-parse/sync';", "parse('a,b\\n1,\"x, y\"\\n', { columns: true })"},
		"csv-stringify":     {"import { stringify } from 'csv-stringify/sync';", "stringify([[1, 'a,b'], [2, 'é']])"},
		"papaparse":         {"import Papa from 'papaparse';", "[Papa.parse('a,b\\n1,2', { header: true }).data, Papa.unparse([{ a: 1 }])]"},
		"fast-xml-parser":   {"import { XMLParser, XMLBuilder } from 'fast-xml-parser';", "[new XMLParser({ ignoreAttributes: false }).parse('<a x=\"1\"><b>2</b><b>é</b></a>'), new XMLBuilder().build({ a: { b: [1, 2] } })]"},
		"cheerio":           {"import * as cheerio from 'cheerio';", "cheerio.load('<ul><li>a<li class=x>b</ul>')('li.x').text()"},
		"yaml":              {"import { parse, stringify } from 'yaml';", "[parse('a: [1, 2]\\nb: |\\n  x\\n'), stringify({ a: { b: 1 } })]"},
		"qs":                {"import qs from 'qs';", "[qs.stringify({ a: [1, { b: 2 }] }), qs.parse('a[b][]=1&a[b][]=2')]"},
		"ajv":               {"import Ajv from 'ajv';", "(() => { const v = new Ajv.default().compile({ type: 'object', required: ['a'] }); return [v({ a: 1 }), v({}), v.errors[0].message]; })()"},
		"libphonenumber-js": {"import { parsePhoneNumber } from 'libphonenumber-js';", "parsePhoneNumber('030 1234567', 'DE').formatInternational()"},
		"marked":            {"import { marked } from 'marked';", "marked.parse('# a\\n\\n*b*')"},
		"he":                {"import he from 'he';", "[he.decode('&eacute;&amp;'), he.encode('<é>')]"},
		"bcryptjs":          {"import bcrypt from 'bcryptjs';", "bcrypt.compareSync('a', bcrypt.hashSync('a', 4))"},
		"p-limit":           {"import pLimit from 'p-limit'; import pMap from 'p-map'; const limit = pLimit(1);", "await (async () => [await Promise.all([1, 2, 3].map((n) => limit(async () => n * 2))), await pMap([1, 2], async (n) => n + 1, { concurrency: 1 })])()"},
		"iconv-lite":        {"import iconv from 'iconv-lite';", "[iconv.decode(Buffer.from([0xe9, 0x80]), 'win1252'), iconv.encode('é', 'latin1').length]"},
		"change-case":       {"import { camelCase, snakeCase } from 'change-case';", "[camelCase('a b-c'), snakeCase('aBC')]"},
		"semver":            {"import semver from 'semver';", "[semver.satisfies('1.2.3', '^1.0.0'), semver.inc('1.2.3', 'minor')]"},
		"immer":             {"import { produce } from 'immer';", "produce({ a: [1] }, (d) => { d.a.push(2); })"},
		"decimal.js":        {"import { Decimal } from 'decimal.js';", "new Decimal('0.1').plus('0.2').toString()"},
		"mime-types":        {"import mime from 'mime-types';", "[mime.lookup('a.json'), mime.extension('text/html')]"},
		"jose":              {"import { decodeJwt, base64url, SignJWT, jwtVerify } from 'jose';", "await (async () => { const key = new TextEncoder().encode('k'.repeat(32)); const token = await new SignJWT({ sub: 'é' }).setProtectedHeader({ alg: 'HS256' }).sign(key); return [decodeJwt(token), token, base64url.encode('é'), (await jwtVerify(token, key)).payload]; })()"},
		"jsonwebtoken":      {"import jwt from 'jsonwebtoken';", "[jwt.sign({ sub: 'é', iat: 1 }, 'secret'), jwt.verify(jwt.sign({ sub: 'a', iat: 1 }, 'secret'), 'secret')]"},
	}
}

// needNpm returns the folder with the packages, and skips the test when they are
// not installed.
func needNpm(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("testdata/npm")
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("the packages are not installed, and on CI they must be: %v", err)
	default:
		t.Skip("the packages are not installed: run npm ci in internal/function/bundle/testdata/npm")
	}
	return dir
}

// withPackages makes a folder of functions with the packages installed.
func withPackages(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := folder(t, files)
	if err := os.Symlink(filepath.Join(needNpm(t), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	return dir
}

// TestPackages runs functions that use published packages, and compares what they
// return with what they return in Node.
func TestPackages(t *testing.T) {
	t.Parallel()
	const file = "testdata/npm/expected.json"
	if *update {
		inNode(t, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name, code := range packages() {
		files["npm/actions/"+strings.ReplaceAll(name, ".", "_")+".ts"] = code[0] + "\nexport default async function run() { return " + code[1] + "; }\n"
	}
	files["index.ts"] = indexOf(files)
	p := clean(t, build(t, withPackages(t, files)))
	for _, f := range p.Functions {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(parsed(want[f.Name]), parsed([]byte(output(t, f, nil)))); d != "" {
				t.Error(d)
			}
		})
	}
}

// inNode asks Node what the functions return.
func inNode(t *testing.T, file string) {
	t.Helper()
	out := map[string]json.RawMessage{}
	for name, code := range packages() {
		cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", code[0]+"console.log(JSON.stringify("+code[1]+"))")
		cmd.Dir = needNpm(t)
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		out[strings.ReplaceAll(name, ".", "_")] = text
	}
	text, err := json.MarshalIndent(out, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPackagesThatCannot names what is in the way of packages for Node only.
func TestPackagesThatCannot(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, want string }{
		{"got", `needs Node's module`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := build(t, withPackages(t, map[string]string{"index.ts": "import './a/actions/x'", "a/actions/x.ts": "import x from '" + tc.name + "';\nexport default async function run() { return x; }\n"}))
			if len(p.Problems) == 0 || len(p.Functions) != 0 {
				t.Fatalf("it was built: %v", names(p))
			}
			for _, problem := range p.Problems {
				if !strings.Contains(problem.Message, tc.want) || !strings.Contains(problem.Message, "a/actions/x.ts → "+tc.name) || problem.Line == 0 {
					t.Error(problem.Error())
				}
			}
		})
	}
}
