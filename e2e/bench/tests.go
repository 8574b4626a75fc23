package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// How many functions linkspan test is measured with, half of them syncs, and how many
// integrations they are spread over. Each sync reads two pages of so many records.
const (
	testedFunctions    = 2000
	testedIntegrations = 50
	testedRecords      = 20
)

// tests measures linkspan test over a folder of many functions with recordings.
func (b *bench) tests(ctx context.Context, t io.Writer, _ *process) error {
	folder := filepath.Join(b.dir, "tests")
	if err := writeTested(folder); err != nil {
		return err
	}
	row(t, fmt.Sprintf("linkspan test, %d functions with recordings", testedFunctions), "time", "peak memory of all its processes")
	for n := range b.rounds {
		took, peak, err := b.testOnce(ctx, folder)
		if err != nil {
			return err
		}
		row(t, "  run "+strconv.Itoa(n+1), milliseconds(took), megabytes(peak))
	}
	return nil
}

// testOnce runs the command and returns how long it took, and the most memory that it
// and its processes had at a time.
func (b *bench) testOnce(ctx context.Context, folder string) (time.Duration, int64, error) {
	//nolint:gosec // the user names the program to measure
	cmd := exec.CommandContext(ctx, b.binary, "test", "--json", "--dir="+folder)
	cmd.Env = append(cmd.Environ(), "LINKSPAN_CACHE="+filepath.Join(b.dir, "testcache"))
	report, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, fmt.Errorf("testing functions: %w", err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, fmt.Errorf("testing functions: %w", err)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	peak := make(chan int64, 1)
	go func() { peak <- (&process{cmd: cmd}).peak(watching) }()
	var said struct {
		Summary struct{ Passed int }
	}
	decodeErr := json.NewDecoder(report).Decode(&said)
	err = cmd.Wait()
	took := time.Since(start)
	stop()
	most := <-peak
	if err != nil {
		return 0, 0, fmt.Errorf("testing functions: %w", err)
	}
	if decodeErr != nil {
		return 0, 0, fmt.Errorf("reading the report of a test: %w", decodeErr)
	}
	if said.Summary.Passed != testedFunctions {
		return 0, 0, fmt.Errorf("%d of %d functions passed", said.Summary.Passed, testedFunctions)
	}
	return took, most, nil
}

// writeTested writes the folder.
func writeTested(folder string) error {
	var index []byte
	for n := range testedFunctions {
		integration := "provider-" + strconv.Itoa(n%testedIntegrations)
		kind, source, recording := "actions", testedAction(n), testedActionRecording(n)
		if n%2 == 1 {
			kind, source, recording = "syncs", testedSync(n), testedSyncRecording(n)
		}
		name := "function-" + strconv.Itoa(n)
		text, err := json.MarshalIndent(recording, "", "  ")
		if err != nil {
			return fmt.Errorf("writing a recording: %w", err)
		}
		for file, text := range map[string][]byte{
			filepath.Join(integration, kind, name+".ts"):           []byte(source),
			filepath.Join(integration, "tests", name+".test.json"): text,
		} {
			file = filepath.Join(folder, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				return fmt.Errorf("making a folder of functions: %w", err)
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				return fmt.Errorf("writing a function: %w", err)
			}
		}
		index = fmt.Appendf(index, "import \"./%s/%s/%s\";\n", integration, kind, name)
	}
	files := map[string][]byte{"index.ts": index, "shared.ts": []byte("export function title(text: string): string {\n\treturn text.trim().toUpperCase();\n}\n")}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return fmt.Errorf("writing the list of functions: %w", err)
		}
	}
	return nil
}

type object = map[string]any

func testedAction(n int) string {
	return fmt.Sprintf(`import { createAction } from "linkspan";
import * as z from "zod";
import { title } from "../../shared";

const Input = z.object({ id: z.string() });
const Output = z.object({ id: z.string(), name: z.string(), n: z.number() });

export default createAction({
	description: "Reads item %[1]d",
	input: Input,
	output: Output,
	exec: async (nango, input) => {
		const { id } = Input.parse(input);
		const { data } = await nango.get({ endpoint: "/items/" + id, params: { fields: "name" } });
		return Output.parse({ id, name: title(data.name), n: %[1]d });
	},
});
`, n)
}

func testedActionRecording(n int) object {
	id := strconv.Itoa(n)
	return object{
		"input": object{"id": id}, "output": object{"id": id, "name": "ADA", "n": n},
		"api": object{"get": object{"items/" + id: object{"request": object{"params": object{"fields": "name"}}, "response": object{"name": " Ada "}}}},
	}
}

func testedSync(n int) string {
	return fmt.Sprintf(`import { createSync } from "linkspan";
import * as z from "zod";
import { title } from "../../shared";

const Item = z.object({ id: z.string(), name: z.string(), n: z.number() });

export default createSync({
	description: "Reads items %[1]d",
	version: "1.0.0",
	frequency: "every hour",
	autoStart: false,
	syncType: "full",
	models: { Item },
	exec: async (nango) => {
		const config = { endpoint: "/items", paginate: { type: "cursor", cursor_name_in_request: "after", cursor_path_in_response: "next", response_path: "items" } };
		for await (const page of nango.paginate<{ id: string; name: string }>(config)) {
			await nango.batchSave(page.map((item) => Item.parse({ id: item.id, name: title(item.name), n: %[1]d })), "Item");
		}
	},
});
`, n)
}

func testedSyncRecording(n int) object {
	page := func(from int) (items, saved []object) {
		for i := from; i < from+testedRecords; i++ {
			id := strconv.Itoa(i)
			items = append(items, object{"id": id, "name": "item " + id, "other": "left out"})
			saved = append(saved, object{"id": id, "name": "ITEM " + id, "n": n})
		}
		return items, saved
	}
	first, saved := page(0)
	second, more := page(testedRecords)
	return object{
		"nango": object{"batchSave": object{"Item": append(saved, more...)}},
		"api": object{"get": object{"items": []object{
			{"request": object{"params": object{}}, "response": object{"items": first, "next": "b"}},
			{"request": object{"params": object{"after": "b"}}, "response": object{"items": second}},
		}}},
	}
}
