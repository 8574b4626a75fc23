package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// How many records the upstream has, how many it gives at a time, and about how
// long each is in bytes.
const (
	itemCount = 10_000
	pageSize  = 100
	itemSize  = 500
)

// header begins every action.
const header = `import { createAction } from "linkspan";
import * as z from "zod";

`

// models are what the actions that work on records share.
const models = `const Item = z.object({
	id: z.string(), name: z.string().min(1), email: z.email(), amount: z.number(), active: z.boolean(),
	created: z.string(), tags: z.array(z.string()), padding: z.string(),
});
const Record = z.object({ id: z.string(), label: z.string(), amount: z.number().nonnegative(), day: z.string().length(10), tags: z.array(z.string()).max(5) });
function map(raw: unknown): z.infer<typeof Record> {
	const item = Item.parse(raw);
	return Record.parse({ id: item.id, label: item.name + " <" + item.email + ">", amount: item.amount / 100, day: item.created.slice(0, 10), tags: item.tags });
}

`

// checked parses what it gets and returns; plus makes it differ from others.
func checked(plus int) string {
	return header + `const Input = z.object({ id: z.string(), a: z.number().int(), b: z.number().int(), tags: z.array(z.string()).optional() });
const Output = z.object({ ok: z.boolean(), sum: z.number(), name: z.string() });

export default createAction({
	description: "Parses what it gets and what it returns",
	input: Input,
	output: Output,
	exec: async (_nango, input) => {
		const { id, a, b } = Input.parse(input);
		return Output.parse({ ok: true, sum: a + b + ` + strconv.Itoa(plus) + `, name: id });
	},
});
`
}

// sources are the actions that are measured, by name.
func sources() map[string]string {
	return map[string]string{
		"checked": checked(0),
		"trivial": header + `export default createAction({
	description: "Adds",
	input: z.object({ a: z.number(), b: z.number() }),
	output: z.object({ sum: z.number() }),
	exec: async (_nango, { a, b }) => ({ sum: a + b }),
});
`,
		"proxied": header + `export default createAction({
	description: "Makes one call",
	input: z.object({ id: z.string() }),
	output: z.object({ name: z.string() }),
	exec: async (nango, { id }) => {
		const { data } = await nango.get({ endpoint: "/users/" + id });
		return { name: data.name };
	},
});
`,
		"waits": header + `export default createAction({
	description: "Waits for a slow API",
	input: z.object({ id: z.string() }),
	output: z.object({ name: z.string() }),
	exec: async (nango) => {
		const { data } = await nango.get({ endpoint: "/slow" });
		return { name: data.name };
	},
});
`,
		"pages": header + models + `export default createAction({
	description: "Maps and validates the records of many pages",
	input: z.object({}),
	output: z.object({ count: z.number(), total: z.number() }),
	exec: async (nango) => {
		const records: z.infer<typeof Record>[] = [];
		for await (const page of nango.paginate<unknown>({
			endpoint: "/items",
			paginate: { type: "cursor", cursor_path_in_response: "next", cursor_name_in_request: "after", response_path: "items" },
		}))
			for (const raw of page) records.push(map(raw));
		return { count: records.length, total: records.reduce((sum, r) => sum + r.amount, 0) };
	},
});
`,
		"whole": header + models + `export default createAction({
	description: "Maps and validates the records of one answer",
	input: z.object({}),
	output: z.object({ count: z.number(), total: z.number() }),
	exec: async (nango) => {
		const { data } = await nango.get({ endpoint: "/items/all" });
		const records = (data.items as unknown[]).map(map);
		return { count: records.length, total: records.reduce((sum, r) => sum + r.amount, 0) };
	},
});
`,
		"part": header + `export default createAction({
	description: "Returns a part of a large answer",
	input: z.object({}),
	output: z.object({ count: z.number(), last: z.string() }),
	exec: async (nango) => {
		const { data } = await nango.get({ endpoint: "/items/all" });
		return { count: data.items.length, last: data.items.at(-1).id };
	},
});
`,
		"echo": header + `export default createAction({
	description: "Returns what it gets",
	input: z.any(),
	output: z.any(),
	exec: async (_nango, input) => input,
});
`,
	}
}

// numbered names the functions of which there are many.
func numbered(n int) string { return fmt.Sprintf("fresh-%04d", n) }

// writeActions writes a folder of functions: those that are measured, and more of
// which no two are alike.
func writeActions(dir string, more int) error {
	all := sources()
	for n := range more {
		all[numbered(n)] = checked(n)
	}
	actions := filepath.Join(dir, "bench", "actions")
	if err := os.MkdirAll(actions, 0o700); err != nil {
		return fmt.Errorf("writing the functions: %w", err)
	}
	var index strings.Builder
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(actions, name+".ts"), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing the functions: %w", err)
		}
		index.WriteString("import \"./bench/actions/" + name + "\";\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "index.ts"), []byte(index.String()), 0o600); err != nil {
		return fmt.Errorf("writing the functions: %w", err)
	}
	return nil
}

// item is a record of the upstream.
type item struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Amount  int      `json:"amount"`
	Active  bool     `json:"active"`
	Created string   `json:"created"`
	Tags    []string `json:"tags"`
	Padding string   `json:"padding"`
}

// itemsText returns records of the upstream as JSON.
func itemsText(from, n int) json.RawMessage {
	items := make([]item, n)
	for i := range items {
		id := strconv.Itoa(from + i)
		items[i] = item{
			ID: "item-" + id, Name: "Item " + id, Email: "item" + id + "@example.com", Amount: 100 + i*7, Active: i%3 == 0,
			Created: "2026-03-04T05:06:07Z", Tags: []string{"alpha", "beta", "tag-" + id}, Padding: strings.Repeat("x", itemSize-180),
		}
	}
	text, err := json.Marshal(items)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return text
}

// api is what the upstream answers functions beside the one small document.
type api struct {
	whole []byte
	pages [][]byte
}

func newAPI() *api {
	a := &api{whole: []byte(`{"items":` + string(itemsText(0, itemCount)) + `}`)}
	for from := 0; from < itemCount; from += pageSize {
		next := `"` + strconv.Itoa(from/pageSize+1) + `"`
		if from+pageSize == itemCount {
			next = "null"
		}
		a.pages = append(a.pages, []byte(`{"items":`+string(itemsText(from, pageSize))+`,"next":`+next+`}`))
	}
	return a
}

func (a *api) all(w http.ResponseWriter, _ *http.Request) { give(w, a.whole) }

func (a *api) page(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("after")) // none: the first
	if n < 0 || n >= len(a.pages) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	give(w, a.pages[n])
}

// slow answers after 100 ms.
func slow(w http.ResponseWriter, r *http.Request) {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		give(w, answer())
	case <-r.Context().Done():
	}
}

func give(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // a caller that went away says so itself
}
